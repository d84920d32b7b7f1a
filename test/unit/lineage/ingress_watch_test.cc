#include "sidespan/lineage/ingress_watch.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "sidespan/base/clock.h"
#include "sidespan/base/random.h"

using sidespan::MonoTime;
using sidespan::Nanoseconds;
using sidespan::Random;
using sidespan::lineage::Execution;
using sidespan::lineage::ExecutionRef;
using sidespan::lineage::IngressWatch;
using sidespan::lineage::Source;

namespace {

using End = IngressWatch::End;

constexpr Nanoseconds kIdle = std::chrono::minutes(2);
constexpr Nanoseconds kMoment = std::chrono::milliseconds(1);
constexpr MonoTime kStart{std::chrono::hours(1)};

IngressWatch::Request request(const std::string& id) {
  return std::make_shared<const Execution>(
      Execution{.id = id, .fixed_by = Source::kIngress, .context = {}});
}

std::string id_of(const IngressWatch::Work& work) {
  return work.request() ? work.request()->id : "";
}

}  // namespace

TEST_CASE("a call belongs to the only request in flight") {
  IngressWatch watch(kIdle);
  CHECK(id_of(watch.begin_work(kStart)).empty());
  auto a = watch.begin(request("a"), kStart);
  auto first = watch.begin_work(kStart);
  auto second = watch.begin_work(kStart);
  CHECK(id_of(first) == "a");
  CHECK(id_of(second) == "a");
  first.end(kStart);
  second.end(kStart);
  CHECK(id_of(second) == "a");
  CHECK(id_of(watch.begin_work(kStart)) == "a");
  a.end(kStart, false);
  CHECK(id_of(watch.begin_work(kStart)).empty());
  auto b = watch.begin(request("b"), kStart);
  CHECK(id_of(watch.begin_work(kStart)) == "b");
}

TEST_CASE("nothing is known where something was under way when the request began") {
  IngressWatch watch(kIdle);
  SUBCASE("a call") {
    auto before = watch.begin_work(kStart);
    auto a = watch.begin(request("a"), kStart);
    CHECK(id_of(watch.begin_work(kStart)).empty());
    before.end(kStart);
    CHECK(id_of(watch.begin_work(kStart)).empty());
    a.end(kStart, false);
    auto b = watch.begin(request("b"), kStart);
    CHECK(id_of(watch.begin_work(kStart)) == "b");
  }
  SUBCASE("a call of the request before") {
    auto a = watch.begin(request("a"), kStart);
    auto left_over = watch.begin_work(kStart);
    a.end(kStart, false);
    auto b = watch.begin(request("b"), kStart);
    CHECK(id_of(watch.begin_work(kStart)).empty());
  }
  SUBCASE("another request") {
    auto a = watch.begin(request("a"), kStart);
    auto b = watch.begin(request("b"), kStart);
    a.end(kStart, false);
    CHECK(id_of(watch.begin_work(kStart)).empty());
    b.end(kStart, false);
    auto c = watch.begin(request("c"), kStart);
    CHECK(id_of(watch.begin_work(kStart)) == "c");
  }
}

TEST_CASE("while two requests are in flight no call is anybody's") {
  IngressWatch watch(kIdle);
  auto a = watch.begin(request("a"), kStart);
  CHECK(id_of(watch.begin_work(kStart)) == "a");
  auto b = watch.begin(request("b"), kStart);
  SUBCASE("and the first is trusted again when the other has made none") {
    b.end(kStart, false);
    CHECK(id_of(watch.begin_work(kStart)) == "a");
  }
  SUBCASE("nor later, when one was made meanwhile") {
    auto call = watch.begin_work(kStart);
    CHECK(id_of(call).empty());
    b.end(kStart, false);
    CHECK(id_of(watch.begin_work(kStart)).empty());
    call.end(kStart);
    CHECK(id_of(watch.begin_work(kStart)).empty());
    a.end(kStart, false);
    auto c = watch.begin(request("c"), kStart);
    CHECK(id_of(watch.begin_work(kStart)) == "c");
  }
  SUBCASE("nor when the first is gone") {
    a.end(kStart, false);
    CHECK(id_of(watch.begin_work(kStart)).empty());
    auto c = watch.begin(request("c"), kStart);
    CHECK(id_of(watch.begin_work(kStart)).empty());
    b.end(kStart, false);
    CHECK(id_of(watch.begin_work(kStart)).empty());
  }
}

