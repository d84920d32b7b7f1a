// The addresses of this machine, as far as this process's network namespace shows them. For the
// guard that refuses to proxy to the sidecar itself: a target on one of them, at one of our ports,
// is us. Addresses come and go, so ask again from time to time; a call takes some microseconds.
#pragma once

#include <vector>

#include "sidespan/net/address.h"

namespace sidespan::net {

// Of all interfaces that are up, port 0, each once; empty when the system does not tell.
std::vector<Address> local_addresses();

}  // namespace sidespan::net
