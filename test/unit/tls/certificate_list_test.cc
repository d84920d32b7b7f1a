#include "sidespan/tls/certificate_list.h"

#include <doctest/doctest.h>
#include <openssl/ui.h>

#include <string>

#include "sidespan/tls/authority.h"
#include "verifier.h"

namespace sidespan::tls {
namespace {

int times_asked = 0;

// Stands where OpenSSL would ask at the terminal.
int ask(UI* /*ui*/) {
  ++times_asked;
  return 0;
}

TEST_CASE("certificate list: nobody is asked for a pass phrase") {
  const std::string one = (*Authority::make({}, kNow))->certificate_pem();
  std::string encrypted = one;
  encrypted.insert(encrypted.find('\n') + 1,
                   "Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,"
                   "00112233445566778899AABBCCDDEEFF\n\n");
  const UI_METHOD* const before = UI_get_default_method();
  UI_METHOD* const asks = UI_create_method("asks");
  UI_method_set_opener(asks, ask);
  UI_set_default_method(asks);
  const auto listed = certificates_in(encrypted + one);
  const auto loaded = Authority::load(encrypted, one, kNow);
  UI_set_default_method(before);
  UI_destroy_method(asks);
  CHECK(times_asked == 0);
  CHECK(listed.size() == 1);
  CHECK_FALSE(loaded.has_value());
}

}  // namespace
}  // namespace sidespan::tls
