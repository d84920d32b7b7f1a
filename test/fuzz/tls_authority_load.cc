// One text as certificate and key. Whatever is accepted mints what it permits, within its own time,
// and is accepted again from what it writes. What is no PEM stands for the name constraints of an
// authority that is well-formed elsewhere, and by lines for what a new one is to be: its name, and
// whom it permits. Whom they permit is as OpenSSL has it, for every leaf that they mint.
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sidespan/base/text.h"
#include "sidespan/tls/authority.h"
#include "tls/certificate.h"

using namespace sidespan;
using namespace sidespan::tls;

namespace {

constexpr WallTime kNow(std::chrono::sys_days(std::chrono::year(2030) / 1 / 1));
constexpr std::chrono::hours kDay{24};

void check(const Authority& made) {
  for (const std::string_view host : {"a.example", "b.test", "192.0.2.1", "2001:db8::1"}) {
    const auto leaf = made.mint(host, kNow);
    if (leaf.has_value() != made.permits(host)) std::abort();
    if (leaf && (leaf->not_after() > made.not_after() || leaf->not_after() < kNow)) std::abort();
  }
  const auto again = Authority::load(made.certificate_pem(), made.key_pem(), kNow);
  if (!again || (*again)->fingerprint() != made.fingerprint()) std::abort();
  if ((*again)->subject() != made.subject()) std::abort();
  // It is written to logs and terminals.
  const auto is_control = [](char c) { return static_cast<unsigned char>(c) < ' ' || c == 0x7f; };
  if (std::ranges::any_of(made.subject(), is_control)) std::abort();
}

void check_loaded(std::string_view pem) {
  const auto authority = Authority::load(pem, pem, kNow);
  if (authority) return check(**authority);
  if (authority.error().what.empty()) std::abort();
}

ConstraintsPtr constraints_of(const Authority& authority) {
  const std::string pem = authority.certificate_pem();
  const BioPtr memory(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  const CertificatePtr certificate = next_certificate(memory);
  return ConstraintsPtr(static_cast<NAME_CONSTRAINTS*>(
      X509_get_ext_d2i(certificate.get(), NID_name_constraints, nullptr, nullptr)));
}

// Leaves that nobody constrains.
const Authority& anybody() {
  static const std::unique_ptr<Authority> kAuthority = *Authority::make({}, kNow);
  return *kAuthority;
}

int verdict_on(const Leaf& leaf, NAME_CONSTRAINTS* constraints) {
  if (constraints == nullptr) return X509_V_OK;
  // Read back, since OpenSSL looks into extensions of what was read alone.
  const CertificatePtr read(X509_dup(leaf.certificate()));
  if (X509_check_purpose(read.get(), -1, 0) != 1) std::abort();
  return NAME_CONSTRAINTS_check(read.get(), constraints);
}

bool violates(const Leaf& leaf, NAME_CONSTRAINTS* constraints) {
  const int verdict = verdict_on(leaf, constraints);
  return verdict == X509_V_ERR_PERMITTED_VIOLATION || verdict == X509_V_ERR_EXCLUDED_VIOLATION ||
         verdict == X509_V_ERR_SUBTREE_MINMAX;
}

void check_host(const Authority& authority, NAME_CONSTRAINTS* constraints, std::string_view host) {
  const auto leaf = authority.mint(host, kNow);
  if (leaf.has_value() != authority.permits(host)) std::abort();
  if (leaf && violates(*leaf, constraints)) std::abort();
  // No more is refused than has to be.
  if (leaf) return;
  if (verdict_on(*anybody().mint(host, kNow), constraints) == X509_V_OK) std::abort();
  ERR_clear_error();
}

// A key of nobody, and the text that says it.
struct Key {
  Key() : key(EVP_EC_gen("P-256")) {
    const BioPtr memory(BIO_new(BIO_s_mem()));
    if (PEM_write_bio_PrivateKey(memory.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr) !=
        1) {
      std::abort();
    }
    pem = text_of(memory);
  }
  KeyPtr key;
  std::string pem;
};

void check_constraints(std::string_view bytes) {
  static const Key kKey;
  using StringPtr = std::unique_ptr<ASN1_STRING, Release<ASN1_STRING_free>>;
  const StringPtr value(ASN1_STRING_type_new(V_ASN1_OCTET_STRING));
  if (ASN1_STRING_set(value.get(), bytes.data(), static_cast<int>(bytes.size())) != 1) std::abort();
  const CertificatePtr made = new_certificate(kKey.key.get(), {kNow - kDay, kNow + 100 * kDay});
  X509* const certificate = made.get();
  const bool whole =
      add_to_subject(certificate, "CN", "test") &&
      add_extension(certificate, extension(NID_basic_constraints, "critical,CA:TRUE")) &&
      add_extension(certificate, extension(NID_key_usage, "critical,keyCertSign")) &&
      add_extension(certificate, ExtensionPtr(X509_EXTENSION_create_by_NID(
                                     nullptr, NID_name_constraints, 1, value.get()))) &&
      X509_set_issuer_name(certificate, X509_get_subject_name(certificate)) == 1 &&
      X509_sign(certificate, kKey.key.get(), EVP_sha256()) > 0;
  if (!whole) std::abort();
  const auto authority = Authority::load(pem_of(certificate), kKey.pem, kNow);
  if (!authority) return;
  check(**authority);
  const ConstraintsPtr constraints = constraints_of(**authority);
  if (!constraints) std::abort();
  for (const char* host : {"a.example", "b.a.example", "A.example", "aa.example", "b.test",
                           "10.1.2.3", "192.0.2.1", "2001:db8::1"}) {
    check_host(**authority, constraints.get(), host);
  }
}

// A name on the first line, on the others whom it permits, names and networks.
void check_made(std::string_view text) {
  std::optional<std::string_view> rest = text;
  Authority::Options options;
  options.common_name = text::split_first(rest, '\n');
  options.lifetime = 10 * std::chrono::hours(text.size());
  while (rest) {
    const std::string line(text::split_first(rest, '\n'));
    const bool is_network = line.contains('/') || !ip_octets(line).empty();
    (is_network ? options.permitted.networks : options.permitted.names).push_back(line);
  }
  const auto made = Authority::make(options, kNow);
  if (!made) {
    if (made.error().code != Code::kInvalid || made.error().what.empty()) std::abort();
    return;
  }
  const Authority& authority = **made;
  check(authority);
  if (authority.not_after() != kNow + options.lifetime) std::abort();
  const auto& [names, networks] = options.permitted;
  const ConstraintsPtr constraints = constraints_of(authority);
  if ((constraints != nullptr) != options.permitted.limited()) std::abort();
  for (const std::string& name : names) {
    check_host(authority, constraints.get(), name);
    if (!authority.permits(name)) std::abort();
    constexpr size_t kNameCharactersMax = 253;
    const std::string below = "a." + name;
    if (below.size() <= kNameCharactersMax && !authority.permits(below)) std::abort();
  }
  for (const std::string& network : networks) {
    const std::string address = network.substr(0, network.find('/'));
    check_host(authority, constraints.get(), address);
    if (!authority.permits(address)) std::abort();
  }
  if (networks.empty() && authority.permits("192.0.2.1") == options.permitted.limited()) {
    std::abort();
  }
  if (names.empty() && !authority.permits("any.example")) std::abort();
  const auto successor = Authority::load(anybody().certificate_pem(), anybody().key_pem(), kNow);
  (*successor)->succeed(authority);
  if ((*successor)->fingerprint() != authority.fingerprint()) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  check_loaded(input);
  if (input.contains("-----BEGIN")) return 0;
  check_constraints(input);
  check_made(input);
  return 0;
}
