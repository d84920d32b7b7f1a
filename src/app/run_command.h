// `sidespan run -- CMD`: a sidecar for one command, which runs on the same terminal as if started
// by env or time. Opens the run's root span, gives the command its environment, passes signals on,
// and when the command has ended prints the run as a tree and exports its spans. Silent while the
// command has the terminal: what there is to say meanwhile goes to state_dir/run/ID.log.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "app/doctor_run.h"
#include "app/environment.h"
#include "app/settings.h"
#include "app/tls_setup.h"

namespace sidespan::app {

enum class RunPrint : uint8_t {
  kAuto,  // a tree where stderr is a terminal, else nothing
  kTree,
  kJson,  // one line on stderr
  kNone,
};

struct RunOptions {
  std::vector<std::string> argv;  // the command, never empty
  RunPrint print = RunPrint::kAuto;
  std::optional<bool> java;  // whether JAVA_TOOL_OPTIONS is set; else wants_java() decides
};

// Returns the command's exit status: 128+N where signal N ended it, 126 when it cannot be executed,
// 127 when there is no such program, 1 when the sidecar itself cannot start.
int run_command(const Settings& settings, const Environment& own, const RunOptions& options);

// The same for `doctor`: prints nothing about the run (give it RunPrint::kNone), and tells what was
// seen of it. Nothing where the command did not run; why is said on stderr.
std::optional<RunSeen> watch_command(const Settings& settings, const TlsSetup& tls,
                                     const RunOptions& options);

}  // namespace sidespan::app
