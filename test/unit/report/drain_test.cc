#include <doctest/doctest.h>

#include "rig.h"

namespace sidespan::report {
namespace {

// A drain and how it went.
struct Drain {
  Drain(Rig& with, Milliseconds time, int vain_attempts_max = 0)
      : rig(with), began(with.loop.precise_now().mono) {
    rig.pipeline->drain({began + time, vain_attempts_max}, [this] { ++done; });
    CHECK(done == 0);
  }
  // How long it took.
  Milliseconds finish() {
    REQUIRE(rig.until([&] { return done > 0; }));
    const auto took = rig.loop.precise_now().mono - began;
    rig.run_for(Milliseconds(20));
    CHECK(done == 1);
    CHECK(rig.pipeline->totals().queued == 0);
    return std::chrono::duration_cast<Milliseconds>(took);
  }

  Rig& rig;
  MonoTime began;
  int done = 0;
};

}  // namespace

TEST_CASE("drain: exports at once what would have waited") {
  Rig rig;
  rig.options.batch.delay = Milliseconds(60'000);
  rig.options.batch.spans_max = 4;
  rig.give(10);
  Drain drain(rig, Milliseconds(5000));
  CHECK(drain.finish() < Milliseconds(4000));
  CHECK(rig.exported() == 10);
  CHECK(rig.origin.requests().size() == 3);
  CHECK(rig.log.lines.empty());
}

TEST_CASE("drain: nothing queued") {
  Rig rig;
  rig.start();
  CHECK(Drain(rig, Milliseconds(5000)).finish() < Milliseconds(3000));
}

TEST_CASE("drain: spans that come meanwhile go too") {
  Rig rig;
  rig.origin.otherwise.delay = Milliseconds(30);
  rig.give(1);
  Drain drain(rig, Milliseconds(5000));
  rig.give(2);
  drain.finish();
  CHECK(rig.exported() == 3);
}

TEST_CASE("drain: what the deadline leaves is dropped, and what comes after") {
  Rig rig;
  rig.origin.otherwise = {};
  rig.options.batch.spans_max = 2;
  rig.give(5);
  rig.run_for(Milliseconds(20));
  const Milliseconds took = Drain(rig, Milliseconds(100)).finish();
  CHECK(took >= Milliseconds(100));
  CHECK(took < Milliseconds(3000));
  CHECK(rig.dropped(DropReason::kShutdown) == 5);
  CHECK(rig.log.count("at the end, the collector did not take them spans=5") == 1);
  rig.give(2);
  CHECK(rig.dropped(DropReason::kShutdown) == 7);
}

TEST_CASE("drain: a collector that is away is tried until the deadline") {
  Rig rig;
  rig.origin.stop();
  rig.give(3);
  rig.run_for(Milliseconds(30));
  const Milliseconds took = Drain(rig, Milliseconds(200)).finish();
  CHECK(took >= Milliseconds(150));
  CHECK(took < Milliseconds(3000));
  CHECK(rig.dropped(DropReason::kShutdown) == 3);
}

TEST_CASE("drain: a collector that comes back in time gets everything") {
  Rig rig;
  rig.origin.stop();
  rig.give(3);
  rig.run_for(Milliseconds(30));
  Drain drain(rig, Milliseconds(5000));
  rig.run_for(Milliseconds(30));
  rig.origin.start();
  drain.finish();
  CHECK(rig.exported() == 3);
}

TEST_CASE("drain: a wait under way ends, and one beyond the deadline is not begun") {
  Rig rig;
  rig.origin.otherwise.bytes = support::ScriptedOrigin::answer(503, {{"Retry-After", "60"}});
  rig.give(3);
  REQUIRE(rig.until([&] { return rig.origin.requests().size() == 1; }));
  rig.run_for(Milliseconds(20));
  CHECK(Drain(rig, Milliseconds(5000)).finish() < Milliseconds(3000));
  CHECK(rig.origin.requests().size() == 2);
  CHECK(rig.dropped(DropReason::kShutdown) == 3);
}

TEST_CASE("drain: a deadline that has passed") {
  Rig rig;
  rig.give(3);
  CHECK(Drain(rig, Milliseconds(-1)).finish() < Milliseconds(3000));
  CHECK(rig.dropped(DropReason::kShutdown) == 3);
}

TEST_CASE("drain: a collector that is away is not tried for ever") {
  Rig rig;
  rig.origin.stop();
  rig.give(3);
  rig.run_for(Milliseconds(30));
  CHECK(Drain(rig, Milliseconds(60'000), 2).finish() < Milliseconds(3000));
  CHECK(rig.dropped(DropReason::kShutdown) == 3);
}

TEST_CASE("drain: a collector that is there but busy has its time all the same") {
  Rig rig;
  for (int i = 0; i < 3; ++i) rig.origin.then(503);
  rig.give(3);
  Drain(rig, Milliseconds(5000), 2).finish();
  CHECK(rig.exported() == 3);
}

TEST_CASE("drain: a second one ends the first at once") {
  Rig rig;
  rig.origin.otherwise = {};
  rig.give(3);
  rig.run_for(Milliseconds(20));
  bool first_done = false;
  const MonoTime now = rig.loop.precise_now().mono;
  rig.pipeline->drain({now + std::chrono::minutes(1)}, [&] { first_done = true; });
  rig.run_for(Milliseconds(20));
  CHECK(Drain(rig, Milliseconds(-1)).finish() < Milliseconds(3000));
  CHECK_FALSE(first_done);
  CHECK(rig.dropped(DropReason::kShutdown) == 3);
}

}  // namespace sidespan::report
