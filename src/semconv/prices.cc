#include "sidespan/semconv/prices.h"

#include <algorithm>

#include "sidespan/base/text.h"

namespace sidespan::semconv::genai {
namespace {

constexpr double kMillion = 1e6;

}  // namespace

std::optional<double> cost_of(const Call& call, std::span<const Price> prices) {
  const Usage& usage = call.usage;
  if (call.usage_partial || (!usage.input && !usage.output)) return std::nullopt;
  const std::string& model = call.response_model.empty() ? call.request_model : call.response_model;
  const auto price = std::ranges::find_if(prices, [&](const Price& row) {
    return text::matches_wildcard(row.provider, call.provider) &&
           text::matches_wildcard(row.model, model);
  });
  if (model.empty() || price == prices.end()) return std::nullopt;
  const int64_t read = usage.cache_read.value_or(0);
  const int64_t written = usage.cache_write.value_or(0);
  const int64_t fresh = std::max<int64_t>(usage.input.value_or(0) - read - written, 0);
  const auto of = [](int64_t tokens, double each) { return static_cast<double>(tokens) * each; };
  return (of(fresh, price->input) + of(read, price->cache_read.value_or(price->input)) +
          of(written, price->cache_write.value_or(price->input)) +
          of(usage.output.value_or(0), price->output)) /
         kMillion;
}

}  // namespace sidespan::semconv::genai
