// `sidespan proxy`: the sidecar in the foreground, the container's entry point. Puts telemetry and
// workers together, says on stderr where it listens (one JSON line each, then `ready`), and drains
// on SIGTERM or SIGINT as contract section 5 says; a second signal ends the waiting.
#pragma once

#include "app/environment.h"
#include "app/settings.h"

namespace sidespan::app {

// Returns the exit status: 0 after a drain, 1 when something could not be opened.
int proxy_command(const Settings& settings, const Environment& own);

}  // namespace sidespan::app
