// `sidespan doctor [-- CMD]`: what is wrong when a client does not use the proxy or does not trust
// it, and what to do. Gathers the facts; doctor_variables, doctor_sidecar and doctor_run judge
// them. Changes nothing: it makes no authority and writes no file, unless a command is run.
#pragma once

#include "app/environment.h"
#include "app/run_command.h"
#include "app/settings.h"

namespace sidespan::app {

// Without a command it looks at `own` and at the sidecar that the settings name; else it runs the
// command on a sidecar of its own. Findings on stdout. 0 where none of them is a failure, else 1.
int doctor_command(const Settings& settings, const Environment& own, const RunOptions& options);

}  // namespace sidespan::app
