#include "sidespan/net/timer.h"

#include "loopback.h"

namespace sidespan::net {
namespace {

struct Fixture {
  Loop loop;
  int fired = 0;
  MonoTime begun = loop.now().mono;
  MonoTime at{};
  Timer timer{loop, [this] {
                ++fired;
                at = loop.now().mono;
              }};
};

TEST_CASE_FIXTURE(Fixture, "timer: fires once, never early") {
  timer.start(Milliseconds(3));
  CHECK(timer.active());
  loop.run();
  CHECK(fired == 1);
  CHECK(at - begun >= Milliseconds(3));
  CHECK(!timer.active());
}

TEST_CASE_FIXTURE(Fixture, "timer: a deadline moved out holds, moved in comes sooner") {
  timer.start(Milliseconds(2));
  timer.start(Milliseconds(12));
  loop.run();
  CHECK(fired == 1);
  CHECK(at - begun >= Milliseconds(12));

  const MonoTime again = loop.now().mono;
  timer.start(std::chrono::hours(1));
  timer.start(Milliseconds(1));
  loop.run();
  CHECK(fired == 2);
  CHECK(loop.now().mono - again < std::chrono::seconds(10));
}

TEST_CASE_FIXTURE(Fixture, "timer: stopped means silent and does not hold the loop") {
  timer.start(std::chrono::hours(1));
  timer.stop();
  CHECK(!timer.active());
  loop.run();
  CHECK(fired == 0);

  timer.start(Milliseconds(1));
  timer.stop();
  Timer other(loop, [] {});
  other.start(Milliseconds(5));
  loop.run();
  CHECK(fired == 0);
}

TEST_CASE_FIXTURE(Fixture,
                  "timer: started again after a stop, with and without an hour behind it") {
  timer.start(std::chrono::hours(1));
  timer.stop();
  timer.start(Milliseconds(2));
  loop.run();
  CHECK(fired == 1);
}

TEST_CASE_FIXTURE(Fixture, "timer: in the background it does not hold the loop, but fires") {
  timer.start(Milliseconds(1), true);
  loop.run();
  CHECK(fired == 0);
  Timer other(loop, [] {});
  other.start(Milliseconds(5));
  loop.run();
  CHECK(fired == 1);
  timer.start(Milliseconds(1), true);
  timer.start(Milliseconds(2), false);
  loop.run();
  CHECK(fired == 2);
}

TEST_CASE("timer: restarted from its own callback") {
  Loop loop;
  int fired = 0;
  Timer* self = nullptr;
  Timer timer(loop, [&] {
    if (++fired < 5) self->start(Milliseconds(0));
  });
  self = &timer;
  timer.start(Milliseconds(0));
  loop.run();
  CHECK(fired == 5);
}

TEST_CASE("timer: destroyed in its own callback") {
  Loop loop;
  int fired = 0;
  std::unique_ptr<Timer> timer;
  timer = std::make_unique<Timer>(loop, [&] {
    timer.reset();
    ++fired;
  });
  timer->start(Milliseconds(1));
  loop.run();
  CHECK(fired == 1);
  CHECK(!timer);
}

TEST_CASE("timer: a negative delay is none") {
  Loop loop;
  int fired = 0;
  Timer timer(loop, [&] { ++fired; });
  timer.start(Milliseconds(-5));
  loop.run();
  CHECK(fired == 1);
}

}  // namespace
}  // namespace sidespan::net
