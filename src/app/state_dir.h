// Where a sidecar keeps what outlives it: today the logs of runs. Contract section 4 says which
// directory. One that cannot be written to is no fault: the sidecar then keeps everything in memory
// and says so once.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "app/environment.h"
#include "sidespan/base/error.h"

namespace sidespan::app {

// Where it may be, the first choice first. SIDESPAN_STATE_DIR is the only choice where it is set;
// relative XDG_STATE_HOME is ignored, as XDG says. Never empty.
std::vector<std::string> state_dir_candidates(const Environment& own);

// Makes the first candidate that can be written to, with mode 0700; what exists keeps its mode.
// Error side kSelf: says why the first choice was none.
Result<std::string> open_state_dir(const Environment& own);

// The file for the log of run `id`, in a directory `run` made for it; the oldest logs beyond
// kRunLogsMax are removed. Error side: kSelf.
inline constexpr size_t kRunLogsMax = 100;
Result<std::string> run_log_path(const std::string& state_dir, const std::string& id);

}  // namespace sidespan::app
