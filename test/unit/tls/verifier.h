// Certificates judged as a client would: by OpenSSL in this process, and by its command.
#pragma once

#include <openssl/pem.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include <chrono>
#include <cstdlib>
#include <string>

#include "sidespan/base/clock.h"
#include "support/temporary_directory.h"
#include "tls/certificate.h"
#include "tls/openssl.h"

namespace sidespan::tls {

constexpr WallTime kNow(std::chrono::sys_days(std::chrono::year(2030) / 6 / 15) +
                        std::chrono::hours(12));
constexpr std::chrono::hours kDay{24};

inline int64_t seconds_of(WallTime time) {
  return std::chrono::floor<std::chrono::seconds>(time).time_since_epoch().count();
}

inline CertificatePtr certificate_of(const std::string& pem) {
  const BioPtr bytes(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  return CertificatePtr(PEM_read_bio_X509(bytes.get(), nullptr, nullptr, nullptr));
}

inline KeyPtr key_of(const std::string& pem) {
  const BioPtr bytes(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  return KeyPtr(PEM_read_bio_PrivateKey(bytes.get(), nullptr, nullptr, nullptr));
}

// "ok", or what is wrong with it.
inline std::string verify(X509* leaf, STACK_OF(X509) * chain, const std::string& root_pem,
                          const std::string& host, WallTime at) {
  const StorePtr store(X509_STORE_new());
  const CertificatePtr root = certificate_of(root_pem);
  REQUIRE(X509_STORE_add_cert(store.get(), root.get()) == 1);
  const std::unique_ptr<X509_STORE_CTX, Release<X509_STORE_CTX_free>> context(X509_STORE_CTX_new());
  REQUIRE(X509_STORE_CTX_init(context.get(), store.get(), leaf, chain) == 1);
  X509_VERIFY_PARAM* wanted = X509_STORE_CTX_get0_param(context.get());
  X509_VERIFY_PARAM_set_time(wanted, seconds_of(at));
  X509_VERIFY_PARAM_set_flags(wanted, X509_V_FLAG_X509_STRICT);
  X509_VERIFY_PARAM_set_purpose(wanted, X509_PURPOSE_SSL_SERVER);
  const bool is_address = X509_VERIFY_PARAM_set1_ip_asc(wanted, host.c_str()) == 1;
  if (!is_address) X509_VERIFY_PARAM_set1_host(wanted, host.data(), host.size());
  X509_verify_cert(context.get());
  const int fault = X509_STORE_CTX_get_error(context.get());
  return fault == X509_V_OK ? "ok" : X509_verify_cert_error_string(fault);
}

// The command `openssl verify`.
class VerifyCommand {
 public:
  static bool available() { return std::system("command -v openssl >/dev/null") == 0; }

  bool accepts(const std::string& leaf_pem, const std::string& root_pem, const std::string& host,
               WallTime at) const {
    const std::string leaf = directory_.write("leaf.pem", leaf_pem);
    const std::string root = directory_.write("root.pem", root_pem);
    const std::string kind = ip_octets(host).empty() ? "hostname " : "ip ";
    const std::string command = "openssl verify -x509_strict -purpose sslserver -attime " +
                                std::to_string(seconds_of(at)) + " -CAfile " + root + " -verify_" +
                                kind + host + " " + leaf + " >/dev/null 2>&1";
    return std::system(command.c_str()) == 0;
  }

 private:
  support::TemporaryDirectory directory_;
};

}  // namespace sidespan::tls
