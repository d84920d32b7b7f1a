// What this process takes from its machine: the `process_*` families every Prometheus client has.
// Any thread; reads /proc, and leaves out what that does not tell.
#pragma once

#include "sidespan/base/metrics.h"

namespace sidespan::app {

void collect_process(metrics::Snapshot& snapshot);

}  // namespace sidespan::app