TEST_CASE("a request without a span is nobody's parent, and counts") {
  IngressWatch watch(kIdle);
  auto a = watch.begin(nullptr, kStart);
  CHECK(id_of(watch.begin_work(kStart)).empty());
  auto b = watch.begin(request("b"), kStart);
  CHECK(id_of(watch.begin_work(kStart)).empty());
}

TEST_CASE("ends count once, and moved tokens are the same ones") {
  IngressWatch watch(kIdle);
  {
    auto a = watch.begin(request("a"), kStart);
    IngressWatch::InFlight moved = std::move(a);
    a.end(kStart, false);
    auto work = watch.begin_work(kStart);
    IngressWatch::Work kept;
    kept = std::move(work);
    work.end(kStart);
    CHECK(id_of(kept) == "a");
    CHECK(moved);
    moved.end(kStart, false);
    moved.end(kStart, false);
    CHECK_FALSE(moved);
    auto b = watch.begin(request("b"), kStart);
    CHECK(id_of(watch.begin_work(kStart)).empty());  // `kept` is under way
    kept = {};
  }
  auto c = watch.begin(request("c"), kStart);
  CHECK(id_of(watch.begin_work(kStart)) == "c");
}

TEST_CASE("what was accepted and not done yet may go on for the idle time of a turn") {
  IngressWatch watch(kIdle);
  auto a = watch.begin(request("a"), kStart);
  CHECK(id_of(watch.begin_work(kStart)) == "a");
  const bool accepted = true;
  SUBCASE("so that no request is evidence") {
    a.end(kStart, accepted);
    auto b = watch.begin(request("b"), kStart + kIdle - kMoment);
    CHECK(id_of(watch.begin_work(kStart + kIdle - kMoment)).empty());
    CHECK(id_of(watch.begin_work(kStart + kIdle)).empty());
    b.end(kStart + kIdle, false);
    auto c = watch.begin(request("c"), kStart + kIdle);
    CHECK(id_of(watch.begin_work(kStart + kIdle)) == "c");
  }
  SUBCASE("nor one that began before") {
    auto b = watch.begin(request("b"), kStart);
    b.end(kStart, accepted);
    CHECK(id_of(watch.begin_work(kStart)).empty());
  }
  SUBCASE("and each call that nobody is in flight for prolongs that") {
    a.end(kStart, accepted);
    watch.begin_work(kStart + kMoment).end(kStart + kIdle);
    auto b = watch.begin(request("b"), kStart + kIdle);
    CHECK(id_of(watch.begin_work(kStart + kIdle)).empty());
    b.end(kStart + kIdle, false);
    auto c = watch.begin(request("c"), kStart + 2 * kIdle);
    CHECK(id_of(watch.begin_work(kStart + 2 * kIdle)) == "c");
  }
}

TEST_CASE("a call that outlives its request is work that goes on") {
  IngressWatch watch(kIdle);
  auto a = watch.begin(request("a"), kStart);
  auto call = watch.begin_work(kStart);
  a.end(kStart, false);
  std::string evidence = "b";
  SUBCASE("as far as anybody knows") {
    call.end(kStart);
    evidence.clear();
  }
  SUBCASE("not where a model has said its last word") {
    call.end(kStart, End::kLastWord);
  }
  SUBCASE("nor where the agent no longer waits for it") {
    call.end(kStart, End::kGivenUp);
  }
  SUBCASE("nor where it only stays open") {
    call.settle();
  }
  auto b = watch.begin(request("b"), kStart);
  CHECK(id_of(watch.begin_work(kStart)) == evidence);
}

TEST_CASE("a call that belongs to one of several is watched until the last of them is answered") {
  IngressWatch watch(kIdle);
  auto a = watch.begin(request("a"), kStart);
  auto b = watch.begin(request("b"), kStart);
  auto call = watch.begin_work(kStart);
  a.end(kStart, false);
  b.end(kStart, false);
  auto c = watch.begin(request("c"), kStart);
  call.end(kStart);
  CHECK(id_of(watch.begin_work(kStart)).empty());
  c.end(kStart, false);
  auto d = watch.begin(request("d"), kStart);
  CHECK(id_of(watch.begin_work(kStart)).empty());
}

