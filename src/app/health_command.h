// `sidespan health`: asks a running sidecar whether it is ready, for exec probes and container
// health checks. Blocking sockets and no loop: it is one short exchange.
#pragma once

#include "app/settings.h"
#include "sidespan/base/error.h"

namespace sidespan::app {

// Asks the health listener, else the admin listener, as the settings name them. 0 when it answers
// that it is ready, else 1 and a sentence on stderr. Takes two seconds at most.
int health_command(const Settings& settings);

// Which listener is asked; none where both are off.
const ListenAddress& asked_for_health(const ListenSettings& listen);

// The same as the command without a word. Error side: kSelf.
Result<void> ask_ready(const ListenSettings& listen);

}  // namespace sidespan::app
