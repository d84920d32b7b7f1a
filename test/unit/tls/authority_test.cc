#include "sidespan/tls/authority.h"

#include <doctest/doctest.h>

#include <set>
#include <string>
#include <thread>
#include <vector>

#include "verifier.h"

namespace sidespan::tls {
namespace {

using std::string_literals::operator""s;

std::unique_ptr<Authority> make(std::vector<std::string> names = {},
                                std::vector<std::string> networks = {}) {
  Result<std::unique_ptr<Authority>> made =
      Authority::make({.permitted = {std::move(names), std::move(networks)}}, kNow);
  REQUIRE(made);
  return *std::move(made);
}

std::string octets(const ASN1_OCTET_STRING* text) {
  REQUIRE(text != nullptr);
  return {reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)),
          static_cast<size_t>(ASN1_STRING_length(text))};
}

int criticality(const X509* certificate, int nid) {
  const int at = X509_get_ext_by_NID(certificate, nid, -1);
  return at < 0 ? -1 : X509_EXTENSION_get_critical(X509_get_ext(certificate, at));
}

std::string serial(X509* certificate) {
  return octets(X509_get0_serialNumber(certificate));
}

std::string long_name() {
  return std::string(60, 'a') + ".example.com";
}

}  // namespace

TEST_CASE("authority: what a new one is") {
  const auto authority = make({"Example.com", "internal"});
  const CertificatePtr certificate = certificate_of(authority->certificate_pem());
  REQUIRE(certificate);
  CHECK(authority->subject() == "O = sidespan, CN = sidespan interception authority");
  CHECK(authority->fingerprint().size() == 32 * 3 - 1);
  CHECK(authority->fingerprint() == fingerprint_of(certificate.get()));
  CHECK(authority->not_before() == kNow - kDay);
  CHECK(authority->not_after() == kNow + 365 * kDay);
  CHECK(authority->certificate_pem().find("PRIVATE") == std::string::npos);

  CHECK(X509_get_version(certificate.get()) == X509_VERSION_3);
  CHECK(serial(certificate.get()).size() == 16);
  CHECK(X509_check_ca(certificate.get()) == 1);
  CHECK(X509_get_pathlen(certificate.get()) == 0);
  CHECK(X509_get_key_usage(certificate.get()) == (KU_KEY_CERT_SIGN | KU_CRL_SIGN));
  CHECK(X509_self_signed(certificate.get(), 1) == 1);
  CHECK(octets(X509_get0_subject_key_id(certificate.get())).size() == 20);
  for (const int nid : {NID_basic_constraints, NID_key_usage, NID_name_constraints}) {
    CHECK(criticality(certificate.get(), nid) == 1);
  }
  CHECK(criticality(certificate_of(make()->certificate_pem()).get(), NID_name_constraints) == -1);
  CHECK(make()->fingerprint() != make()->fingerprint());
}

TEST_CASE("authority: options that cannot be") {
  struct Row {
    std::string name;
    Authority::Options options;
  };
  const std::vector<Row> rows = {
      {"no lifetime", {.lifetime = std::chrono::hours(0)}},
      {"over a year", {.lifetime = 365 * kDay + std::chrono::hours(1)}},
      {"no name", {.common_name = ""}},
      {"a long name", {.common_name = std::string(65, 'a')}},
      {"not UTF-8", {.common_name = "\xff"}},
      {"an address", {.permitted = {.names = {"10.0.0.1"}}}},
      {"a wildcard", {.permitted = {.names = {"*.example.com"}}}},
      {"an empty name", {.permitted = {.names = {""}}}},
      {"NUL", {.permitted = {.names = {"a\0b"s}}}},
      {"a name for a network", {.permitted = {.networks = {"a.test"}}}},
      {"more bits than there are", {.permitted = {.networks = {"10.0.0.0/33"}}}},
      {"no bits", {.permitted = {.networks = {"10.0.0.0/"}}}},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    const auto made = Authority::make(row.options, kNow);
    REQUIRE_FALSE(made);
    CHECK(made.error().code == Code::kInvalid);
  }
  CHECK(Authority::make({.common_name = std::string(64, 'a')}, kNow));
}