TEST_CASE("a call that nobody is in flight for is the rest of what was in flight before") {
  IngressWatch watch(kIdle);
  SUBCASE("of nothing") {
    watch.begin_work(kStart).end(kStart);
    auto a = watch.begin(request("a"), kStart);
    CHECK(id_of(watch.begin_work(kStart)) == "a");
  }
  watch.begin(request("a"), kStart).end(kStart, false);
  SUBCASE("within the idle time of a turn") {
    watch.begin_work(kStart + kIdle - kMoment).end(kStart + kIdle, End::kLastWord);
    auto b = watch.begin(request("b"), kStart + kIdle);
    CHECK(id_of(watch.begin_work(kStart + kIdle)).empty());
  }
  SUBCASE("not later") {
    watch.begin_work(kStart + kIdle).end(kStart + kIdle);
    auto b = watch.begin(request("b"), kStart + kIdle);
    CHECK(id_of(watch.begin_work(kStart + kIdle)) == "b");
  }
  SUBCASE("not where a probe may have set it going") {
    auto probe = watch.begin_probe();
    watch.begin_work(kStart).end(kStart);
    probe.end(kStart, true);
    auto b = watch.begin(request("b"), kStart);
    CHECK(id_of(watch.begin_work(kStart)) == "b");
  }
}

TEST_CASE("while a turn goes on without a request none is evidence") {
  constexpr ExecutionRef kTurn{7};
  IngressWatch watch(kIdle);
  SUBCASE("one that nobody asked for") {
    watch.begin_work(kStart).end(kStart, End::kOther, kTurn);
  }
  SUBCASE("one of a request that was accepted") {
    auto a = watch.begin(request("a"), kStart);
    watch.begin_work(kStart).end(kStart, End::kOther, kTurn);
    a.end(kStart, true);
  }
  SUBCASE("one whose call outlived its request") {
    auto a = watch.begin(request("a"), kStart);
    auto call = watch.begin_work(kStart);
    a.end(kStart, false);
    call.end(kStart, End::kOther, kTurn);
  }
  auto b = watch.begin(request("b"), kStart);
  watch.begin_work(kStart).end(kStart + kIdle, End::kOther, kTurn);
  b.end(kStart + kIdle, false);
  auto c = watch.begin(request("c"), kStart + kIdle);
  CHECK(id_of(watch.begin_work(kStart + kIdle)).empty());
  watch.begin_work(kStart + kIdle).end(kStart + kIdle, End::kLastWord, kTurn);
  c.end(kStart + kIdle, false);
  auto d = watch.begin(request("d"), kStart + 2 * kIdle);
  watch.begin_work(kStart + 2 * kIdle).end(kStart + 2 * kIdle, End::kOther, kTurn);  // d's now
  CHECK(id_of(watch.begin_work(kStart + 2 * kIdle)) == "d");
}

TEST_CASE("the turn of an answered request is over, whatever its model said last") {
  IngressWatch watch(kIdle);
  for (const std::string id : {"a", "b", "c"}) {
    auto one = watch.begin(request(id), kStart);
    auto asks = watch.begin_work(kStart);
    CHECK(id_of(asks) == id);
    asks.end(kStart, End::kOther, ExecutionRef{7});
    one.end(kStart, false);
  }
}

TEST_CASE(
    "a request that turns out to wait for events is none, and no other is evidence beside it") {
  IngressWatch watch(kIdle);
  auto events = watch.begin(request("events"), kStart);
  CHECK(id_of(watch.begin_work(kStart)) == "events");
  events.settle();
  auto of_nobody = watch.begin_work(kStart);
  CHECK(id_of(of_nobody).empty());
  of_nobody.end(kStart);
  {
    // It may be the events that this call is made for.
    auto a = watch.begin(request("a"), kStart);
    CHECK(id_of(watch.begin_work(kStart)).empty());
    SUBCASE("its end is told") {
      events.end(kStart, false);
    }
    SUBCASE("or it just goes") {
      events = {};
    }
    CHECK(id_of(watch.begin_work(kStart)).empty());
    a.end(kStart, false);
  }
  auto b = watch.begin(request("b"), kStart);
  CHECK(id_of(watch.begin_work(kStart)) == "b");
}

