#include "app/time_watch.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

namespace sidespan::app {
namespace {

class Lines final : public Log {
 public:
  void write(LogLevel, std::string_view message, std::initializer_list<LogField> fields) override {
    lines.push_back(std::string(message) + " " + std::string(fields.begin()->value));
  }
  bool enabled(LogLevel) const override { return true; }

  std::vector<std::string> lines;
};

TEST_CASE("what a pulse tells about time") {
  struct Row {
    const char* name;
    Milliseconds mono;  // since the look before, which was to be a second ago
    Milliseconds wall;
    double lag;
    std::vector<std::string> lines;
  };
  using std::chrono::hours;
  using std::chrono::milliseconds;
  using std::chrono::seconds;
  const Row rows[] = {
      {"in time", seconds(1), seconds(1), 0, {}},
      {"early", milliseconds(10), milliseconds(10), 0, {}},
      {"a little late", milliseconds(1900), milliseconds(1900), 0.9, {}},
      {"late", seconds(6), seconds(6), 5, {"a worker was held up 5"}},
      {"set forward", seconds(1), seconds(1) + hours(1), 0, {"the clock was set 3600"}},
      {"set back", seconds(1), seconds(1) - hours(1), 0, {"the clock was set -3600"}},
      {"slewed", seconds(1), milliseconds(1500), 0, {}},
      {"both", seconds(3), seconds(1), 2, {"a worker was held up 2", "the clock was set -2"}},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    Lines log;
    TimeWatch watch;
    const Moment start{MonoTime(hours(5)), WallTime(hours(500'000))};
    watch.look(start, seconds(1), log);
    CHECK(log.lines.empty());
    watch.look({start.mono + row.mono, start.wall + row.wall}, seconds(1), log);
    CHECK(log.lines == row.lines);
    metrics::Snapshot snapshot;
    watch.collect(snapshot);
    CHECK(snapshot.at(0).samples.at(0).histogram.count == 1);
    CHECK(snapshot.at(0).samples.at(0).histogram.sum == doctest::Approx(row.lag));
  }
}

}  // namespace
}  // namespace sidespan::app
