#include "sidespan/lineage/target_memo.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <tuple>
#include <utility>

#include "sidespan/base/memory_ledger.h"

namespace sidespan::lineage {
namespace {

constexpr HashKey kKey = {1, 2};
constexpr Nanoseconds kRemembered = std::chrono::seconds(240);
constexpr Nanoseconds kSpan = kRemembered / 8;

// Whether it is to be told; then it is, at `now`.
bool is_due(TargetMemo& memo, const Target& target, MonoTime now) {
  const auto known = memo.glean(kKey, target);
  const bool told = known->is_told(now, kRemembered);
  if (!told) known->told = now;
  return !told;
}

TEST_CASE("a target is read once in a while") {
  const auto memo = std::make_unique<TargetMemo>();
  MonoTime now = MonoTime(std::chrono::hours(1));
  const auto due = [&](const Target& target) { return is_due(*memo, target, now); };
  const Target target{
      .host = "api.example", .path = "/orders/AK-48219", .fetches = true, .alone = true};
  CHECK(due(target));
  now += kSpan - Nanoseconds(1);
  CHECK_FALSE(due(target));
  now += Nanoseconds(1);
  CHECK(due(target));
  CHECK_FALSE(due(target));
  // Whatever is another in it.
  Target other = target;
  other.host = "api.example.org";
  CHECK(due(other));
  other = target;
  other.port = 8080;
  CHECK(due(other));
  other = target;
  other.secure = true;
  CHECK(due(other));
  other = target;
  other.path = "/orders/AK-48220";
  CHECK(due(other));
  other = target;
  other.fetches = false;
  CHECK(due(other));
  other = target;
  other.alone = false;
  CHECK(due(other));
  other = {.host = "-48219api.example",
           .path = "/orders/AK",
           .fetches = target.fetches,
           .alone = target.alone};
  CHECK(due(other));
  CHECK_FALSE(due(target));
}

TEST_CASE("a target that another took the place of is read again") {
  const auto memo = std::make_unique<TargetMemo>();
  const MonoTime now = MonoTime(std::chrono::hours(1));
  for (int round = 0; round < 2; ++round) {
    size_t due = 0;
    for (int i = 0; i < 5000; ++i) {
      const std::string path = "/orders/" + std::to_string(i);
      due += is_due(*memo, {.host = "h", .path = path}, now) ? 1U : 0U;
    }
    CHECK(due > (round == 0 ? 4999 : 4000));
  }
}

TEST_CASE("what a target carries is what is gleaned of it, each time") {
  const auto memo = std::make_unique<TargetMemo>();
  const auto plain = [](const Target& target) {
    Gleaned out;
    glean_target(kKey, target, out);
    return out;
  };
  const auto same = [](const Gleaned& one, const Gleaned& other) {
    const auto as_tuple = [](const Value& value) {
      return std::tuple(value.hash, value.weight, value.place, value.id);
    };
    const auto as_pair = [](const Asked& asked) { return std::pair(asked.arguments, asked.name); };
    return std::ranges::equal(one.values, other.values, {}, as_tuple, as_tuple) &&
           std::ranges::equal(one.asked, other.asked, {}, as_pair, as_pair);
  };
  std::string much = "/list?";
  for (int i = 0; i < 60; ++i)
    much += "k" + std::to_string(i) + "=AK-" + std::to_string(48219 + i) + "&";
  for (int i = 0; i < 3000; ++i) {
    const std::string path =
        i % 7 == 0 ? much : "/orders/AK-" + std::to_string(i % 1500) + "?page=2";
    for (const int kind : {0, 1, 2, 3, 4}) {
      const Target target{.host = kind < 4 ? "h" : "h2",
                          .path = path,
                          .fetches = (kind & 1) != 0,
                          .alone = (kind & 2) != 0};
      const auto first = memo->glean(kKey, target);
      CHECK(same(first->carried, plain(target)));
      CHECK(same(memo->glean(kKey, target)->carried, first->carried));
      // One that carries little is not read again.
      CHECK((memo->glean(kKey, target) == first) == (path != much));
    }
  }
  CHECK(is_due(*memo, {.host = "h", .path = much}, MonoTime(kSpan)));
}

TEST_CASE("what a memo keeps is counted, and has a bound") {
  const int64_t before = memory::tally.held;
  // One value each, or eight, and with each what it may be asking for.
  for (const int values : {1, 8}) {
    for (const size_t most : {TargetMemo::kBytesMax, size_t{10'000}}) {
      CAPTURE(values);
      CAPTURE(most);
      const auto memo = std::make_unique<TargetMemo>(most);
      size_t held = 0;
      size_t peak = 0;
      for (int i = 0; i < 50'000; ++i) {
        std::string path = "/orders?";
        for (int k = 0; k < values; ++k) path += "k=AK-" + std::to_string(48219 + i * 8 + k) + "&";
        memo->glean(kKey, {.host = "h", .path = path, .fetches = true, .alone = true});
        held = static_cast<size_t>(memory::tally.held - before);
        REQUIRE(held <= most);
        peak = std::max(peak, held);
        if (i == 0) {
          CHECK(held >=
                sizeof(Gleaned) + sizeof(Asked) + static_cast<size_t>(values) * sizeof(Value));
        }
      }
      CHECK(peak > most / 3);
    }
  }
  CHECK(memory::tally.held == before);
}

TEST_CASE("a memo that is full makes room for what comes") {
  const auto memo = std::make_unique<TargetMemo>(size_t{4096});
  const auto path = [](char c) { return "/" + std::string(1900, c); };
  const Target hot{.host = "h", .path = "/orders/AK-48219"};
  const MonoTime now = MonoTime(std::chrono::hours(1));
  for (const char c : {'a', 'b', 'c', 'd', 'e'}) {
    CHECK(is_due(*memo, {.host = "h", .path = path(c)}, now));
    CHECK_FALSE(is_due(*memo, {.host = "h", .path = path(c)}, now));
    const auto carried = memo->glean(kKey, hot);
    CHECK(memo->glean(kKey, hot) == carried);
  }
  // What is longer than all of it, or than a target may be, is told each time.
  const auto small = std::make_unique<TargetMemo>(size_t{100});
  CHECK(is_due(*small, {.host = "h", .path = path('a')}, now));
  CHECK(is_due(*small, {.host = "h", .path = path('a')}, now));
  const std::string longest = "/" + std::string(5000, 'a');
  CHECK(is_due(*memo, {.host = "h", .path = longest}, now));
  CHECK(is_due(*memo, {.host = "h", .path = longest}, now));
}

}  // namespace
}  // namespace sidespan::lineage
