#include "certificate.h"

#include <openssl/pem.h>

#include <algorithm>
#include <array>
#include <ctime>

#include "sidespan/base/text.h"

namespace sidespan::tls {
namespace {

using std::chrono::duration_cast;
using std::chrono::floor;
using std::chrono::seconds;

using NumberPtr = std::unique_ptr<BIGNUM, Release<BN_free>>;
using GeneralNamePtr = std::unique_ptr<GENERAL_NAME, Release<GENERAL_NAME_free>>;
using SubtreePtr = std::unique_ptr<GENERAL_SUBTREE, Release<GENERAL_SUBTREE_free>>;
using Subtrees = STACK_OF(GENERAL_SUBTREE);

constexpr int kSerialBits = 127;  // the sign is another: 16 octets

bool set_random_serial(X509* certificate) {
  const NumberPtr number(BN_new());
  return number && BN_rand(number.get(), kSerialBits, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY) == 1 &&
         BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(certificate)) != nullptr;
}

bool set_time(ASN1_TIME* field, WallTime time) {
  return ASN1_TIME_set(field, floor<seconds>(time).time_since_epoch().count()) != nullptr;
}

WallTime time_of(const ASN1_TIME* field) {
  std::tm parts{};
  if (ASN1_TIME_to_tm(field, &parts) != 1) return {};
  constexpr int64_t kSecondsMax = duration_cast<seconds>(Nanoseconds::max()).count();
  return WallTime(seconds(std::clamp<int64_t>(timegm(&parts), 0, kSecondsMax)));
}

GeneralNamePtr general_name(int type, std::string_view octets) {
  GeneralNamePtr name(GENERAL_NAME_new());
  ASN1_STRING* value =
      ASN1_STRING_type_new(type == GEN_DNS ? V_ASN1_IA5STRING : V_ASN1_OCTET_STRING);
  if (!name || value == nullptr ||
      ASN1_STRING_set(value, octets.data(), static_cast<int>(octets.size())) != 1) {
    ASN1_STRING_free(value);
    return nullptr;
  }
  GENERAL_NAME_set0_value(name.get(), type, value);
  return name;
}

bool add_subtree(Subtrees*& subtrees, int type, std::string_view octets) {
  if (subtrees == nullptr) subtrees = sk_GENERAL_SUBTREE_new_null();
  SubtreePtr subtree(GENERAL_SUBTREE_new());
  GeneralNamePtr base = general_name(type, octets);
  if (subtrees == nullptr || !subtree || !base) return false;
  GENERAL_NAME_free(subtree->base);
  subtree->base = base.release();
  return sk_GENERAL_SUBTREE_push(subtrees, subtree.get()) != 0 && subtree.release() != nullptr;
}

std::string_view octets_of(const ASN1_STRING* text) {
  return {reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)),
          static_cast<size_t>(ASN1_STRING_length(text))};
}

// RFC 5280 section 4.2.1.10: any name that is `base` with labels to its left.
bool is_below(std::string_view name, std::string_view base) {
  if (base.empty()) return true;
  if (name.size() < base.size()) return false;
  const size_t start = name.size() - base.size();
  return text::same_text(name.substr(start), base) &&
         (start == 0 || base.front() == '.' || name[start - 1] == '.');
}

// `range` is an address and its mask.
bool is_within(std::string_view address, std::string_view range) {
  if (range.size() != 2 * address.size()) return false;
  for (size_t i = 0; i < address.size(); ++i) {
    if (((address[i] ^ range[i]) & range[address.size() + i]) != 0) return false;
  }
  return true;
}

bool covers(const GENERAL_NAME& base, const HostName& name) {
  if (base.type == GEN_DNS) return is_below(name.text, octets_of(base.d.dNSName));
  return is_within(name.octets, octets_of(base.d.iPAddress));
}

struct Match {
  bool any_of_type = false;
  bool covered = false;
};

Match match(const Subtrees* subtrees, const HostName& name) {
  Match match;
  const int type = name.octets.empty() ? GEN_DNS : GEN_IPADD;
  for (int i = 0; i < sk_GENERAL_SUBTREE_num(subtrees); ++i) {
    const GENERAL_NAME& base = *sk_GENERAL_SUBTREE_value(subtrees, i)->base;
    if (base.type != type) continue;
    match.any_of_type = true;
    match.covered = match.covered || covers(base, name);
  }
  return match;
}

bool any_has_minimum_or_maximum(const Subtrees* subtrees) {
  for (int i = 0; i < sk_GENERAL_SUBTREE_num(subtrees); ++i) {
    const GENERAL_SUBTREE& subtree = *sk_GENERAL_SUBTREE_value(subtrees, i);
    const bool least = subtree.minimum != nullptr && ASN1_INTEGER_get(subtree.minimum) != 0;
    if (least || subtree.maximum != nullptr) return true;
  }
  return false;
}

bool has_type(const Subtrees* subtrees, int type) {
  for (int i = 0; i < sk_GENERAL_SUBTREE_num(subtrees); ++i) {
    if (sk_GENERAL_SUBTREE_value(subtrees, i)->base->type == type) return true;
  }
  return false;
}

}  // namespace

