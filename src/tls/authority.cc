#include "sidespan/tls/authority.h"

#include <openssl/err.h>
#include <openssl/pem.h>

#include <algorithm>
#include <utility>

#include "authority_pem.h"
#include "certificate.h"
#include "host_name.h"
#include "sidespan/base/text.h"

namespace sidespan::tls {
namespace {

using std::chrono::hours;

constexpr hours kAuthorityLifetimeMax{24 * 365};
constexpr hours kLeafLifetime{24 * 7};
constexpr size_t kCommonNameBytesMax = 64;  // RFC 5280 appendix A.1, ub-common-name
constexpr const char* kOrganization = "sidespan";

std::unexpected<Error> invalid(std::string what) {
  ERR_clear_error();
  return fail(Code::kInvalid, Side::kSelf, std::move(what));
}

std::unexpected<Error> broken(const std::string& what) {
  return fail(Code::kSystem, Side::kSelf, what + ": " + take_error());
}

KeyPtr make_key() {
  return KeyPtr(EVP_EC_gen("P-256"));
}

bool sign(X509* certificate, const X509* issuer, EVP_PKEY* key) {
  return X509_set_issuer_name(certificate, X509_get_subject_name(issuer)) == 1 &&
         X509_sign(certificate, key, EVP_sha256()) > 0;
}

struct Subtrees {
  std::vector<std::string> names;   // in lower case
  std::vector<std::string> ranges;  // of addresses
};

bool profile_authority(X509* certificate, const Subtrees& permitted) {
  return add_extension(certificate,
                       extension(NID_basic_constraints, "critical,CA:TRUE,pathlen:0")) &&
         add_extension(certificate, extension(NID_key_usage, "critical,keyCertSign,cRLSign")) &&
         add_extension(certificate,
                       extension(NID_subject_key_identifier, "hash", nullptr, certificate)) &&
         ((permitted.names.empty() && permitted.ranges.empty()) ||
          add_constraints(certificate, permitted.names, permitted.ranges));
}

// What is wrong with `options`; else what they permit.
Result<Subtrees> check_options(const Authority::Options& options) {
  const std::string& name = options.common_name;
  if (name.empty() || name.size() > kCommonNameBytesMax || !text::is_valid_utf8(name)) {
    return invalid("the authority's common name is not UTF-8 of 1 to 64 bytes");
  }
  if (options.lifetime <= hours(0) || options.lifetime > kAuthorityLifetimeMax) {
    return invalid("the authority's lifetime is not between an hour and a year");
  }
  Subtrees permitted;
  for (const std::string& text : options.permitted.names) {
    if (!is_scope_name(text)) {
      return invalid("what the authority is to permit is no DNS name: '" + text + "'");
    }
    permitted.names.push_back(text::lower(text));
  }
  for (const std::string& text : options.permitted.networks) {
    permitted.ranges.push_back(ip_range(text));
    if (!permitted.ranges.back().empty()) continue;
    return invalid("what the authority is to permit is no network: '" + text + "'");
  }
  return permitted;
}

}  // namespace

struct Authority::Impl {
  // All that follows from certificate and key.
  Result<void> prepare();
  Result<void> read_constraints();
  CertificatePtr leaf_for(const HostName& name, const Validity& leaf_validity) const;
  bool permits(const HostName& name) const;
  bool fits_common_name(const HostName& name) const;

  CertificatePtr certificate;
  KeyPtr key;
  SharedChain chain;
  ConstraintsPtr constraints;  // null: none
  Validity validity;
  std::string certificate_pem;

