// `sidespan ca`: what agents are to trust when their HTTPS is opened. Shows it, exports the
// certificate alone, or has a new authority sign from now on.
#pragma once

#include <cstdint>

#include "app/cli.h"
#include "app/environment.h"
#include "app/settings.h"
#include "sidespan/base/clock.h"

namespace sidespan::app {

// Makes the authority where there is none yet. Status 1 where that cannot be, or where it is the
// operator's own and so not ours to replace.
Outcome ca_command(const Settings& settings, const Environment& own, CaAction action, WallTime now);

}  // namespace sidespan::app