CertificatePtr new_certificate(EVP_PKEY* key, const Validity& validity) {
  CertificatePtr certificate(X509_new());
  const bool made = certificate && X509_set_version(certificate.get(), X509_VERSION_3) == 1 &&
                    set_random_serial(certificate.get()) &&
                    set_time(X509_getm_notBefore(certificate.get()), validity.not_before) &&
                    set_time(X509_getm_notAfter(certificate.get()), validity.not_after) &&
                    X509_set_pubkey(certificate.get(), key) == 1;
  return made ? std::move(certificate) : nullptr;
}

Validity validity_of(const X509* certificate) {
  return {time_of(X509_get0_notBefore(certificate)), time_of(X509_get0_notAfter(certificate))};
}

bool add_to_subject(X509* certificate, const char* field, std::string_view text) {
  const auto* bytes = reinterpret_cast<const unsigned char*>(text.data());
  return X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), field, MBSTRING_UTF8, bytes,
                                    static_cast<int>(text.size()), -1, 0) == 1;
}

ExtensionPtr extension(int nid, const char* text, X509* issuer, X509* subject) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, subject, nullptr, nullptr, 0);
  return ExtensionPtr(X509V3_EXT_nconf_nid(nullptr, &context, nid, text));
}

bool add_extension(X509* certificate, const ExtensionPtr& extension) {
  return extension && X509_add_ext(certificate, extension.get(), -1) == 1;
}

bool add_alternative_name(X509* certificate, const HostName& name, bool critical) {
  const std::unique_ptr<GENERAL_NAMES, Release<GENERAL_NAMES_free>> names(GENERAL_NAMES_new());
  GeneralNamePtr entry =
      name.octets.empty() ? general_name(GEN_DNS, name.text) : general_name(GEN_IPADD, name.octets);
  const bool pushed = names && entry && sk_GENERAL_NAME_push(names.get(), entry.get()) != 0 &&
                      entry.release() != nullptr;
  return pushed && X509_add1_ext_i2d(certificate, NID_subject_alt_name, names.get(),
                                     critical ? 1 : 0, X509V3_ADD_DEFAULT) == 1;
}

bool add_constraints(X509* certificate, std::span<const std::string> dns_names,
                     std::span<const std::string> ranges) {
  const ConstraintsPtr constraints(NAME_CONSTRAINTS_new());
  if (!constraints) return false;
  for (const std::string& name : dns_names) {
    if (!add_subtree(constraints->permittedSubtrees, GEN_DNS, name)) return false;
  }
  for (const std::string& range : ranges) {
    if (!add_subtree(constraints->permittedSubtrees, GEN_IPADD, range)) return false;
  }
  for (const size_t address_bytes : {sizeof(uint32_t), 4 * sizeof(uint32_t)}) {
    if (!ranges.empty()) break;  // what is not permitted is refused
    const std::string every(2 * address_bytes, '\0');
    if (!add_subtree(constraints->excludedSubtrees, GEN_IPADD, every)) return false;
  }
  return X509_add1_ext_i2d(certificate, NID_name_constraints, constraints.get(), 1,
                           X509V3_ADD_DEFAULT) == 1;
}

bool permits(const NAME_CONSTRAINTS& constraints, const HostName& name) {
  const Match permitted = match(constraints.permittedSubtrees, name);
  return (permitted.covered || !permitted.any_of_type) &&
         !match(constraints.excludedSubtrees, name).covered;
}

bool has_minimum_or_maximum(const NAME_CONSTRAINTS& constraints) {
  return any_has_minimum_or_maximum(constraints.permittedSubtrees) ||
         any_has_minimum_or_maximum(constraints.excludedSubtrees);
}

bool constrains(const NAME_CONSTRAINTS& constraints, int name_type) {
  return has_type(constraints.permittedSubtrees, name_type) ||
         has_type(constraints.excludedSubtrees, name_type);
}

std::string text_of(const BioPtr& memory) {
  const char* start = nullptr;
  const long size = BIO_get_mem_data(memory.get(), &start);
  return size <= 0 ? std::string() : std::string(start, static_cast<size_t>(size));
}

std::string pem_of(const X509* certificate) {
  const BioPtr memory(BIO_new(BIO_s_mem()));
  if (!memory || PEM_write_bio_X509(memory.get(), certificate) != 1) return {};
  return text_of(memory);
}

std::string fingerprint_of(const X509* certificate) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int size = 0;
  X509_digest(certificate, EVP_sha256(), digest.data(), &size);
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::string text;
  for (unsigned int i = 0; i < size; ++i) {
    if (i > 0) text += ':';
    text += kDigits[digest[i] >> 4U];
    text += kDigits[digest[i] & 15U];
  }
  return text;
}

std::string subject_of(const X509* certificate) {
  const BioPtr memory(BIO_new(BIO_s_mem()));
  if (!memory) return {};
  constexpr unsigned long kFlags =
      XN_FLAG_ONELINE & ~static_cast<unsigned long>(ASN1_STRFLGS_ESC_MSB);
  X509_NAME_print_ex(memory.get(), X509_get_subject_name(certificate), 0, kFlags);
  return text_of(memory);
}

}  // namespace sidespan::tls
