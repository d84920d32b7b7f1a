// `sidespan doctor` on the environment a client would be started in: does it lead to the sidecar,
// what does it lead past it, and do its files of roots hold our certificate. Pure: facts in,
// findings out.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "app/environment.h"
#include "app/finding.h"
#include "sidespan/base/clock.h"
#include "sidespan/net/address.h"
#include "sidespan/proxy/destination.h"

namespace sidespan::app {

// `egress`: where the sidecar listens, as it is reached.
Findings judge_proxy_variables(const Environment& own, const std::vector<net::Address>& egress);

// `routed`: hosts that the configuration's routes lead to.
Findings judge_no_proxy(const Environment& own, const std::vector<std::string>& routed);

// A file that a variable names.
struct NamedRoots {
  std::string variable = {};
  std::string path = {};
  bool adds = false;       // to what the program trusts; else it replaces that
  std::string fault = {};  // why it cannot be read; empty: it can
  bool has_ours = false;   // the certificate that signs
  size_t count = 0;        // of certificates in it
};

struct TrustFacts {
  std::string directory;  // where our certificates were exported to
  std::string fault;      // why ca.pem there cannot be used; empty: it can
  WallTime not_after;     // of the one that signs
  WallTime now;
  size_t own_count = 0;  // of certificates in ca.pem
  bool bundle_current = false;
  std::vector<NamedRoots> named;   // variables that are set
  std::vector<std::string> unset;  // the other ones
};
Findings judge_trust(const TrustFacts& facts);

}  // namespace sidespan::app
