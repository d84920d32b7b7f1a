// `sidespan doctor -- CMD`: what one run tells of its command. Pure: the run's spans and counts in,
// findings out.
#pragma once

#include <cstdint>

#include "app/client_kind.h"
#include "app/finding.h"
#include "app/run_spans.h"
#include "sidespan/report/pipeline.h"
#include "sidespan/wire/second_proxy.h"

namespace sidespan::app {

struct RunSeen {
  RunRecord record;
  uint64_t requests = 0;  // that came through the sidecar
  report::Totals totals;
  int status = 0;  // of the command, as a shell says it
  wire::SecondProxy second_proxy = {};
  ClientKind kind = ClientKind::kUnknown;
};
Findings judge_run(const RunSeen& run);

}  // namespace sidespan::app
