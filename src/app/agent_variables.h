// What an agent is given beside the proxy variables: whom to trust and, for a JVM, both as
// properties. The same for `run`, which starts the agent, and for `env`, which prints it.
#pragma once

#include <string>

#include "app/environment.h"
#include "app/settings.h"
#include "sidespan/net/address.h"

namespace sidespan::app {

// `egress`: where the agent reaches us. `trust`: the directory of trust_files.h, with the variables
// that name what is there; empty, both: no TLS of the agent's is opened.
Pairs agent_variables(const net::Address& egress, const std::string& trust, Pairs trust_variables,
                      const Environment& own, bool java);

}  // namespace sidespan::app
