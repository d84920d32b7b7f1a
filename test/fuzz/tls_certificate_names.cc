// Any bytes as the certificate of an origin that was refused, DER or PEM, or as the names in one
// and the day on which it ends: what is told of these is short, printable, and as OpenSSL and our
// own reader of such have it, and so is the sentence that says why a handshake failed in which an
// origin showed them. As text it is a host, or it is none: what is read of it reads the same again.
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>

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
#include "tls/host_name.h"
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
  if (X509_set1_notBefore(made.get(), time.get()) != 1) std::abort();
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

// An origin and who asks it, made once; whom it shows is signed by a root that is trusted.
struct World {
  World()
      : key(EVP_EC_gen("P-256")),
        root(new_certificate(key.get(),
                             {WallTime(std::chrono::sys_days(std::chrono::year(2020) / 1 / 1)),
                              WallTime(std::chrono::sys_days(std::chrono::year(2200) / 1 / 1))})),
        client(SSL_CTX_new(TLS_client_method())),
        server(SSL_CTX_new(TLS_server_method())) {
    const bool made =
        add_to_subject(root.get(), "CN", "root") &&
        add_extension(root.get(), extension(NID_basic_constraints, "critical,CA:TRUE"));
    if (!made || !sign(root.get())) std::abort();
    X509_STORE_add_cert(SSL_CTX_get_cert_store(client.get()), root.get());
    // Whatever is wrong, the handshake goes on: all verdicts are asked for afterwards.
    SSL_CTX_set_verify(client.get(), SSL_VERIFY_PEER, [](int, X509_STORE_CTX*) { return 1; });
    SSL_CTX_set_num_tickets(server.get(), 0);
  }
  bool sign(X509* certificate) const {
    return X509_set_issuer_name(certificate, X509_get_subject_name(root.get())) == 1 &&
           X509_sign(certificate, key.get(), EVP_sha256()) > 0;
  }

  KeyPtr key;
  CertificatePtr root;
  SslContextPtr client;
  SslContextPtr server;
};

SslPtr side(SSL_CTX* context, BIO* in, BIO* out) {
  SslPtr ssl(SSL_new(context));
  BIO_up_ref(in);
  BIO_up_ref(out);
  SSL_set_bio(ssl.get(), in, out);
  return ssl;
}

// A client that was shown `certificate`; null where none was made of it that can be sent.
SslPtr shown(const World& world, const CertificatePtr& certificate) {
  const bool signed_well = X509_set_version(certificate.get(), X509_VERSION_3) == 1 &&
                           X509_set_pubkey(certificate.get(), world.key.get()) == 1 &&
                           world.sign(certificate.get());
  if (!signed_well) return nullptr;
  const BioPtr to_server(BIO_new(BIO_s_mem()));
  const BioPtr to_client(BIO_new(BIO_s_mem()));
  SslPtr client = side(world.client.get(), to_client.get(), to_server.get());
  const SslPtr server = side(world.server.get(), to_server.get(), to_client.get());
  // OpenSSL looks into extensions of what was read alone.
  const CertificatePtr read(X509_dup(certificate.get()));
  if (!read || SSL_use_certificate(server.get(), read.get()) != 1 ||
      SSL_use_PrivateKey(server.get(), world.key.get()) != 1) {
    return nullptr;
  }
  SSL_set_connect_state(client.get());
  SSL_set_accept_state(server.get());
  constexpr int kFlights = 3;
  for (int i = 0; i < kFlights && SSL_is_init_finished(client.get()) == 0; ++i) {
    SSL_do_handshake(client.get());
    SSL_do_handshake(server.get());
  }
  return SSL_get0_verified_chain(client.get()) == nullptr ? nullptr : std::move(client);
}

std::string reason_of(SSL* ssl, long verdict, Code code) {
  SSL_set_verify_result(ssl, verdict);
  const Error error = verification_error(ssl, "h.example", "h.example:443");
  if (error.code != code || error.side != Side::kOrigin) std::abort();
  constexpr size_t kSentenceBytesMax = kShown * (kNameBytesMax + 2) + 256;
  if (error.what.size() > kSentenceBytesMax || !error.what.contains("h.example:443")) std::abort();
  if (std::ranges::any_of(error.what, [](char c) { return c < ' ' || c > '~'; })) std::abort();
  return error.what;
}

void check_reasons(const CertificatePtr& certificate) {
  static const World kWorld;
  const std::string names = names_of(certificate.get());
  const std::string day = day_of(X509_get0_notAfter(certificate.get()));
  // What nobody can read is not worth a handshake.
  if (names.empty() && day == "an unknown day") return;
  const SslPtr client = shown(kWorld, certificate);
  ERR_clear_error();
  if (!client) return;
  SSL* const ssl = client.get();
  for (const long verdict : {X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH}) {
    if (reason_of(ssl, verdict, Code::kCertificateName) !=
        "the certificate of h.example:443 is for " + (names.empty() ? "no host" : names) +
            ", not for h.example") {
      std::abort();
    }
  }
  const bool over = X509_cmp_current_time(X509_get0_notAfter(certificate.get())) < 0;
  const std::string ended = reason_of(ssl, X509_V_ERR_CERT_HAS_EXPIRED, Code::kCertificateExpired);
  if (!ended.ends_with(over ? " ended on " + day : " has ended")) std::abort();
  const std::string begins =
      reason_of(ssl, X509_V_ERR_CERT_NOT_YET_VALID, Code::kCertificateNotYetValid);
  if (!begins.ends_with(over ? " is not valid yet" : " is not valid before " + day)) {
    std::abort();
  }
  for (const long verdict :
       {X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT, X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY,
        X509_V_ERR_CERT_UNTRUSTED, X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE}) {
    reason_of(ssl, verdict, Code::kCertificateUntrusted);
  }
  for (const long verdict : {X509_V_ERR_INVALID_EXTENSION, X509_V_ERR_CERT_REVOKED,
                             X509_V_ERR_EE_KEY_TOO_SMALL, X509_V_ERR_INVALID_PURPOSE}) {
    reason_of(ssl, verdict, Code::kCertificateInvalid);
  }
}

void check_host(std::string_view text) {
  const std::string octets = ip_octets(text);
  if (!octets.empty() && ip_octets(ip_text(octets)) != octets) std::abort();
  const std::string range = ip_range(text);
  if (!octets.empty() && range != octets + std::string(octets.size(), '\xff')) std::abort();
  for (size_t i = 0; i < range.size() / 2; ++i) {
    const char mask = range[range.size() / 2 + i];
    // What the mask lets go is nothing, and it lets go at its end alone.
    if ((range[i] & ~mask) != 0) std::abort();
    if (i > 0 && mask != 0 && range[range.size() / 2 + i - 1] != '\xff') std::abort();
  }
  const auto name = parse_host_name(text);
  if (name && octets.empty() && !is_dns_name(text)) std::abort();
  if (!name) return;
  const auto again = parse_host_name(name->text);
  if (!again || again->text != name->text || again->octets != octets) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  if (const CertificatePtr certificate = certificate_of(bytes)) check(certificate);
  const CertificatePtr made = certificate_with(bytes);
  check(made);
  check_reasons(made);
  check_host(bytes);
  return 0;
}
