#include "sidespan/tls/java_trust_store.h"

#include <openssl/evp.h>

#include <array>
#include <cstdint>
#include <vector>

#include "sidespan/tls/certificate_list.h"

namespace sidespan::tls {
namespace {

constexpr uint32_t kMagic = 0xFEEDFEED;
constexpr uint32_t kVersion = 2;
constexpr uint32_t kTrustedCertificate = 2;
// Between the password and the content, so that other digests of it are of no use.
constexpr std::string_view kWhitener = "Mighty Aphrodite";

void append_number(std::string& out, uint64_t value, int bytes) {
  for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8) {
    out.push_back(static_cast<char>(value >> static_cast<unsigned>(shift) & 0xFFU));
  }
}

void append_text(std::string& out, std::string_view ascii) {
  append_number(out, ascii.size(), 2);
  out.append(ascii);
}

std::string digest_of(std::string_view content) {
  std::string whole;
  for (const char c : kJavaStorePassword) append_number(whole, static_cast<unsigned char>(c), 2);
  whole.append(kWhitener).append(content);
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int size = 0;
  EVP_Digest(whole.data(), whole.size(), digest.data(), &size, EVP_sha1(), nullptr);
  return {reinterpret_cast<const char*>(digest.data()), size};
}

}  // namespace

std::string java_trust_store(std::string_view pem) {
  const std::vector<ListedCertificate> certificates = certificates_in(pem);
  std::string store;
  append_number(store, kMagic, 4);
  append_number(store, kVersion, 4);
  append_number(store, certificates.size(), 4);
  for (size_t i = 0; i < certificates.size(); ++i) {
    append_number(store, kTrustedCertificate, 4);
    append_text(store, "trusted-" + std::to_string(i + 1));
    append_number(store, 0, 8);  // when it was added: a moment would make each file another
    append_text(store, "X.509");
    append_number(store, certificates[i].der.size(), 4);
    store += certificates[i].der;
  }
  return store + digest_of(store);
}

}  // namespace sidespan::tls
