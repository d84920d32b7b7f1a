#include "verification.h"

#include <openssl/x509v3.h>

#include <algorithm>
#include <array>
#include <ctime>

#include "host_name.h"
#include "openssl.h"

namespace sidespan::tls {
namespace {

constexpr int kNamesMax = 4;
constexpr size_t kNameBytesMax = 64;

using NamesPtr = std::unique_ptr<GENERAL_NAMES, Release<GENERAL_NAMES_free>>;

Code code_of(long result) {
  switch (result) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
      return Code::kCertificateExpired;
    case X509_V_ERR_CERT_NOT_YET_VALID:
      return Code::kCertificateNotYetValid;
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
      return Code::kCertificateName;
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_CERT_UNTRUSTED:
      return Code::kCertificateUntrusted;
    default:
      return Code::kCertificateInvalid;
  }
}

// The day on which the certificate's time ended, or begins. It may be another one than the
// origin's own: any of those that vouch for it.
std::string sentence_of_time(SSL* ssl, const std::string& where, bool over) {
  const STACK_OF(X509)* chain = SSL_get0_verified_chain(ssl);
  for (int i = 0; i < sk_X509_num(chain); ++i) {
    const X509* each = sk_X509_value(chain, i);
    const ASN1_TIME* limit = over ? X509_get0_notAfter(each) : X509_get0_notBefore(each);
    if ((X509_cmp_current_time(limit) < 0) != over) continue;
    const std::string which =
        i == 0 ? "the certificate of " + where : "a certificate that vouches for that of " + where;
    return which + (over ? " ended on " : " is not valid before ") + day_of(limit);
  }
  return "the certificate of " + where + (over ? " has ended" : " is not valid yet");
}

// A name as it can be printed; empty: of a kind that names no host.
std::string printable(const GENERAL_NAME& name) {
  if (name.type != GEN_DNS && name.type != GEN_IPADD) return "";
  const bool address = name.type == GEN_IPADD;
  const ASN1_STRING* value = address ? name.d.iPAddress : name.d.dNSName;
  const std::string_view octets(reinterpret_cast<const char*>(ASN1_STRING_get0_data(value)),
                                static_cast<size_t>(ASN1_STRING_length(value)));
  std::string text = address ? ip_text(octets) : std::string(octets.substr(0, kNameBytesMax));
  std::ranges::replace_if(
      text, [](char c) { return c <= ' ' || c > '~' || c == '"' || c == '\\'; }, '?');
  return text;
}

std::string sentence_of_name(SSL* ssl, std::string_view host, const std::string& where) {
  const STACK_OF(X509)* chain = SSL_get0_verified_chain(ssl);
  const std::string names = sk_X509_num(chain) > 0 ? names_of(sk_X509_value(chain, 0)) : "";
  return "the certificate of " + where + " is for " + (names.empty() ? "no host" : names) +
         ", not for " + std::string(host);
}

}  // namespace

std::string day_of(const ASN1_TIME* time) {
  std::tm parts{};
  std::array<char, 16> text{};
  if (ASN1_TIME_to_tm(time, &parts) != 1) return "an unknown day";
  return {text.data(), std::strftime(text.data(), text.size(), "%Y-%m-%d", &parts)};
}

std::string names_of(const X509* certificate) {
  const NamesPtr names(static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
  std::string text;
  int count = 0;
  for (int i = 0; i < sk_GENERAL_NAME_num(names.get()); ++i) {
    const std::string name = printable(*sk_GENERAL_NAME_value(names.get(), i));
    if (name.empty() || ++count > kNamesMax) continue;
    text.append(text.empty() ? "" : ", ").append(name);
  }
  if (count > kNamesMax) text += " and " + std::to_string(count - kNamesMax) + " more";
  return text;
}

Error verification_error(SSL* ssl, std::string_view host, const std::string& where) {
  const long result = SSL_get_verify_result(ssl);
  const std::string why = X509_verify_cert_error_string(result);
  Error error{code_of(result), Side::kOrigin, false, {}};
  switch (error.code) {
    case Code::kCertificateExpired:
    case Code::kCertificateNotYetValid:
      error.what = sentence_of_time(ssl, where, error.code == Code::kCertificateExpired);
      break;
    case Code::kCertificateName:
      error.what = sentence_of_name(ssl, host, where);
      break;
    case Code::kCertificateUntrusted:
      error.what = "nobody whom sidespan trusts vouches for the certificate of " + where + " (" +
                   why +
                   "); tls.trust.certificates (SIDESPAN_TLS_TRUST_CERTIFICATES) can name its "
                   "root, or tls.intercept.bypass leave it to the agent";
      break;
    default:
      error.what = "the certificate of " + where + " is not valid: " + why;
  }
  return error;
}

}  // namespace sidespan::tls
