#include "authority_pem.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include <algorithm>
#include <array>
#include <memory>
#include <utility>
#include <vector>

#include "certificate.h"

namespace sidespan::tls {
namespace {

using DigestPtr = std::unique_ptr<EVP_MD_CTX, Release<EVP_MD_CTX_free>>;

constexpr size_t kPemBytesMax = size_t{1} << 20;
constexpr int kChainMax = 10;
constexpr int kRsaBitsMin = 2048;
constexpr int kEcBitsMin = 256;

std::unexpected<Error> invalid(std::string what) {
  ERR_clear_error();
  return fail(Code::kInvalid, Side::kSelf, std::move(what));
}

std::unexpected<Error> bad_certificate(const std::string& fault) {
  return invalid("the authority's certificate " + fault);
}

std::unexpected<Error> bad_key(const std::string& fault) {
  return invalid("the authority's key " + fault);
}

// Null also where `pem` is empty or too long to be what it should.
BioPtr bytes_of(std::string_view pem) {
  if (pem.empty() || pem.size() > kPemBytesMax) return nullptr;
  return BioPtr(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
}

bool append(STACK_OF(X509) * chain, X509* certificate) {
  constexpr int kFlags = X509_ADD_FLAG_UP_REF | X509_ADD_FLAG_NO_DUP | X509_ADD_FLAG_NO_SS;
  return X509_add_cert(chain, certificate, kFlags) == 1;
}

// An authority that is a root is known to its agents, and so is the root of another.
Result<SharedChain> read_chain(X509* authority, const BioPtr& pem) {
  const SharedChain chain(sk_X509_new_null(), [](STACK_OF(X509) * certificates) {
    sk_X509_pop_free(certificates, X509_free);
  });
  bool whole = chain && append(chain.get(), authority);
  for (int count = 0; whole; ++count) {
    const CertificatePtr next = next_certificate(pem);
    if (!next) break;
    whole = count < kChainMax && append(chain.get(), next.get());
  }
  if (!whole || ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE) {
    return bad_certificate("is followed by something that is no chain of at most ten certificates");
  }
  ERR_clear_error();
  return X509_self_signed(authority, 0) == 1 ? nullptr : chain;
}

// Instead of OpenSSL's own, which asks at the terminal.
int refuse_pass_phrase(char*, int, int, void* asked) {
  *static_cast<bool*>(asked) = true;
  return -1;
}

Result<KeyPtr> read_key(std::string_view pem) {
  const BioPtr bytes = bytes_of(pem);
  bool asked = false;
  if (!bytes) return bad_key("is empty or longer than a key can be");
  KeyPtr key(PEM_read_bio_PrivateKey(bytes.get(), nullptr, refuse_pass_phrase, &asked));
  if (asked) return bad_key("is encrypted; it has to be written without a pass phrase");
  if (!key) return bad_key("is no private key in PEM: " + take_error());
  return key;
}

// A certificate knows the public half alone; of a key whose other half is damaged every leaf would
// be refused by every agent.
bool is_whole(EVP_PKEY* key) {
  constexpr std::array<unsigned char, 4> kText = {'t', 'e', 's', 't'};
  const DigestPtr signs(EVP_MD_CTX_new());
  const DigestPtr verifies(EVP_MD_CTX_new());
  std::vector<unsigned char> signature(static_cast<size_t>(std::max(EVP_PKEY_get_size(key), 0)));
  size_t size = signature.size();
  return signs && verifies &&
         EVP_DigestSignInit(signs.get(), nullptr, EVP_sha256(), nullptr, key) == 1 &&
         EVP_DigestSign(signs.get(), signature.data(), &size, kText.data(), kText.size()) == 1 &&
         EVP_DigestVerifyInit(verifies.get(), nullptr, EVP_sha256(), nullptr, key) == 1 &&
         EVP_DigestVerify(verifies.get(), signature.data(), size, kText.data(), kText.size()) == 1;
}

Result<void> check_key(EVP_PKEY* key) {
  const int type = EVP_PKEY_get_base_id(key);
  const int bits = EVP_PKEY_get_bits(key);
  if (type == EVP_PKEY_RSA) {
    if (bits < kRsaBitsMin) return bad_key("is too weak: RSA needs 2048 bits");
  } else if (type == EVP_PKEY_EC) {
    if (bits < kEcBitsMin) return bad_key("is too weak: an elliptic curve needs 256 bits");
  } else {
    return bad_key("is neither RSA nor of an elliptic curve");
  }
  if (!is_whole(key))
    return bad_key("is damaged: its own public half does not verify what it signs");
  return {};
}

Result<void> check_certificate(X509* certificate, WallTime now) {
  const uint32_t flags = X509_get_extension_flags(certificate);
  if ((flags & (EXFLAG_INVALID | EXFLAG_CRITICAL)) != 0) {
    return bad_certificate("holds an extension that cannot be understood");
  }
  if ((flags & EXFLAG_CA) == 0) {
    return bad_certificate("is not that of a CA: its basic constraints do not say CA:TRUE");
  }
  if ((X509_get_key_usage(certificate) & KU_KEY_CERT_SIGN) == 0) {
    return bad_certificate("may not sign others: its key usage lacks keyCertSign");
  }
  if (X509_check_purpose(certificate, X509_PURPOSE_SSL_SERVER, 1) != 1) {
    return bad_certificate(
        "may not sign those of servers: its extended key usage lacks serverAuth");
  }
  const Validity validity = validity_of(certificate);
  if (now < validity.not_before) {
    return fail(Code::kCertificateNotYetValid, Side::kSelf,
                "the authority's certificate is not valid yet");
  }
  if (now > validity.not_after) {
    return fail(Code::kCertificateExpired, Side::kSelf,
                "the authority's certificate is not valid any more");
  }
  return {};
}

}  // namespace

Result<AuthorityPem> read_authority(std::string_view certificate_pem, std::string_view key_pem,
                                    WallTime now) {
  ERR_clear_error();
  const BioPtr bytes = bytes_of(certificate_pem);
  if (!bytes) return bad_certificate("is empty or longer than a chain can be");
  AuthorityPem read;
  read.certificate = next_certificate(bytes);
  if (!read.certificate) return bad_certificate("is no certificate in PEM: " + take_error());
  Result<SharedChain> chain = read_chain(read.certificate.get(), bytes);
  if (!chain) return std::unexpected(std::move(chain).error());
  read.chain = *std::move(chain);
  Result<KeyPtr> key = read_key(key_pem);
  if (!key) return std::unexpected(std::move(key).error());
  read.key = *std::move(key);

  if (X509_check_private_key(read.certificate.get(), read.key.get()) != 1) {
    return bad_key("is not that of the authority's certificate");
  }
  Result<void> fit = check_key(read.key.get());
  if (fit) fit = check_certificate(read.certificate.get(), now);
  if (!fit) return std::unexpected(std::move(fit).error());
  return read;
}

}  // namespace sidespan::tls
