// One text as certificate and key. Whatever is accepted mints what it permits, within its own time,
// and is accepted again from what it writes.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "sidespan/tls/authority.h"

using sidespan::tls::Authority;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view pem(reinterpret_cast<const char*>(data), size);
  const sidespan::WallTime now(std::chrono::sys_days(std::chrono::year(2030) / 1 / 1));
  const auto authority = Authority::load(pem, pem, now);
  if (!authority) {
    if (authority.error().what.empty()) std::abort();
    return 0;
  }
  const Authority& made = **authority;
  for (const std::string_view host : {"a.example", "b.test", "192.0.2.1", "2001:db8::1"}) {
    const auto leaf = made.mint(host, now);
    if (leaf.has_value() != made.permits(host)) std::abort();
    if (leaf && (leaf->not_after() > made.not_after() || leaf->not_after() < now)) std::abort();
  }
  const auto again = Authority::load(made.certificate_pem(), made.key_pem(), now);
  if (!again || (*again)->fingerprint() != made.fingerprint()) std::abort();
  return 0;
}
