#include "sidespan/trace/probability.h"

#include <doctest/doctest.h>

#include <string>
#include <string_view>

namespace sidespan::trace {
namespace {

// What `ot` says when `threshold` was put into it.
std::string put_into(std::string_view tracestate, std::string_view threshold) {
  TraceState state = TraceState::parse({tracestate});
  put_threshold(state, threshold);
  return std::string(state.get("ot").value_or("none"));
}

TEST_CASE("probability: a threshold comes in and goes beside the others") {
  CHECK(put_into("ot=rv:0123456789abcd;th:c;x:y", "8") == "th:8;rv:0123456789abcd;x:y");
  CHECK(put_into("ot=rv:0123456789abcd;th:c;x:y", "") == "rv:0123456789abcd;x:y");
  CHECK(put_into("ot=th:c", "") == "none");
  CHECK(put_into("a=1", "8") == "th:8");
}

TEST_CASE("probability: a field that cannot stand at the end takes no other along") {
  CHECK(put_into("ot=rv:0123456789abcd;x ;th:8", "") == "rv:0123456789abcd");
  CHECK(put_into("ot=rv:0123456789abcd;x ; ;th:8", "c") == "th:c;rv:0123456789abcd");
  CHECK(put_into("ot=x ;th:8", "") == "none");
}

}  // namespace
}  // namespace sidespan::trace
