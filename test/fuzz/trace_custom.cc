// A pattern of propagation.custom, and behind a line's end the value of its header: what can be
// read is valid, and what is written from it is printable and read again as the same.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sidespan/base/text.h"
#include "sidespan/trace/custom.h"

using namespace sidespan;

namespace {

constexpr trace::Parts kAll;

trace::SpanContext sent_and_read(const trace::Propagator& format, const trace::Context& context) {
  std::vector<std::pair<std::string, std::string>> sent;
  trace::PairWriter writer(sent);
  format.inject(context, kAll, writer);
  if (sent.size() != 1 || sent[0].first != "X-Own") std::abort();
  for (const char c : sent[0].second) {
    if (c < ' ' || c > '~') std::abort();
  }
  trace::Context again;
  if (!format.extract(trace::PairReader(sent), again)) std::abort();
  return again.span;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::optional<std::string_view> rest(std::in_place, reinterpret_cast<const char*>(data), size);
  const std::string_view pattern = text::split_first(rest, '\n');
  const auto made = trace::make_custom_propagator("own", "X-Own", pattern);
  if (!made) {
    if (made.error().what.empty()) std::abort();
    return 0;
  }
  const trace::Propagator& format = **made;
  const bool sampled = pattern.contains("{sampled}");

  trace::Context context;
  context.span = {{7, 9}, {5}, trace::kSampledFlag, {}};
  const trace::SpanContext read = sent_and_read(format, context);
  if (read.trace_id.low != 9 || read.span_id.value != 5 || read.sampled() != sampled) std::abort();

  const std::vector<std::pair<std::string, std::string>> fields = {
      {"x-own", std::string(rest.value_or(""))}};
  trace::Context received;
  if (!format.extract(trace::PairReader(fields), received)) {
    if (received.span.valid()) std::abort();
    return 0;
  }
  if (!received.span.valid() || received.extracted_by != "own") std::abort();
  if (sampled != (received.asked != trace::Asked::kUndecided)) std::abort();
  const trace::SpanContext again = sent_and_read(format, received);
  if (again.trace_id != received.span.trace_id || again.span_id != received.span.span_id ||
      again.sampled() != received.span.sampled()) {
    std::abort();
  }
  return 0;
}
