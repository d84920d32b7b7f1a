// A sidecar that runs for months renews its authority by itself: its successor is made and exported
// a month before the end, and signs from the last week on. One that another process rotated has
// signed for as long. What cannot sign, since the clock was set back, gives way at once. `proxy`
// looks once an hour.
#pragma once

#include <memory>
#include <string>

#include "app/authority_files.h"
#include "app/environment.h"
#include "app/settings.h"
#include "app/tls_setup.h"
#include "sidespan/base/clock.h"
#include "sidespan/base/error.h"

namespace sidespan::app {

enum class Renewal : uint8_t {
  kNothing,
  kExported,  // agents that start from now on trust a successor, too, or a former one no longer
  kSwitched,  // it signs
  kReplaced,  // another one signs, and agents that run were never told of it
};

class AuthorityRenewal {
 public:
  // `tls`: what is in use since the start. References outlive this.
  AuthorityRenewal(const Settings& settings, const Environment& own, const TlsSetup& tls);

  // Files are read each time, written where something changed. One of the operator's own is his to
  // renew.
  // Error side kSelf: they cannot be; look again later.
  Result<Renewal> look(WallTime now);

 private:
  const Settings& settings_;
  const Environment& own_;
  std::shared_ptr<tls::Authority> signing_;  // null: there is none, or it is not ours
  std::string exported_;
};

}  // namespace sidespan::app
