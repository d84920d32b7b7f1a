// An authority read from PEM, and what must be true of it before it signs anything.
#pragma once

#include <memory>
#include <string_view>

#include "openssl.h"
#include "sidespan/base/clock.h"
#include "sidespan/base/error.h"

namespace sidespan::tls {

using SharedChain = std::shared_ptr<STACK_OF(X509)>;

struct AuthorityPem {
  CertificatePtr certificate;
  KeyPtr key;
  // `certificate` and what follows it, without the root; null where it is a root itself.
  SharedChain chain;
};

// Error kInvalid says what is wrong with which; kCertificateExpired, kCertificateNotYetValid: all
// else is well.
Result<AuthorityPem> read_authority(std::string_view certificate_pem, std::string_view key_pem,
                                    WallTime now);

}  // namespace sidespan::tls
