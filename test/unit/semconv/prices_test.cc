#include "sidespan/semconv/prices.h"

#include <doctest/doctest.h>

#include <optional>
#include <vector>

namespace sidespan::semconv::genai {
namespace {

TEST_CASE("cost: the first row that matches, by kinds of tokens; a guess never") {
  const std::vector<Price> prices = {
      {.provider = "openai", .model = "big*", .input = 2, .output = 8, .cache_read = 0.5},
      {.model = "big-9", .input = 100, .output = 100},
      {.provider = "anthropic",
       .model = "c",
       .input = 3,
       .output = 15,
       .cache_read = 0.3,
       .cache_write = 3.75},
  };
  struct Row {
    const char* name;
    const char* provider;
    const char* asked;
    const char* answered;
    Usage usage;
    std::optional<double> cost;
  };
  const std::vector<Row> rows = {
      {"plain", "openai", "big", "", {.input = 1'000'000, .output = 500'000}, 6.0},
      {"the answer's model", "openai", "small", "big-1", {.input = 1000, .output = 0}, 0.002},
      {"a cache read",
       "openai",
       "big",
       "",
       {.input = 1000, .output = 0, .cache_read = 400},
       0.0014},
      {"a cache written as other input",
       "openai",
       "big",
       "",
       {.input = 1000, .output = 0, .cache_write = 1000},
       0.002},
      {"both caches",
       "anthropic",
       "c",
       "",
       {.input = 1000, .output = 100, .cache_read = 600, .cache_write = 300},
       0.003105},
      {"any provider", "azure", "big-9", "", {.input = 10'000, .output = {}}, 1.0},
      {"the first row", "openai", "big-9", "", {.input = 1'000'000, .output = {}}, 2.0},
      {"more from the cache than there was",
       "openai",
       "big",
       "",
       {.input = 10, .output = 0, .cache_read = 1'000'000},
       0.5},
      {"an unknown model", "openai", "huge", "", {.input = 1000, .output = 1000}, std::nullopt},
      {"no model", "openai", "", "", {.input = 1000, .output = 1000}, std::nullopt},
      {"no tokens", "openai", "big", "", {}, std::nullopt},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    Call call;
    call.provider = row.provider;
    call.request_model = row.asked;
    call.response_model = row.answered;
    call.usage = row.usage;
    const std::optional<double> cost = cost_of(call, prices);
    REQUIRE(cost.has_value() == row.cost.has_value());
    if (cost) CHECK(*cost == doctest::Approx(*row.cost));
    call.usage_partial = true;
    CHECK(!cost_of(call, prices));
  }
}

}  // namespace
}  // namespace sidespan::semconv::genai
