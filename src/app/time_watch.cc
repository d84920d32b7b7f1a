#include "app/time_watch.h"

#include <algorithm>
#include <string>

namespace sidespan::app {
namespace {

constexpr std::chrono::seconds kTold{1};

std::string seconds_of(Nanoseconds duration) {
  return std::to_string(std::chrono::round<std::chrono::seconds>(duration).count());
}

}  // namespace

void TimeWatch::look(Moment now, Milliseconds next, Log& log) {
  if (due_) {
    const Nanoseconds late = std::max<Nanoseconds>(now.mono - *due_, Nanoseconds::zero());
    lag_.record(to_seconds(late));
    if (late >= kTold) {
      log.write(LogLevel::kWarn, "a worker was held up", {{"seconds", seconds_of(late)}});
    }
    // Also when the machine has slept: the monotonic clock does not count that.
    const Nanoseconds set = (now.wall - before_.wall) - (now.mono - before_.mono);
    if (set >= kTold || set <= -kTold) {
      log.write(LogLevel::kWarn, "the clock was set", {{"seconds", seconds_of(set)}});
    }
  }
  before_ = now;
  due_ = now.mono + next;
}

void TimeWatch::collect(metrics::Snapshot& snapshot) const {
  metrics::merge(snapshot, "sidespan_loop_lag_seconds",
                 "How late the workers' loops came to what was due each second.",
                 metrics::Kind::kHistogram,
                 {.labels = {}, .value = 0, .histogram = lag_.snapshot()});
}

}  // namespace sidespan::app
