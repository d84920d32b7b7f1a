#include "sidespan/tls/certificate_list.h"

#include <openssl/err.h>
#include <openssl/pem.h>

#include "certificate.h"

namespace sidespan::tls {

std::vector<ListedCertificate> certificates_in(std::string_view pem) {
  std::vector<ListedCertificate> found;
  const BioPtr bytes(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  ERR_clear_error();
  while (bytes) {
    const CertificatePtr certificate = next_certificate(bytes);
    const bool over = !certificate && ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
    ERR_clear_error();
    if (over) break;
    if (!certificate) continue;
    unsigned char* der = nullptr;
    const int size = i2d_X509(certificate.get(), &der);
    if (size <= 0) continue;
    const Validity validity = validity_of(certificate.get());
    found.push_back({{reinterpret_cast<const char*>(der), static_cast<size_t>(size)},
                     validity.not_before,
                     validity.not_after});
    OPENSSL_free(der);
  }
  return found;
}

}  // namespace sidespan::tls
