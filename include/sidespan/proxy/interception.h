// Which TLS connections of agents are opened: `tls.intercept` and `tls.authority`. A tunnel that is
// not opened passes as it is, and its span says why.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "sidespan/base/clock.h"
#include "sidespan/proxy/destination.h"
#include "sidespan/tls/authority.h"

namespace sidespan::proxy {

struct Interception {
  enum class Mode : uint8_t { kOff, kListed, kAll };
  enum class Mismatch : uint8_t { kPassthrough, kRefuse };

  Mode mode = Mode::kOff;
  std::vector<HostPattern> hosts;                   // for kListed
  std::vector<HostPattern> bypass;                  // never opened, whatever else is said
  Mismatch mismatch = Mismatch::kPassthrough;       // SNI names another host than CONNECT
  std::shared_ptr<const tls::Authority> authority;  // null: nothing can be opened
  size_t leaves_max = 1000;                         // certificates that are kept
  size_t pinned_max = 1024;                         // hosts whose agents refuse our certificate
  Milliseconds pinned_time{std::chrono::hours(1)};  // and how long they pass
  Milliseconds handshake_time_max{10'000};          // with the agent
};

}  // namespace sidespan::proxy
