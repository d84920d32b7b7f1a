#include "app/drain.h"

#include <doctest/doctest.h>

#include <vector>

namespace sidespan::app {
namespace {

using State = Drain::State;

struct Look {
  int at;  // milliseconds
  Activity activity;
  State expected;
};

TEST_CASE("drains") {
  struct Row {
    const char* name;
    bool when_alone;
    std::vector<Look> looks;
    Milliseconds quiet{100};
  };
  const auto activity = [](size_t busy, size_t connections, uint64_t requests, uint64_t looks) {
    return Activity{.busy = busy, .connections = connections, .requests = requests, .looks = looks};
  };
  const std::vector<Row> rows = {
      {"quiet from the start",
       false,
       {{0, activity(0, 1, 5, 7), State::kGoing},
        {99, activity(0, 1, 5, 9), State::kGoing},
        {100, activity(0, 1, 5, 10), State::kQuiet}}},
      {"busy, then quiet",
       false,
       {{0, activity(1, 1, 0, 0), State::kGoing},
        {300, activity(1, 1, 0, 30), State::kGoing},
        {399, activity(0, 0, 1, 39), State::kGoing},
        {498, activity(0, 0, 1, 49), State::kGoing},
        {499, activity(0, 0, 1, 49), State::kQuiet}}},
      {"a call between two looks counts",
       false,
       {{0, activity(0, 1, 3, 0), State::kGoing},
        {90, activity(0, 1, 4, 9), State::kGoing},
        {180, activity(0, 1, 4, 18), State::kGoing},
        {190, activity(0, 1, 4, 19), State::kQuiet}}},
      {"never quiet",
       false,
       {{0, activity(1, 1, 0, 0), State::kGoing},
        {999, activity(1, 1, 0, 99), State::kGoing},
        {1000, activity(1, 1, 0, 100), State::kLate}}},
      {"a worker that measures nothing is not quiet",
       false,
       {{0, activity(0, 0, 0, 4), State::kGoing},
        {500, activity(0, 0, 0, 5), State::kGoing},
        {1000, activity(0, 0, 0, 5), State::kLate}}},
      {"alone",
       true,
       {{0, activity(0, 0, 0, 4), State::kGoing},
        {5, activity(0, 0, 0, 5), State::kGoing},
        {10, activity(0, 0, 0, 6), State::kQuiet}}},
      {"not alone: an idle connection has its time",
       true,
       {{0, activity(0, 1, 0, 4), State::kGoing},
        {10, activity(0, 1, 0, 6), State::kGoing},
        {100, activity(0, 1, 0, 14), State::kQuiet}}},
      {"no quiet time asked for: a call under way is waited for nevertheless",
       false,
       {{0, activity(1, 1, 0, 0), State::kGoing},
        {300, activity(1, 1, 0, 30), State::kGoing},
        {301, activity(0, 1, 1, 31), State::kQuiet}},
       Milliseconds(0)},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    const MonoTime began{std::chrono::hours(1)};
    Drain drain(began, row.quiet, Milliseconds(1000), row.when_alone);
    for (const Look& look : row.looks) {
      CAPTURE(look.at);
      CHECK(drain.look(began + Milliseconds(look.at), look.activity) == look.expected);
    }
  }
}

TEST_CASE("a part of the deadline is kept for the export") {
  CHECK(drain_times(Milliseconds(25'000)).serving == Milliseconds(20'000));
  CHECK(drain_times(Milliseconds(25'000)).all == Milliseconds(25'000));
  CHECK(drain_times(Milliseconds(1000)).serving == Milliseconds(800));
  CHECK(drain_times(Milliseconds(120'000)).serving == Milliseconds(115'000));
  CHECK(drain_times(Milliseconds(0)).serving == Milliseconds(0));
}

}  // namespace
}  // namespace sidespan::app