TEST_CASE("authority: leaves that verifiers believe") {
  const auto authority = make();
  const VerifyCommand command;
  const bool has_command = VerifyCommand::available();
  if (!has_command) MESSAGE("skipped: no openssl command");
  for (const std::string& host :
       {"example.com"s, "a.b.c.example.com"s, "localhost"s, "a_b.example"s,
        "xn--bcher-kva.example"s, "192.0.2.1"s, "2001:db8::1"s, "::1"s, long_name(),
        std::string(63, 'a') + ".example"}) {
    CAPTURE(host);
    const auto leaf = authority->mint(host, kNow);
    REQUIRE(leaf);
    const std::string& root = authority->certificate_pem();
    const auto judge = [&](const std::string& wanted, WallTime at) {
      return verify(leaf->certificate(), leaf->chain(), root, wanted, at);
    };
    CHECK(judge(host, kNow) == "ok");
    CHECK(judge(host, kNow - kDay + std::chrono::seconds(1)) == "ok");
    CHECK(judge(host, kNow + 7 * kDay - std::chrono::seconds(1)) == "ok");
    CHECK(judge(host, kNow + 8 * kDay) == "certificate has expired");
    CHECK(judge(host, kNow - 2 * kDay) == "certificate is not yet valid");
    CHECK(judge("other.test", kNow) == "hostname mismatch");
    CHECK(judge("192.0.2.2", kNow) == "IP address mismatch");
    CHECK(verify(leaf->certificate(), nullptr, make()->certificate_pem(), host, kNow) != "ok");
    if (!has_command) continue;
    CHECK(command.accepts(leaf->certificate_pem(), root, host, kNow));
    CHECK_FALSE(command.accepts(leaf->certificate_pem(), root, host, kNow + 8 * kDay));
    CHECK_FALSE(command.accepts(leaf->certificate_pem(), root, "other.test", kNow));
  }
}

TEST_CASE("authority: what a leaf is") {
  const auto authority = make();
  const auto leaf = authority->mint("Example.com", kNow);
  REQUIRE(leaf);
  X509* certificate = leaf->certificate();
  CHECK(leaf->not_after() == kNow + 7 * kDay);
  CHECK(leaf->chain() == nullptr);
  CHECK(subject_of(certificate) == "CN = example.com");
  CHECK(X509_get_version(certificate) == X509_VERSION_3);
  CHECK(X509_check_ca(certificate) == 0);
  CHECK(X509_get_key_usage(certificate) == KU_DIGITAL_SIGNATURE);
  CHECK(X509_get_extended_key_usage(certificate) == XKU_SSL_SERVER);
  CHECK(criticality(certificate, NID_key_usage) == 1);
  CHECK(criticality(certificate, NID_subject_alt_name) == 0);
  const CertificatePtr root = certificate_of(authority->certificate_pem());
  CHECK(octets(X509_get0_authority_key_id(certificate)) ==
        octets(X509_get0_subject_key_id(root.get())));
  CHECK(octets(X509_get0_subject_key_id(certificate)) !=
        octets(X509_get0_subject_key_id(root.get())));
  CHECK(X509_check_private_key(certificate, leaf->key()) == 1);

  const auto other = authority->mint(long_name(), kNow);
  REQUIRE(other);
  CHECK(other->key() == leaf->key());
  CHECK(subject_of(other->certificate()).empty());
  CHECK(criticality(other->certificate(), NID_subject_alt_name) == 1);
  CHECK(authority->key_pem().find("BEGIN PRIVATE KEY") != std::string::npos);
  CHECK(EVP_PKEY_eq(key_of(authority->key_pem()).get(), leaf->key()) != 1);
}