  std::shared_ptr<EVP_PKEY> leaf_key;
  std::vector<ExtensionPtr> leaf_extensions;  // the same in every leaf
};

Result<void> Authority::Impl::prepare() {
  if (Result<void> read = read_constraints(); !read) return read;
  X509* issuer = certificate.get();
  validity = validity_of(issuer);
  certificate_pem = pem_of(issuer);
  leaf_key = make_key();
  const CertificatePtr blank = leaf_key ? new_certificate(leaf_key.get(), validity) : nullptr;
  if (!blank) return broken("no key for leaves can be made");

  leaf_extensions.push_back(extension(NID_basic_constraints, "critical,CA:FALSE"));
  leaf_extensions.push_back(extension(NID_key_usage, "critical,digitalSignature"));
  leaf_extensions.push_back(extension(NID_ext_key_usage, "serverAuth"));
  leaf_extensions.push_back(extension(NID_subject_key_identifier, "hash", nullptr, blank.get()));
  if (X509_get0_subject_key_id(issuer) != nullptr) {
    leaf_extensions.push_back(extension(NID_authority_key_identifier, "keyid:always", issuer));
  }
  const bool made = std::ranges::all_of(leaf_extensions,
                                        [](const ExtensionPtr& each) { return each != nullptr; });
  if (!made) return broken("no extensions for leaves can be made");
  return {};
}

Result<void> Authority::Impl::read_constraints() {
  int found = 0;  // -1 where there are none
  constraints.reset(static_cast<NAME_CONSTRAINTS*>(
      X509_get_ext_d2i(certificate.get(), NID_name_constraints, &found, nullptr)));
  if (!constraints && found != -1)
    return invalid("the authority's name constraints cannot be read");
  if (constraints && has_minimum_or_maximum(*constraints)) {
    return invalid(
        "the authority's name constraints have a minimum or a maximum, which RFC 5280 rules out");
  }
  return {};
}

bool Authority::Impl::permits(const HostName& name) const {
  return !constraints || tls::permits(*constraints, name);
}

// A verifier holds the subject to constraints of directory names, and may take a common name for a
// DNS name where the alternative name is an address.
bool Authority::Impl::fits_common_name(const HostName& name) const {
  if (name.text.size() > kCommonNameBytesMax) return false;
  return !constraints || (name.octets.empty() && !constrains(*constraints, GEN_DIRNAME));
}

CertificatePtr Authority::Impl::leaf_for(const HostName& name,
                                         const Validity& leaf_validity) const {
  CertificatePtr leaf = new_certificate(leaf_key.get(), leaf_validity);
  const bool named = fits_common_name(name);
  bool made = leaf && (!named || add_to_subject(leaf.get(), "CN", name.text));
  // Without a subject it is all there is, and has to be critical (RFC 5280 section 4.2.1.6).
  made = made && add_alternative_name(leaf.get(), name, !named);
  for (const ExtensionPtr& each : leaf_extensions) made = made && add_extension(leaf.get(), each);
  return made && sign(leaf.get(), certificate.get(), key.get()) ? std::move(leaf) : nullptr;
}

Leaf::Leaf(std::shared_ptr<x509_st> certificate, std::shared_ptr<evp_pkey_st> key,
           std::shared_ptr<stack_st_X509> chain, WallTime not_before, WallTime not_after)
    : certificate_(std::move(certificate)),
      key_(std::move(key)),
      chain_(std::move(chain)),
      not_before_(not_before),
      not_after_(not_after) {}

std::string Leaf::certificate_pem() const {
  return pem_of(certificate_.get());
}

Authority::Authority(std::shared_ptr<const Impl> impl) : impl_(std::move(impl)) {}

Authority::~Authority() = default;

std::shared_ptr<const Authority::Impl> Authority::current() const {
  const std::scoped_lock lock(mutex_);
  return impl_;
}

void Authority::succeed(const Authority& next) {
  std::shared_ptr<const Impl> impl = next.current();
  const std::scoped_lock lock(mutex_);
  impl_.swap(impl);
}

bool is_scope_name(std::string_view text) {
  const std::optional<HostName> host = parse_host_name(text);
  return host && host->octets.empty();
}

Result<std::unique_ptr<Authority>> Authority::make(const Options& options, WallTime now) {
  const Result<Subtrees> permitted = check_options(options);
  if (!permitted) return std::unexpected(permitted.error());
  auto impl = std::make_unique<Impl>();
  impl->key = make_key();
  if (!impl->key) return broken("no key for the authority can be made");
  const Validity validity{now - kBackdated, now + options.lifetime};
  impl->certificate = new_certificate(impl->key.get(), validity);
  X509* certificate = impl->certificate.get();
  if (certificate == nullptr || !add_to_subject(certificate, "O", kOrganization) ||
      !add_to_subject(certificate, "CN", options.common_name) ||
      !profile_authority(certificate, *permitted) ||
      !sign(certificate, certificate, impl->key.get())) {
    return broken("no certificate for the authority can be made");
  }
  if (Result<void> prepared = impl->prepare(); !prepared) return std::unexpected(prepared.error());
  return std::unique_ptr<Authority>(new Authority(std::move(impl)));
}

Result<std::unique_ptr<Authority>> Authority::load(std::string_view certificate_pem,
                                                   std::string_view key_pem, WallTime now) {
  Result<AuthorityPem> read = read_authority(certificate_pem, key_pem, now);
  if (!read) return std::unexpected(std::move(read).error());
  auto impl = std::make_unique<Impl>();
  impl->certificate = std::move(read->certificate);
  impl->key = std::move(read->key);
  impl->chain = std::move(read->chain);
  if (Result<void> prepared = impl->prepare(); !prepared) return std::unexpected(prepared.error());
  return std::unique_ptr<Authority>(new Authority(std::move(impl)));
}

std::string Authority::certificate_pem() const {
  return current()->certificate_pem;
}

std::string Authority::key_pem() const {
  // Such memory is cleansed when it is given back.
  const BioPtr memory(BIO_new(BIO_s_secmem()));
  if (!memory || PEM_write_bio_PrivateKey(memory.get(), current()->key.get(), nullptr, nullptr, 0,
                                          nullptr, nullptr) != 1) {
    ERR_clear_error();
    return {};
  }
  return text_of(memory);
}

WallTime Authority::not_before() const {
  return current()->validity.not_before;
}

WallTime Authority::not_after() const {
  return current()->validity.not_after;
}

std::string Authority::fingerprint() const {
  return fingerprint_of(current()->certificate.get());
}

std::string Authority::subject() const {
  return subject_of(current()->certificate.get());
}

bool Authority::permits(std::string_view host) const {
  const std::optional<HostName> name = parse_host_name(host);
  return name && current()->permits(*name);
}

Result<Leaf> Authority::mint(std::string_view host, WallTime now) const {
  const std::optional<HostName> name = parse_host_name(host);
  if (!name) return invalid("the host is neither a DNS name nor an IP address");
  const std::shared_ptr<const Impl> impl = current();
  if (!impl->permits(*name)) {
    return fail(Code::kDenied, Side::kSelf, "the authority's name constraints forbid this host");
  }
  const Validity& own = impl->validity;
  if (now < own.not_before || now > own.not_after) {
    return invalid("the authority's certificate is not valid at this time");
  }
  const Validity validity{std::max(now - kBackdated, own.not_before),
                          std::min(now + kLeafLifetime, own.not_after)};
  CertificatePtr leaf = impl->leaf_for(*name, validity);
  if (!leaf) return broken("no certificate can be minted");
  const Validity written = validity_of(leaf.get());  // to the second
  return Leaf(std::move(leaf), impl->leaf_key, impl->chain, written.not_before, written.not_after);
}

}  // namespace sidespan::tls