TEST_CASE("what was done beside a stream of events that is given up may go on") {
  for (const char* const when : {"never", "before its head", "behind it", "by another before it"}) {
    CAPTURE(when);
    const auto is = [&](std::string_view which) { return which == when; };
    IngressWatch watch(kIdle);
    IngressWatch::InFlight earlier;
    if (is("by another before it")) earlier = watch.begin(request("earlier"), kStart);
    auto events = watch.begin(request("events"), kStart);
    if (is("before its head")) watch.begin_work(kStart).end(kStart);
    events.settle();
    if (is("behind it") || earlier) watch.begin_work(kStart).end(kStart);
    events.end(kStart, true);
    if (earlier) CHECK(id_of(watch.begin_work(kStart)).empty());
    earlier.end(kStart, false);
    auto next = watch.begin(request("next"), kStart);
    CHECK(id_of(watch.begin_work(kStart)) == (is("never") ? "next" : ""));
    next.end(kStart, false);
    auto later = watch.begin(request("later"), kStart + 2 * kIdle);
    CHECK(id_of(watch.begin_work(kStart + 2 * kIdle)) == "later");
  }
}

TEST_CASE("beside a probe no request is evidence") {
  IngressWatch watch(kIdle);
  auto a = watch.begin(request("a"), kStart);
  {
    auto probe = watch.begin_probe();
    CHECK(id_of(watch.begin_work(kStart)).empty());
  }
  CHECK(id_of(watch.begin_work(kStart)) == "a");
}

// Beside a history of everything: what is said is never wrong for an agent whose calls begin while
// their request is in flight, or while a call of the same request is under way, or within the idle
// time after a call that outlived it or after it was accepted.
TEST_CASE("whatever overlaps, a call is never given to another's request") {
  struct Request {
    std::string id;
    IngressWatch::InFlight in_flight;
  };
  struct Call {
    std::string of;
    IngressWatch::Work work;
  };
  struct Rest {
    std::string of;
    MonoTime until;
  };
  Random random(11);
  size_t told = 0;
  for (int round = 0; round < 1000; ++round) {
    IngressWatch watch(kIdle);
    MonoTime now = kStart;
    std::vector<Request> requests;
    std::vector<Call> calls;
    std::vector<Rest> rests;
    const auto pick = [&](size_t of) { return static_cast<std::ptrdiff_t>(random.next() % of); };
    const auto is_served = [&](const std::string& id) {
      return std::ranges::find(requests, id, &Request::id) != requests.end();
    };
    for (int step = 0; step < 60; ++step) {
      now += random.next() % 8 == 0 ? kIdle : Nanoseconds(kMoment);
      std::erase_if(rests, [&](const Rest& rest) { return now >= rest.until; });
      const uint64_t what = random.next() % 5;
      if (what == 0 && requests.size() < 3) {
        const std::string id = std::to_string(round) + "." + std::to_string(step);
        requests.push_back({id, watch.begin(request(id), now)});
      } else if (what == 1 && !requests.empty()) {
        const auto one = requests.begin() + pick(requests.size());
        const bool accepted = random.next() % 8 == 0;
        one->in_flight.end(now, accepted);
        if (accepted) rests.push_back({one->id, now + kIdle});
        requests.erase(one);
      } else if (what == 2 && !calls.empty()) {
        const auto one = calls.begin() + pick(calls.size());
        one->work.end(now);
        const bool known = requests.empty() || one->work.request();
        if (known && !is_served(one->of)) rests.push_back({one->of, now + kIdle});
        calls.erase(one);
      } else if (const size_t all = requests.size() + calls.size() + rests.size(); all > 0) {
        const auto of = static_cast<size_t>(pick(all));
        const std::string owner = of < requests.size() ? requests[of].id
                                  : of < requests.size() + calls.size()
                                      ? calls[of - requests.size()].of
                                      : rests[of - requests.size() - calls.size()].of;
        calls.push_back({owner, watch.begin_work(now)});
        const std::string said = id_of(calls.back().work);
        CHECK((said.empty() || said == owner));
        told += said.empty() ? 0 : 1;
      }
    }
  }
  CHECK(told > 500);  // else nothing was tried
}

TEST_CASE("several threads may begin and end at once") {
  IngressWatch watch(kIdle);
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([&watch, i] {
        for (int n = 0; n < 500; ++n) {
          auto one = watch.begin(request(std::to_string(i)), kStart);
          auto work = watch.begin_work(kStart);
          one.end(kStart, false);
        }
      });
    }
  }
  auto a = watch.begin(request("a"), kStart);
  CHECK(id_of(watch.begin_work(kStart)) == "a");
}
