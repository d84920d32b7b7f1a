// Where the interception authority lives: its certificate and key in the state directory, made on
// first use under a lock, renewed before it ends; or files of the operator's own. One for each list
// of hosts that it is limited to (authority_scope.h).
#pragma once

#include <memory>
#include <string>

#include "app/environment.h"
#include "app/settings.h"
#include "sidespan/base/clock.h"
#include "sidespan/base/error.h"
#include "sidespan/tls/authority.h"

namespace sidespan::app {

// An authority that ends sooner than this has a successor, which agents are told to trust already.
inline constexpr std::chrono::hours kAuthorityOverlap{24 * 30};

// The last leaf of an authority ends with it, and leaves live for a week: when its successor signs.
inline constexpr std::chrono::hours kLastLeaves{24 * 8};

struct OpenAuthority {
  std::shared_ptr<tls::Authority> current;  // signs
  // What agents are to trust, PEM: that, what signed before, and what will sign next.
  std::string certificates_pem;
  bool made = false;  // just now; agents that run already do not know it
};

// Error side kSelf throughout. A key that others may read is an error.
// kSystem: the state directory cannot be written to.
Result<OpenAuthority> open_authority(const Settings& settings, const Environment& own,
                                     WallTime now);
// A successor signs from now on; agents are to trust both.
// One of the operator's own is not ours to replace: kInvalid.
Result<OpenAuthority> rotate_authority(const Settings& settings, const Environment& own,
                                       WallTime now);

}  // namespace sidespan::app
