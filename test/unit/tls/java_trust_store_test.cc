#include "sidespan/tls/java_trust_store.h"

#include <doctest/doctest.h>

#include <cstdlib>
#include <string>

#include "sidespan/tls/authority.h"
#include "support/temporary_directory.h"
#include "verifier.h"

namespace sidespan::tls {
namespace {

std::string a_certificate() {
  return (*Authority::make({}, kNow))->certificate_pem();
}

constexpr size_t kHeadBytes = 12;
constexpr size_t kDigestBytes = 20;

TEST_CASE("java trust store: how it begins, and how many it holds") {
  const std::string one = a_certificate();
  const std::string broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
  struct Row {
    const char* name;
    std::string pem;
    char count;
  };
  const Row rows[] = {
      {"none", "", 0},
      {"no PEM", "what is this", 0},
      {"one", one, 1},
      {"two with words between", one + "# and\n" + a_certificate(), 2},
      {"what cannot be read is left out", broken + one, 1},
      {"no end", one + one.substr(0, one.size() / 2), 1},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    const std::string store = java_trust_store(row.pem);
    REQUIRE(store.size() >= kHeadBytes + kDigestBytes);
    const std::string head("\xfe\xed\xfe\xed\0\0\0\2\0\0\0", kHeadBytes - 1);
    CHECK(store.substr(0, kHeadBytes) == head + row.count);
    CHECK(store == java_trust_store(row.pem));
    CHECK((store.size() == kHeadBytes + kDigestBytes) == (row.count == 0));
  }
}

TEST_CASE("java trust store: Java's own tool reads it and finds it unharmed") {
  if (std::system("command -v keytool >/dev/null") != 0) {
    MESSAGE("skipped: no keytool command");
    return;
  }
  const support::TemporaryDirectory directory;
  std::string store = java_trust_store(a_certificate() + a_certificate());
  const auto reads = [&](const std::string& bytes) {
    const std::string command = "keytool -list -storetype JKS -storepass changeit -keystore " +
                                directory.write("store.jks", bytes) +
                                " 2>/dev/null | grep -q 'contains 2 entries'";
    return std::system(command.c_str()) == 0;
  };
  CHECK(reads(store));
  store[store.size() / 2] = static_cast<char>(store[store.size() / 2] ^ 1);
  CHECK_FALSE(reads(store));
}

}  // namespace
}  // namespace sidespan::tls
