#include "sidespan/base/error.h"

#include <doctest/doctest.h>

#include <set>

#include "sidespan/base/clock.h"
#include "sidespan/base/text.h"

namespace sidespan {
namespace {

// They become values of `error.type`, which dashboards group by: short, stable, one a code.
TEST_CASE("every code has a name of its own") {
  std::set<std::string_view> names;
  for (int code = 0; code <= static_cast<int>(Code::kCancelled); ++code) {
    const std::string_view name = name_of(static_cast<Code>(code));
    CAPTURE(name);
    CHECK(names.insert(name).second);
    for (const char c : name) CHECK((text::is_lower(c) || c == '_'));
  }
  CHECK(name_of(Code::kTimeout) == "timeout");
  CHECK(name_of(Code::kConnectionRefused) == "connection_refused");
}

TEST_CASE("the sides") {
  CHECK(name_of(Side::kAgent) == "agent");
  CHECK(name_of(Side::kOrigin) == "origin");
  CHECK(name_of(Side::kSelf) == "self");
}

TEST_CASE("fail makes the error of any result") {
  const Result<int> result = fail(Code::kDenied, Side::kAgent, "no", true);
  REQUIRE(!result);
  CHECK(result.error().code == Code::kDenied);
  CHECK(result.error().side == Side::kAgent);
  CHECK(result.error().retryable);
  CHECK(result.error().what == "no");
  const Result<void> other = fail(Code::kSystem, Side::kSelf, "x");
  CHECK(!other.error().retryable);
}

TEST_CASE("the system's clocks") {
  const SystemClock clock;
  const Moment first = clock.now();
  const Moment second = clock.now();
  CHECK(second.mono >= first.mono);
  CHECK(first.wall > WallTime(std::chrono::years(50)));
  CHECK(to_seconds(Milliseconds(1500)) == 1.5);
  CHECK(to_seconds(Nanoseconds(1)) == 1e-9);
}

}  // namespace
}  // namespace sidespan
