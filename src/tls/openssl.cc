#include "openssl.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/pem.h>

#include <system_error>

#include "sidespan/tls/authority.h"

namespace sidespan::tls {

void wipe(std::string& secret) {
  OPENSSL_cleanse(secret.data(), secret.size());
  secret.clear();
}

int no_pass_phrase(char* /*phrase*/, int /*room*/, int /*writes*/, void* /*argument*/) {
  return -1;
}

CertificatePtr next_certificate(const BioPtr& pem) {
  return CertificatePtr(PEM_read_bio_X509(pem.get(), nullptr, no_pass_phrase, nullptr));
}

std::string take_error() {
  const unsigned long code = ERR_get_error();
  ERR_clear_error();
  if (ERR_SYSTEM_ERROR(code)) return std::generic_category().message(ERR_GET_REASON(code));
  const char* reason = code == 0 ? nullptr : ERR_reason_error_string(code);
  return reason == nullptr ? "unknown error" : reason;
}

}  // namespace sidespan::tls
