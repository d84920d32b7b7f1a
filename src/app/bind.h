// Opens one listener of the configuration: `localhost` and an empty host stand for two addresses
// that share a port, of which a machine may lack one family. Used by Worker (egress) and Telemetry
// (admin, health), which bring their own way to bind.
#pragma once

#include <functional>
#include <vector>

#include "app/settings.h"
#include "sidespan/base/error.h"
#include "sidespan/net/address.h"

namespace sidespan::app {

// How often a port that is free in one family and taken in the other is given back.
inline constexpr int kPortAttempts = 16;

struct Binding {
  std::function<Result<net::Address>(const net::Address&)> bind;  // returns the bound address
  std::function<void()> undo;                                     // forgets all that was bound
  std::function<bool(const net::Address&)> has_family = {};       // this machine, when empty
};

// All addresses that this machine can have, bound to the same port; at least one. After an error
// nothing is bound; side: kSelf.
Result<std::vector<net::Address>> bind_all(const ListenAddress& listen, const Binding& binding);

}  // namespace sidespan::app
