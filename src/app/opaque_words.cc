#include "app/opaque_words.h"

#include <algorithm>
#include <array>

namespace sidespan::app {
namespace {

constexpr std::array<OpaqueWords, 13> kRows = {{
    {"off", true, "tls.intercept.mode is off", "tls.intercept.mode opens them: all or listed."},
    {"bypass", true, "on tls.intercept.bypass", "tls.intercept.bypass names them."},
    {"not_listed", true, "not on tls.intercept.hosts", "tls.intercept.hosts does not name them."},
    {"pinned", false, "our certificate was refused before",
     "A client refused our certificate for these hosts. Let it trust ours (the table in the README "
     "says by which variable); where its roots are built in or it pins, put them on "
     "tls.intercept.bypass. They pass for an hour, or until the sidecar starts again."},
    {"client_certificate", false, "the origin wants a client certificate",
     "The origin wants a certificate of the client's: tls.client_certificates can hold it."},
    {"alpn", true, "offers neither HTTP/1.1 nor HTTP/2",
     "The client speaks neither HTTP/1.1 nor HTTP/2 there."},
    {"sni_mismatch", true, "TLS names another host",
     "The TLS hello names another host than CONNECT did."},
    {"encrypted_hello", true, "the true name is encrypted (ECH)", "ECH hides the true name."},
    {"no_authority", false, "no authority for this host",
     "There is no authority, or it may not name this host; the sidecar's log says which."},
    {"tls_version", true, "older than TLS 1.2", "The client speaks nothing newer than TLS 1.1."},
    {"no_ecdsa", true, "takes no ECDSA certificates",
     "The client takes certificates of RSA alone; those of sidespan are of ECDSA."},
    {"malformed_hello", false, "not plainly one TLS hello",
     "What came was not plainly one TLS hello."},
    {"not_tls", true, "neither TLS nor HTTP", "Something else than TLS or HTTP is spoken there."},
}};

}  // namespace

const OpaqueWords& words_for(std::string_view reason) {
  const auto* known = std::ranges::find(kRows, reason, &OpaqueWords::reason);
  return known == kRows.end() ? kRows.back() : *known;
}

}  // namespace sidespan::app
