// Where the interception authority lives: its certificate and key in the state directory, made on
// first use under a lock, renewed before it ends; or files of the operator's own. And where agents
// find what they must trust: certificates alone, in a directory that holds no key.
#pragma once

#include <memory>
#include <string>

#include "sidespan/base/clock.h"
#include "sidespan/base/error.h"
#include "sidespan/tls/authority.h"

namespace sidespan::app {

// An authority that ends sooner than this has a successor, which agents are told to trust already.
inline constexpr std::chrono::hours kAuthorityOverlap{24 * 30};

struct OpenAuthority {
  std::shared_ptr<const tls::Authority> current;  // signs
  // What agents are to trust, PEM: that, what signed before, and what will sign next.
  std::string certificates_pem;
};

// Error side kSelf throughout. A key that others may read is an error.
Result<OpenAuthority> open_authority(const std::string& state_dir, WallTime now);
Result<OpenAuthority> load_authority(const std::string& certificate_file,
                                     const std::string& key_file, WallTime now);
// A successor signs from now on; agents are to trust both.
Result<OpenAuthority> rotate_authority(const std::string& state_dir, WallTime now);

// The names under which they are exported.
inline constexpr const char* kCertificateName = "ca.pem";
inline constexpr const char* kBundleName = "bundle.pem";  // with the system's own roots

}  // namespace sidespan::app
