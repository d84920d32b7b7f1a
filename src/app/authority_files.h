// Where the interception authority lives: its certificate and key in the state directory, made on
// first use under a lock, renewed before it ends, replaced where by this clock it is not valid yet;
// or files of the operator's own. One for each list of hosts that it is limited to
// (authority_scope.h).
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "app/environment.h"
#include "app/settings.h"
#include "sidespan/base/clock.h"
#include "sidespan/base/error.h"
#include "sidespan/tls/authority.h"

namespace sidespan::app {

// How long agents are told to trust two: from then on before its end an authority has a successor,
// and that long one stays trusted that was replaced before its time.
inline constexpr std::chrono::hours kAuthorityOverlap{24 * 30};

// The last leaf of an authority ends with it, and leaves live for a week: when its successor signs,
// before agents are no longer told to trust it.
inline constexpr std::chrono::hours kLastLeaves{24 * 8};

// Who replaces one after another; the oldest goes first.
inline constexpr size_t kFormerAuthoritiesMax = 8;

// One that signed before.
struct FormerAuthority {
  std::string certificate_pem;
  WallTime trusted_until;  // its own end, or before
};

struct OpenAuthority {
  // How long agents are told to trust this one, that of which a sidecar still signs with. Nothing:
  // it is none of these.
  std::optional<WallTime> trusted_until(const tls::Authority& authority) const;

  std::shared_ptr<tls::Authority> current;  // signs
  // What agents are to trust, PEM: that, what will sign next, and what signed before, until its
  // time.
  std::string certificates_pem;
  std::vector<FormerAuthority> former = {};  // the last first, also those whose time is over
  bool made = false;                         // just now; agents that run already do not know it
};

// Error side kSelf throughout. A key that others may read is an error (kInvalid), and so is
// whatever is wrong with one of the operator's own. kSystem: the system refuses to read or write
// what is in the state directory.
Result<OpenAuthority> open_authority(const Settings& settings, const Environment& own,
                                     WallTime now);
// A successor signs from now on; for a time agents are to trust both.
// One of the operator's own is not ours to replace: kInvalid.
Result<OpenAuthority> rotate_authority(const Settings& settings, const Environment& own,
                                       WallTime now);

}  // namespace sidespan::app
