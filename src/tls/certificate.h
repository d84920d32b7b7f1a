// The parts certificates are built of, for authority. Nothing here knows a policy: what a leaf or
// an authority holds is decided there. Where OpenSSL refuses, the answer is null or false, and its
// error queue says why.
#pragma once

#include <openssl/x509v3.h>

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "host_name.h"
#include "openssl.h"
#include "sidespan/base/clock.h"

namespace sidespan::tls {

using ExtensionPtr = std::unique_ptr<X509_EXTENSION, Release<X509_EXTENSION_free>>;
using ConstraintsPtr = std::unique_ptr<NAME_CONSTRAINTS, Release<NAME_CONSTRAINTS_free>>;

struct Validity {
  WallTime not_before;
  WallTime not_after;
};

// Version 3, a random serial of 16 octets, `key` as its subject's.
CertificatePtr new_certificate(EVP_PKEY* key, const Validity& validity);
// Seconds before 1970 or beyond what WallTime holds become its nearest.
Validity validity_of(const X509* certificate);

// UTF-8; `field` as OpenSSL names it.
bool add_to_subject(X509* certificate, const char* field, std::string_view text);

// An extension from OpenSSL's text for it, "critical," first where it is so. `issuer` and `subject`
// are read by the key identifiers alone.
ExtensionPtr extension(int nid, const char* text, X509* issuer = nullptr, X509* subject = nullptr);
bool add_extension(X509* certificate, const ExtensionPtr& extension);
bool add_alternative_name(X509* certificate, const HostName& name, bool critical);
// Permits these names and what is below them, and these ranges (an address and its mask). Names
// alone exclude every IP address. Critical.
bool add_constraints(X509* certificate, std::span<const std::string> dns_names,
                     std::span<const std::string> ranges);

bool permits(const NAME_CONSTRAINTS& constraints, const HostName& name);
bool constrains(const NAME_CONSTRAINTS& constraints, int name_type);
// In any subtree: verifiers refuse that (RFC 5280 section 4.2.1.10).
bool has_minimum_or_maximum(const NAME_CONSTRAINTS& constraints);

std::string text_of(const BioPtr& memory);
std::string pem_of(const X509* certificate);
std::string fingerprint_of(const X509* certificate);
std::string subject_of(const X509* certificate);

}  // namespace sidespan::tls
