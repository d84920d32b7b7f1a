// What `tls` in the configuration comes to at start: whom we trust, and who signs for the agents
// that are to trust us. Who uses it: `run` and `proxy`, before threads.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "app/environment.h"
#include "app/settings.h"
#include "sidespan/tls/authority.h"
#include "sidespan/tls/context.h"

namespace sidespan::app {

// A warning where HTTPS is to be opened and neither this system nor a variable names a file of
// roots: origins do not verify, and no program can be told to trust us instead of what it has built
// in.
inline constexpr std::string_view kNoRoots =
    "this system has no file of root certificates, without which most https calls fail: install "
    "its package ca-certificates, or let SSL_CERT_FILE name such a file";

struct TlsSetup {
  std::shared_ptr<const tls::Trust> trust;                  // towards origins
  std::shared_ptr<tls::Authority> authority;                // null: nothing is intercepted
  bool authority_made = false;                              // just now
  std::string certificates_pem;                             // what agents are to trust of ours
  std::string trust_directory;                              // where they find it; empty: nowhere
  Pairs trust_variables;                                    // that make a command trust it
  std::string unopened;                                     // why there is no authority, where
                                                            // there was to be one
  std::vector<tls::ClientCertificate> client_certificates;  // in the order of the settings
  std::vector<std::string> warnings;                        // one sentence each
};

// With the authority, and what agents are to trust written where they find it; `trust_variables`
// stays empty. Error side kSelf: certificates or a key that were named and cannot be used, a key
// that others may read. What the system refuses of the rest (a disk that is full or may only be
// read) is a warning, and no interception: no agent is kept from its work by that.
Result<TlsSetup> set_up_tls(const Settings& settings, const Environment& own, WallTime now);

// The same for a command that is started with variables of ours, `own` being its environment.
Result<TlsSetup> set_up_command_tls(const Settings& settings, const Environment& own, WallTime now);

// The same without an authority: nothing is made or written.
Result<TlsSetup> set_up_origin_tls(const Settings& settings, const Environment& own);

// For one thread's connections to origins. Ends the program where OpenSSL has no memory for one.
std::unique_ptr<tls::ClientContext> client_context(const Settings& settings, const TlsSetup& setup);

// No core dump of this process from now on, and of those it starts later: it holds the authority's
// key.
void forbid_core_dumps();

}  // namespace sidespan::app
