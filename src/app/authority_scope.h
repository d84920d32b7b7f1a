// For whom our own authority may sign: what `tls.intercept.hosts` lists, as the name constraints of
// its certificate. Each list has an authority of its own, which is why none is ever too narrow or
// too wide for the configuration. Pure.
#pragma once

#include <string>
#include <vector>

#include "app/settings.h"
#include "sidespan/tls/authority.h"

namespace sidespan::app {

// Without limits where the mode is not `listed`, where the list has an entry that constraints
// cannot express (`*`, `@local`, a `*` that is not the first label), or the authority is the
// operator's. A network may hold any name's address, so that beside one only addresses are limited.
tls::Scope authority_scope(const TlsSettings& settings);

// The directory, below those of authorities and of what agents trust, for the authority of that
// scope: "" without limits, else a name that is the same for the same list in any order.
std::string directory_of(const tls::Scope& scope);

// "any host", or what is permitted.
std::string text_of(const tls::Scope& scope);

}  // namespace sidespan::app
