// What an agent is given beside the proxy variables: whom to trust and, for a JVM, both as
// properties. The same for `run`, which starts the agent, and for `env`, which prints it.
#pragma once

#include <string>

#include "app/environment.h"
#include "app/settings.h"
#include "sidespan/base/error.h"
#include "sidespan/net/address.h"

namespace sidespan::app {

// `egress`: where the agent reaches us. `trust`: the directory of trust_files.h; empty: no TLS of
// the agent's is opened. Error side kSelf: what is there cannot be read.
Result<Pairs> agent_variables(const net::Address& egress, const std::string& trust,
                              const Environment& own, bool java);

}  // namespace sidespan::app
