// Any bytes as a file of roots: each certificate in it is listed as it stands, and behind a good
// one the same are found.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "sidespan/base/text.h"
#include "sidespan/tls/certificate_list.h"

using namespace sidespan;
using tls::ListedCertificate;

namespace {

std::string pem_of(const ListedCertificate& certificate) {
  constexpr size_t kLine = 64;
  const std::string digits = text::base64(certificate.der);
  std::string pem = "-----BEGIN CERTIFICATE-----\n";
  for (size_t at = 0; at < digits.size(); at += kLine) pem += digits.substr(at, kLine) + "\n";
  return pem + "-----END CERTIFICATE-----\n";
}

bool same(const ListedCertificate& a, const ListedCertificate& b) {
  return a.der == b.der && a.not_before == b.not_before && a.not_after == b.not_after;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view pem(reinterpret_cast<const char*>(data), size);
  const std::vector<ListedCertificate> found = tls::certificates_in(pem);
  std::string written;
  for (const ListedCertificate& certificate : found) written += pem_of(certificate);
  if (!std::ranges::equal(tls::certificates_in(written), found, same)) std::abort();
  if (found.empty()) return 0;

  std::vector<ListedCertificate> more = tls::certificates_in(pem_of(found.back()).append(pem));
  if (more.empty() || !same(more.front(), found.back())) std::abort();
  more.erase(more.begin());
  if (!std::ranges::equal(more, found, same)) std::abort();
  return 0;
}