TEST_CASE("authority: no leaf for what is no host") {
  const auto authority = make();
  const std::string label(63, 'a');
  struct Row {
    std::string name;
    std::string host;
  };
  const std::vector<Row> rows = {
      {"nothing", ""},
      {"wildcard", "*.example.com"},
      {"NUL", "example.com\0.evil"s},
      {"final dot", "example.com."},
      {"leading dot", ".example.com"},
      {"empty label", "a..b"},
      {"label of 64", label + "a.example"},
      {"254 characters", label + "." + label + "." + label + "." + std::string(62, 'a')},
      {"not an A-label",
       "b\xc3\xbc"
       "cher.example"},
      {"blank", "a b"},
      {"comma", "a,DNS:b"},
      {"line end", "a\n"},
      {"brackets", "[::1]"},
      {"port", "example.com:443"},
      {"zone", "fe80::1%eth0"},
      {"address too large", "256.0.0.1"},
      {"short address", "127.1"},
      {"a number", "2130706433"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    const auto leaf = authority->mint(row.host, kNow);
    REQUIRE_FALSE(leaf);
    CHECK(leaf.error().code == Code::kInvalid);
    CHECK_FALSE(authority->permits(row.host));
  }
}

TEST_CASE("authority: its successor signs, and what was signed before stays good") {
  const auto authority = make();
  const auto next = make({"example.com"});
  const std::string before = authority->certificate_pem();
  const auto old = authority->mint("example.com", kNow);
  std::thread asking([&] {
    for (int i = 0; i < 50; ++i) CHECK(authority->mint("example.com", kNow).has_value());
  });
  authority->succeed(*next);
  asking.join();
  CHECK(authority->certificate_pem() == next->certificate_pem());
  CHECK(authority->fingerprint() == next->fingerprint());
  CHECK_FALSE(authority->permits("other.test"));
  const auto leaf = authority->mint("example.com", kNow);
  REQUIRE(leaf);
  const auto judge = [](const Leaf& each, const std::string& root) {
    return verify(each.certificate(), nullptr, root, "example.com", kNow);
  };
  CHECK(judge(*old, before) == "ok");
  CHECK(judge(*leaf, next->certificate_pem()) == "ok");
  CHECK(judge(*leaf, before) != "ok");
}

TEST_CASE("authority: name constraints") {
  const auto authority = make({"example.com", "internal"});
  struct Row {
    std::string host;
    bool permitted;
  };
  const std::vector<Row> rows = {
      {"example.com", true},     {"a.b.example.com", true},   {"EXAMPLE.com", true},
      {long_name(), true},       {"internal", true},          {"db.internal", true},
      {"badexample.com", false}, {"example.com.evil", false}, {"com", false},
      {"example.org", false},    {"192.0.2.1", false},        {"2001:db8::1", false},
      {"*.example.com", false},
  };
  for (const Row& row : rows) {
    CAPTURE(row.host);
    CHECK(authority->permits(row.host) == row.permitted);
    const auto leaf = authority->mint(row.host, kNow);
    REQUIRE(leaf.has_value() == row.permitted);
    if (!leaf) continue;
    CHECK(verify(leaf->certificate(), nullptr, authority->certificate_pem(), row.host, kNow) ==
          "ok");
  }
  CHECK(authority->mint("example.org", kNow).error().code == Code::kDenied);
}

TEST_CASE("authority: networks that it may sign for") {
  const auto authority = make({}, {"10.1.0.0/16", "192.0.2.128/25", "2001:db8::/32"});
  struct Row {
    std::string host;
    bool permitted;
  };
  const std::vector<Row> rows = {
      {"10.1.2.3", true},     {"10.2.0.1", false},   {"192.0.2.128", true},
      {"192.0.2.127", false}, {"2001:db8::1", true}, {"2001:db9::1", false},
      {"::1", false},         {"127.0.0.1", false},  {"example.com", true},
  };
  for (const Row& row : rows) {
    CAPTURE(row.host);
    CHECK(authority->permits(row.host) == row.permitted);
    const auto leaf = authority->mint(row.host, kNow);
    REQUIRE(leaf.has_value() == row.permitted);
    if (!leaf) continue;
    CHECK(verify(leaf->certificate(), nullptr, authority->certificate_pem(), row.host, kNow) ==
          "ok");
  }
}

// A leaf for `host` of another authority, signed anew with this one's key: what a thief of it does.
std::string forged(const Authority& authority, const std::string& host) {
  const CertificatePtr root = certificate_of(authority.certificate_pem());
  const auto leaf = make()->mint(host, kNow);
  REQUIRE(leaf);
  X509* certificate = leaf->certificate();
  X509_EXTENSION_free(X509_delete_ext(
      certificate, X509_get_ext_by_NID(certificate, NID_authority_key_identifier, -1)));
  REQUIRE(add_extension(certificate,
                        extension(NID_authority_key_identifier, "keyid:always", root.get())));
  X509_set_issuer_name(certificate, X509_get_subject_name(root.get()));
  REQUIRE(X509_sign(certificate, key_of(authority.key_pem()).get(), EVP_sha256()) > 0);
  return leaf->certificate_pem();
}

TEST_CASE("authority: a verifier refuses what is outside of the name constraints") {
  struct Row {
    std::string name;
    std::unique_ptr<Authority> authority;
    std::vector<std::string> hosts;
  };
  Row rows[] = {
      {"names", make({"example.com"}), {"example.com", "badexample.com", "192.0.2.1", "::1"}},
      {"networks", make({}, {"192.0.2.0/24"}), {"192.0.2.1", "192.0.3.1", "::1", "example.com"}},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    const std::string root = row.authority->certificate_pem();
    for (const std::string& host : row.hosts) {
      CAPTURE(host);
      const std::string leaf = forged(*row.authority, host);
      const std::string judged = verify(certificate_of(leaf).get(), nullptr, root, host, kNow);
      CHECK((judged == "ok") == row.authority->permits(host));
      if (judged != "ok") CHECK(judged.find("subtree violation") != std::string::npos);
      if (!VerifyCommand::available()) continue;
      CHECK(VerifyCommand().accepts(leaf, root, host, kNow) == row.authority->permits(host));
    }
  }
}

TEST_CASE("authority: no leaf lives longer than its authority") {
  const auto made = Authority::make({.lifetime = 3 * kDay}, kNow);
  REQUIRE(made);
  const Authority& authority = **made;
  const auto early = authority.mint("a.example", kNow - std::chrono::hours(1));
  REQUIRE(early);
  CHECK(validity_of(early->certificate()).not_before == authority.not_before());
  CHECK(early->not_after() == authority.not_after());
  CHECK(authority.mint("a.example", authority.not_after()));
  const auto late = authority.mint("a.example", authority.not_after() + std::chrono::seconds(1));
  REQUIRE_FALSE(late);
  CHECK(late.error().code == Code::kInvalid);
  CHECK_FALSE(authority.mint("a.example", authority.not_before() - std::chrono::seconds(1)));
}

TEST_CASE("authority: several threads mint at once") {
  const auto authority = make({"example.com"});
  std::vector<std::vector<Leaf>> minted(4);
  {
    std::vector<std::jthread> threads;
    for (size_t i = 0; i < minted.size(); ++i) {
      threads.emplace_back([&authority, &leaves = minted[i], i] {
        for (int each = 0; each < 25; ++each) {
          const std::string host = std::to_string(i) + "-" + std::to_string(each) + ".example.com";
          if (auto leaf = authority->mint(host, kNow)) leaves.push_back(*std::move(leaf));
        }
      });
    }
  }
  std::set<std::string> serials;
  for (const std::vector<Leaf>& leaves : minted) {
    for (const Leaf& leaf : leaves) serials.insert(serial(leaf.certificate()));
  }
  CHECK(serials.size() == 100);
}

}  // namespace sidespan::tls
