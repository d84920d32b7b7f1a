// Owners for OpenSSL's objects, and its errors as one sentence.
#pragma once

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <memory>
#include <string>

namespace sidespan::tls {

template <auto release>
struct Release {
  template <class T>
  void operator()(T* object) const {
    release(object);
  }
};

using BioPtr = std::unique_ptr<BIO, Release<BIO_free>>;
using KeyPtr = std::unique_ptr<EVP_PKEY, Release<EVP_PKEY_free>>;
using CertificatePtr = std::unique_ptr<X509, Release<X509_free>>;
using SslPtr = std::unique_ptr<SSL, Release<SSL_free>>;
using SslContextPtr = std::unique_ptr<SSL_CTX, Release<SSL_CTX_free>>;
using SslSessionPtr = std::unique_ptr<SSL_SESSION, Release<SSL_SESSION_free>>;
using StorePtr = std::unique_ptr<X509_STORE, Release<X509_STORE_free>>;

// For whatever is read from PEM: OpenSSL's own would ask for a pass phrase at the terminal.
int no_pass_phrase(char* phrase, int room, int writes, void* argument);
// Null where there is none that can be read; OpenSSL's queue says why.
CertificatePtr next_certificate(const BioPtr& pem);

// The oldest error in this thread's queue, in OpenSSL's words; empties the queue.
std::string take_error();

}  // namespace sidespan::tls
