// Any bytes as the certificate of an origin that was refused, DER or PEM, or as the names in one
// and the day on which it ends: what is told of these is short, printable, and as OpenSSL and our
// own reader of such have it.
#include <openssl/err.h>
#include <openssl/pem.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>

#include "sidespan/base/text.h"
#include "tls/certificate.h"
#include "tls/verification.h"

using namespace sidespan;
using namespace sidespan::tls;

namespace {

constexpr size_t kShown = 4;
constexpr size_t kNameBytesMax = 64;

CertificatePtr certificate_of(std::string_view bytes) {
  const auto* at = reinterpret_cast<const unsigned char*>(bytes.data());
  CertificatePtr found(d2i_X509(nullptr, &at, static_cast<long>(bytes.size())));
  if (!found) {
    const BioPtr memory(BIO_new_mem_buf(bytes.data(), static_cast<int>(bytes.size())));
    found.reset(PEM_read_bio_X509(memory.get(), nullptr, nullptr, nullptr));
  }
  ERR_clear_error();
  return found;
}

// As they may stand in one that is well-formed elsewhere.
CertificatePtr certificate_with(std::string_view bytes) {
  using StringPtr = std::unique_ptr<ASN1_STRING, Release<ASN1_STRING_free>>;
  const bool utc = bytes.size() % 2 != 0;
  const StringPtr names(ASN1_STRING_type_new(V_ASN1_OCTET_STRING));
  const StringPtr time(ASN1_STRING_type_new(utc ? V_ASN1_UTCTIME : V_ASN1_GENERALIZEDTIME));
  const auto size = static_cast<int>(bytes.size());
  CertificatePtr made(X509_new());
  if (ASN1_STRING_set(names.get(), bytes.data(), size) != 1) std::abort();
  if (ASN1_STRING_set(time.get(), bytes.data(), size) != 1) std::abort();
  const ExtensionPtr extension(
      X509_EXTENSION_create_by_NID(nullptr, NID_subject_alt_name, 0, names.get()));
  if (!add_extension(made.get(), extension)) std::abort();
  if (X509_set1_notAfter(made.get(), time.get()) != 1) std::abort();
  return made;
}

// Takes "N more" off the end of `names`.
uint64_t take_count(std::string_view& names) {
  const size_t at = names.rfind(" and ");
  if (at == names.npos) return 0;
  std::string_view more = names.substr(at + 5);
  if (!more.ends_with(" more")) std::abort();
  more.remove_suffix(5);
  names = names.substr(0, at);
  return text::parse_unsigned(more).value();
}

// Whole and without a '?' that stands for something else, so that OpenSSL can be asked for it.
bool is_as_written(std::string_view name) {
  return name.size() < kNameBytesMax && !name.contains('?') && !name.contains('*') &&
         !name.starts_with('.');
}

void check_name(X509* certificate, const std::string& name) {
  if (name.empty() || name.size() > kNameBytesMax) std::abort();
  if (std::ranges::any_of(name, [](char c) { return c <= ' ' || c > '~'; })) std::abort();
  if (!is_as_written(name)) return;
  constexpr unsigned kAlternativeNamesAlone = X509_CHECK_FLAG_NEVER_CHECK_SUBJECT;
  const bool host =
      X509_check_host(certificate, name.data(), name.size(), kAlternativeNamesAlone, nullptr) == 1;
  const bool address = X509_check_ip_asc(certificate, name.c_str(), 0) == 1;
  ERR_clear_error();
  if (!host && !address) std::abort();
}

// Hosts and addresses that it names, as a plain walk over the extension has it.
size_t named_by(const X509* certificate) {
  using NamesPtr = std::unique_ptr<GENERAL_NAMES, Release<GENERAL_NAMES_free>>;
  const NamesPtr names(static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
  size_t count = 0;
  for (int i = 0; i < sk_GENERAL_NAME_num(names.get()); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(names.get(), i);
    int type = 0;
    const void* value = GENERAL_NAME_get0_value(name, &type);
    if (type != GEN_DNS && type != GEN_IPADD) continue;
    const int size = ASN1_STRING_length(static_cast<const ASN1_STRING*>(value));
    if (type == GEN_DNS ? size > 0 : size == 4 || size == 16) ++count;
  }
  return count;
}

void check_names(X509* certificate) {
  const std::string all = names_of(certificate);
  std::string_view names = all;
  const uint64_t more = take_count(names);
  size_t shown = 0;
  while (!names.empty()) {
    // No name has a blank.
    const size_t end = std::min(names.find(", "), names.size());
    check_name(certificate, std::string(names.substr(0, end)));
    names.remove_prefix(std::min(end + 2, names.size()));
    ++shown;
  }
  if (shown > kShown || (more > 0 && shown != kShown)) std::abort();
  if (shown + more != named_by(certificate)) std::abort();
}

// Only what Validity holds can be compared: years that fit into WallTime.
void check_day(const ASN1_TIME* time, WallTime read) {
  const std::string day = day_of(time);
  if (day == "an unknown day") return;
  int year = 0;
  unsigned month = 0;
  unsigned date = 0;
  char behind = 0;
  const int fields = std::sscanf(day.c_str(), "%d-%2u-%2u%c", &year, &month, &date, &behind);
  if (fields != 3 || day.size() > 10 || year < 0 || year > 9999) std::abort();
  const std::chrono::year_month_day told{std::chrono::year(year), std::chrono::month(month),
                                         std::chrono::day(date)};
  if (!told.ok()) std::abort();
  constexpr int kFirst = 1970;
  constexpr int kLast = 2261;
  if (year < kFirst || year > kLast) return;
  if (std::chrono::floor<std::chrono::days>(read) != std::chrono::sys_days(told)) std::abort();
}

void check(const CertificatePtr& certificate) {
  check_names(certificate.get());
  const Validity validity = validity_of(certificate.get());
  check_day(X509_get0_notBefore(certificate.get()), validity.not_before);
  check_day(X509_get0_notAfter(certificate.get()), validity.not_after);
  ERR_clear_error();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  if (const CertificatePtr certificate = certificate_of(bytes)) check(certificate);
  check(certificate_with(bytes));
  return 0;
}
