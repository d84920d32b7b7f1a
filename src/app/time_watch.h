// What a worker's pulse tells about time: how late it comes (the loop was held up, or the processor
// was elsewhere), and whether somebody has set the wall clock, from which spans have their start.
#pragma once

#include <optional>

#include "sidespan/base/clock.h"
#include "sidespan/base/log.h"
#include "sidespan/base/metrics.h"

namespace sidespan::app {

class TimeWatch {
 public:
  // On the worker's thread. The look after this one is due in `next`; `log` hears of a second and
  // more.
  void look(Moment now, Milliseconds next, Log& log);

  // Any thread.
  void collect(metrics::Snapshot& snapshot) const;

 private:
  std::optional<MonoTime> due_;
  Moment before_;  // only where due_ is set
  metrics::Histogram lag_;
};

}  // namespace sidespan::app
