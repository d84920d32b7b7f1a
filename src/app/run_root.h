// The root span of a run: an INTERNAL span after OpenTelemetry's conventions for CLI programs,
// child of the span sidespan itself was started in, where there is one. Decided before the command
// starts, because the command's environment carries it. Pure values; used by run_command.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "app/options.h"
#include "app/settings.h"
#include "sidespan/base/clock.h"
#include "sidespan/base/random.h"
#include "sidespan/net/process.h"
#include "sidespan/trace/propagator.h"
#include "sidespan/trace/span.h"

namespace sidespan::app {

struct RunRoot {
  std::string id;                            // of the execution: the root's span id
  std::string executable;                    // the command's file name
  trace::Context context;                    // what the command is given; tracing off: what we were
  bool sampled = false;                      // otherwise the run has no span
  std::optional<trace::SpanContext> parent;  // what sidespan itself was started in
  Lineage lineage;                           // what the proxy is told
};

// `own` is this process's environment.
RunRoot open_run(const Settings& settings, const std::string& command,
                 const std::vector<std::string>& own, Random& random);

struct RunEnd {
  Moment began;
  MonoTime ended{};
  int pid = 0;
  net::ProcessExit exit;
};
// Only where the root is sampled.
trace::Span close_run(const RunRoot& root, const trace::AttributeLimits& limits, const RunEnd& end);

}  // namespace sidespan::app
