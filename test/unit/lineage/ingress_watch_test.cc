#include "sidespan/lineage/ingress_watch.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "sidespan/base/random.h"

using sidespan::Random;
using sidespan::lineage::Execution;
using sidespan::lineage::IngressWatch;
using sidespan::lineage::Source;

namespace {

IngressWatch::Request request(const std::string& id) {
  return std::make_shared<const Execution>(
      Execution{.id = id, .fixed_by = Source::kIngress, .context = {}});
}

std::string id_of(const IngressWatch::Work& work) {
  return work.request() ? work.request()->id : "";
}

}  // namespace

TEST_CASE("a call belongs to the only request in flight") {
  IngressWatch watch;
  CHECK(id_of(watch.begin_work()).empty());
  auto a = watch.begin(request("a"));
  auto first = watch.begin_work();
  auto second = watch.begin_work();
  CHECK(id_of(first) == "a");
  CHECK(id_of(second) == "a");
  first.end();
  second.end();
  CHECK(id_of(second) == "a");
  CHECK(id_of(watch.begin_work()) == "a");
  a.end();
  CHECK(id_of(watch.begin_work()).empty());
  auto b = watch.begin(request("b"));
  CHECK(id_of(watch.begin_work()) == "b");
}

TEST_CASE("nothing is known where something was under way when the request began") {
  IngressWatch watch;
  SUBCASE("a call") {
    auto before = watch.begin_work();
    auto a = watch.begin(request("a"));
    CHECK(id_of(watch.begin_work()).empty());
    before.end();
    CHECK(id_of(watch.begin_work()).empty());
    a.end();
    auto b = watch.begin(request("b"));
    CHECK(id_of(watch.begin_work()) == "b");
  }
  SUBCASE("a call of the request before") {
    auto a = watch.begin(request("a"));
    auto left_over = watch.begin_work();
    a.end();
    auto b = watch.begin(request("b"));
    CHECK(id_of(watch.begin_work()).empty());
  }
  SUBCASE("another request") {
    auto a = watch.begin(request("a"));
    auto b = watch.begin(request("b"));
    a.end();
    CHECK(id_of(watch.begin_work()).empty());
    b.end();
    auto c = watch.begin(request("c"));
    CHECK(id_of(watch.begin_work()) == "c");
  }
}

TEST_CASE("while two requests are in flight no call is anybody's") {
  IngressWatch watch;
  auto a = watch.begin(request("a"));
  CHECK(id_of(watch.begin_work()) == "a");
  auto b = watch.begin(request("b"));
  SUBCASE("and the first is trusted again when the other has made none") {
    b.end();
    CHECK(id_of(watch.begin_work()) == "a");
  }
  SUBCASE("nor later, when one was made meanwhile") {
    auto call = watch.begin_work();
    CHECK(id_of(call).empty());
    b.end();
    CHECK(id_of(watch.begin_work()).empty());
    call.end();
    CHECK(id_of(watch.begin_work()).empty());
    a.end();
    auto c = watch.begin(request("c"));
    CHECK(id_of(watch.begin_work()) == "c");
  }
  SUBCASE("nor when the first is gone") {
    a.end();
    CHECK(id_of(watch.begin_work()).empty());
    auto c = watch.begin(request("c"));
    CHECK(id_of(watch.begin_work()).empty());
    b.end();
    CHECK(id_of(watch.begin_work()).empty());
  }
}

TEST_CASE("a request without a span is nobody's parent, and counts") {
  IngressWatch watch;
  auto a = watch.begin(nullptr);
  CHECK(id_of(watch.begin_work()).empty());
  auto b = watch.begin(request("b"));
  CHECK(id_of(watch.begin_work()).empty());
}

TEST_CASE("ends count once, and moved tokens are the same ones") {
  IngressWatch watch;
  {
    auto a = watch.begin(request("a"));
    IngressWatch::InFlight moved = std::move(a);
    a.end();
    auto work = watch.begin_work();
    IngressWatch::Work kept;
    kept = std::move(work);
    work.end();
    CHECK(id_of(kept) == "a");
    CHECK(moved);
    moved.end();
    moved.end();
    CHECK_FALSE(moved);
    auto b = watch.begin(request("b"));
    CHECK(id_of(watch.begin_work()).empty());  // `kept` is under way
    kept = {};
  }
  auto c = watch.begin(request("c"));
  CHECK(id_of(watch.begin_work()) == "c");
}

// Beside a history of everything: what is said is never wrong for an agent whose calls begin while
// their request is in flight, or while a call of the same request is under way.
TEST_CASE("whatever overlaps, a call is never given to another's request") {
  struct Request {
    std::string id;
    IngressWatch::InFlight in_flight;
  };
  struct Call {
    std::string of;
    IngressWatch::Work work;
  };
  Random random(11);
  size_t told = 0;
  for (int round = 0; round < 400; ++round) {
    IngressWatch watch;
    std::vector<Request> requests;
    std::vector<Call> calls;
    for (int step = 0; step < 60; ++step) {
      const uint64_t what = random.next() % 5;
      if (what == 0 && requests.size() < 3) {
        const std::string id = std::to_string(round) + "." + std::to_string(step);
        requests.push_back({id, watch.begin(request(id))});
      } else if (what == 1 && !requests.empty()) {
        requests.erase(requests.begin() +
                       static_cast<std::ptrdiff_t>(random.next() % requests.size()));
      } else if (what == 2 && !calls.empty()) {
        calls.erase(calls.begin() + static_cast<std::ptrdiff_t>(random.next() % calls.size()));
      } else if (!requests.empty() || !calls.empty()) {
        const size_t of = random.next() % (requests.size() + calls.size());
        const std::string owner =
            of < requests.size() ? requests[of].id : calls[of - requests.size()].of;
        calls.push_back({owner, watch.begin_work()});
        const std::string said = id_of(calls.back().work);
        CHECK((said.empty() || said == owner));
        told += said.empty() ? 0 : 1;
      }
    }
  }
  CHECK(told > 500);  // else nothing was tried
}

TEST_CASE("several threads may begin and end at once") {
  IngressWatch watch;
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([&watch, i] {
        for (int n = 0; n < 500; ++n) {
          auto one = watch.begin(request(std::to_string(i)));
          auto work = watch.begin_work();
          one.end();
        }
      });
    }
  }
  auto a = watch.begin(request("a"));
  CHECK(id_of(watch.begin_work()) == "a");
}
