// Why the certificate of an origin was refused, as an Error: OpenSSL's verdict in the house's codes
// and one plain sentence that says what is wrong with it. What the peer wrote comes into it bounded
// and with nothing that a terminal or a header would obey.
#pragma once

#include <openssl/ssl.h>

#include <string>
#include <string_view>

#include "sidespan/base/error.h"

namespace sidespan::tls {

// Of a client's handshake whose verification failed. `host`: whom the certificate had to name;
// `where`: the same as people are told, with the port.
Error verification_error(SSL* ssl, std::string_view host, const std::string& where);

// Parts of what that says.
// "a.example, b.example and 12 more"; empty: the certificate names no host.
std::string names_of(const X509* certificate);
// "2026-11-27".
std::string day_of(const ASN1_TIME* time);

}  // namespace sidespan::tls
