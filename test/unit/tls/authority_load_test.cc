#include <doctest/doctest.h>
#include <openssl/core_names.h>
#include <openssl/params.h>

#include <string>
#include <vector>

#include "sidespan/tls/authority.h"
#include "verifier.h"

namespace sidespan::tls {
namespace {

using std::string_literals::operator""s;
using Extensions = std::vector<std::pair<int, const char*>>;

const Extensions kCa = {{NID_basic_constraints, "critical,CA:TRUE"},
                        {NID_key_usage, "critical,keyCertSign"}};

// A certificate with its key, signed by `issuer` or by itself.
struct Made {
  CertificatePtr certificate;
  KeyPtr key;

  std::string pem() const { return pem_of(certificate.get()); }
  std::string key_pem() const { return encrypted_key_pem(nullptr); }
  std::string encrypted_key_pem(const EVP_CIPHER* cipher) const {
    const BioPtr memory(BIO_new(BIO_s_mem()));
    REQUIRE(PEM_write_bio_PrivateKey(memory.get(), key.get(), cipher, nullptr, 0, nullptr,
                                     cipher == nullptr ? nullptr : const_cast<char*>("secret")) ==
            1);
    return text_of(memory);
  }
  std::string traditional_key_pem(const EVP_CIPHER* cipher) const {
    const BioPtr memory(BIO_new(BIO_s_mem()));
    REQUIRE(PEM_write_bio_PrivateKey_traditional(
                memory.get(), key.get(), cipher, nullptr, 0, nullptr,
                cipher == nullptr ? nullptr : const_cast<char*>("secret")) == 1);
    return text_of(memory);
  }
};

Made make(KeyPtr key, const Extensions& extensions, const Made* issuer = nullptr,
          const std::string& name = "test CA",
          const Validity& validity = {kNow - kDay, kNow + 100 * kDay}) {
  REQUIRE(key);
  Made made{new_certificate(key.get(), validity), std::move(key)};
  X509* certificate = made.certificate.get();
  REQUIRE(add_to_subject(certificate, "CN", name));
  for (const auto& [nid, text] : extensions) {
    X509* from = issuer == nullptr ? certificate : issuer->certificate.get();
    REQUIRE(add_extension(certificate, extension(nid, text, from, certificate)));
  }
  const Made& signer = issuer == nullptr ? made : *issuer;
  X509_set_issuer_name(certificate, X509_get_subject_name(signer.certificate.get()));
  const bool no_digest = EVP_PKEY_get_base_id(signer.key.get()) == EVP_PKEY_ED25519;
  REQUIRE(X509_sign(certificate, signer.key.get(), no_digest ? nullptr : EVP_sha256()) > 0);
  // Read back, since OpenSSL looks into extensions of what was read alone.
  made.certificate = certificate_of(made.pem());
  return made;
}

KeyPtr ec_key(const char* curve = "P-256") {
  return KeyPtr(EVP_EC_gen(curve));
}

KeyPtr rsa_key(unsigned int bits) {
  return KeyPtr(EVP_RSA_gen(bits));
}

// With one bit of each of `parts` turned over, and its public half as it was.
std::string damaged(const Made& made, const std::vector<const char*>& parts) {
  OSSL_PARAM* all = nullptr;
  REQUIRE(EVP_PKEY_todata(made.key.get(), EVP_PKEY_KEYPAIR, &all) == 1);
  for (const char* part : parts) {
    OSSL_PARAM* const secret = OSSL_PARAM_locate(all, part);
    REQUIRE(secret != nullptr);
    static_cast<unsigned char*>(secret->data)[0] ^= 2;
  }
  const std::unique_ptr<EVP_PKEY_CTX, Release<EVP_PKEY_CTX_free>> context(
      EVP_PKEY_CTX_new_from_pkey(nullptr, made.key.get(), nullptr));
  EVP_PKEY* key = nullptr;
  REQUIRE(EVP_PKEY_fromdata_init(context.get()) == 1);
  REQUIRE(EVP_PKEY_fromdata(context.get(), &key, EVP_PKEY_KEYPAIR, all) == 1);
  OSSL_PARAM_free(all);
  return Made{nullptr, KeyPtr(key)}.key_pem();
}

std::string load(const std::string& certificate_pem, const std::string& key_pem) {
  const auto loaded = Authority::load(certificate_pem, key_pem, kNow);
  if (loaded) return "";
  const auto says = [&](const char* words) {
    return loaded.error().what.find(words) != std::string::npos;
  };
  CHECK(loaded.error().code == (says("any more")    ? Code::kCertificateExpired
                                : says("valid yet") ? Code::kCertificateNotYetValid
                                                    : Code::kInvalid));
  CHECK(loaded.error().side == Side::kSelf);
  return loaded.error().what;
}

std::string load(const Made& made) {
  return load(made.pem(), made.key_pem());
}

}  // namespace

TEST_CASE("authority load: what was made is loaded again") {
  const auto made = Authority::make({.permitted = {.names = {"example.com"}}}, kNow);
  REQUIRE(made);
  const auto loaded = Authority::load((*made)->certificate_pem(), (*made)->key_pem(), kNow);
  REQUIRE(loaded);
  CHECK((*loaded)->fingerprint() == (*made)->fingerprint());
  CHECK((*loaded)->subject() == (*made)->subject());
  CHECK((*loaded)->not_before() == (*made)->not_before());
  CHECK((*loaded)->not_after() == (*made)->not_after());
  CHECK((*loaded)->key_pem() == (*made)->key_pem());
  CHECK((*loaded)->permits("a.example.com"));
  CHECK_FALSE((*loaded)->permits("example.org"));
  const auto leaf = (*loaded)->mint("a.example.com", kNow);
  REQUIRE(leaf);
  CHECK(verify(leaf->certificate(), nullptr, (*made)->certificate_pem(), "a.example.com", kNow) ==
        "ok");
}

TEST_CASE("authority load: keys of many kinds sign") {
  struct Row {
    std::string name;
    Made made;
  };
  std::vector<Row> rows;
  rows.push_back({"P-256", make(ec_key(), kCa)});
  rows.push_back({"P-384", make(ec_key("P-384"), kCa)});
  rows.push_back({"RSA", make(rsa_key(2048), kCa)});
  rows.push_back({"no key usage", make(ec_key(), {{NID_basic_constraints, "critical,CA:TRUE"}})});
  rows.push_back({"key identifier", make(ec_key(), {{NID_basic_constraints, "critical,CA:TRUE"},
                                                    {NID_subject_key_identifier, "hash"}})});
  for (const Row& row : rows) {
    CAPTURE(row.name);
    for (const std::string& key : {row.made.key_pem(), row.made.traditional_key_pem(nullptr)}) {
      const auto authority = Authority::load(row.made.pem(), key, kNow);
      REQUIRE(authority);
      const auto leaf = (*authority)->mint("a.example", kNow);
      REQUIRE(leaf);
      const bool has_identifier = X509_get0_subject_key_id(row.made.certificate.get()) != nullptr;
      CHECK((X509_get0_authority_key_id(leaf->certificate()) != nullptr) == has_identifier);
      CHECK(X509_verify(leaf->certificate(), row.made.key.get()) == 1);
    }
  }
  const std::string parameters =
      "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n";
  CHECK(load(rows[0].made.pem(), parameters + rows[0].made.traditional_key_pem(nullptr)).empty());
  CHECK(load("a line of text\n" + rows[0].made.pem(), rows[0].made.key_pem()).empty());
}

TEST_CASE("authority load: what is wrong is said") {
  const Made ca = make(ec_key(), kCa);
  const Made ec = make(ec_key(), kCa);
  const Made rsa = make(rsa_key(2048), kCa);
  const std::string cut = ca.pem().substr(0, 200);
  struct Row {
    std::string name;
    std::string told;
    std::string wanted;
  };
  const auto with = [](const char* basic, const char* usage, const char* extended = nullptr) {
    Extensions extensions = {{NID_basic_constraints, basic}, {NID_key_usage, usage}};
    if (extended != nullptr) extensions.emplace_back(NID_ext_key_usage, extended);
    return load(make(ec_key(), extensions));
  };
  const auto valid = [](WallTime from, WallTime to) {
    return load(make(ec_key(), kCa, nullptr, "test CA", {from, to}));
  };
  const std::vector<Row> rows = {
      {"no certificate", load("", ca.key_pem()), "certificate is empty"},
      {"text", load("hello", ca.key_pem()), "certificate is no certificate in PEM"},
      {"cut", load(cut, ca.key_pem()), "certificate is no certificate in PEM"},
      {"too long", load(std::string(2'000'000, 'a'), ca.key_pem()), "longer than a chain can be"},
      {"cut within the chain", load(ca.pem() + cut, ca.key_pem()), "no chain"},
      {"no key", load(ca.pem(), ""), "key is empty"},
      {"certificate as key", load(ca.pem(), ca.pem()), "key is no private key in PEM"},
      {"encrypted", load(ca.pem(), ca.encrypted_key_pem(EVP_aes_128_cbc())), "key is encrypted"},
      {"encrypted, the old way", load(ca.pem(), ca.traditional_key_pem(EVP_aes_128_cbc())),
       "key is encrypted"},
      {"another key", load(ca.pem(), make(ec_key(), kCa).key_pem()), "key is not that of"},
      {"a key of another kind", load(ca.pem(), make(rsa_key(2048), kCa).key_pem()),
       "key is not that of"},
      {"RSA of 1024 bits", load(make(rsa_key(1024), kCa)), "too weak: RSA"},
      {"P-224", load(make(ec_key("P-224"), kCa)), "too weak: an elliptic curve"},
      {"Ed25519", load(make(KeyPtr(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519")), kCa)),
       "neither RSA nor"},
      {"a damaged EC key", load(ec.pem(), damaged(ec, {OSSL_PKEY_PARAM_PRIV_KEY})),
       "key is damaged"},
      {"a damaged RSA key",
       load(rsa.pem(), damaged(rsa, {OSSL_PKEY_PARAM_RSA_D, OSSL_PKEY_PARAM_RSA_EXPONENT1})),
       "key is damaged"},
      {"no basic constraints", load(make(ec_key(), {})), "CA:TRUE"},
      {"CA:FALSE", with("critical,CA:FALSE", "digitalSignature"), "CA:TRUE"},
      {"no keyCertSign", with("critical,CA:TRUE", "digitalSignature"), "keyCertSign"},
      {"for clients", with("critical,CA:TRUE", "keyCertSign", "clientAuth"), "serverAuth"},
      {"for servers", with("critical,CA:TRUE", "keyCertSign", "serverAuth"), ""},
      {"over", valid(kNow - 2 * kDay, kNow - kDay), "not valid any more"},
      {"to come", valid(kNow + kDay, kNow + 2 * kDay), "not valid yet"},
      {"for ever", valid(kNow - kDay, WallTime::max()), ""},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    CAPTURE(row.told);
    CHECK(row.told.empty() == row.wanted.empty());
    CHECK(row.told.find(row.wanted) != std::string::npos);
  }
}

TEST_CASE("authority load: one below a root is shown with its chain") {
  const Extensions root_extensions = {{NID_basic_constraints, "critical,CA:TRUE"},
                                      {NID_key_usage, "critical,keyCertSign"},
                                      {NID_subject_key_identifier, "hash"}};
  Extensions below = root_extensions;
  below.emplace_back(NID_authority_key_identifier, "keyid:always");
  const Made root = make(ec_key(), root_extensions, nullptr, "root");
  const Made middle = make(ec_key(), below, &root, "middle");
  const Made low = make(ec_key(), below, &middle, "low");
  const auto authority =
      Authority::load(low.pem() + middle.pem() + root.pem(), low.key_pem(), kNow);
  REQUIRE(authority);
  CHECK((*authority)->subject() == "CN = low");
  CHECK((*authority)->certificate_pem() == low.pem());
  const auto leaf = (*authority)->mint("a.example", kNow);
  REQUIRE(leaf);
  REQUIRE(sk_X509_num(leaf->chain()) == 2);
  CHECK(X509_cmp(sk_X509_value(leaf->chain(), 0), low.certificate.get()) == 0);
  CHECK(X509_cmp(sk_X509_value(leaf->chain(), 1), middle.certificate.get()) == 0);
  CHECK(verify(leaf->certificate(), leaf->chain(), root.pem(), "a.example", kNow) == "ok");

  const auto alone = Authority::load(root.pem() + middle.pem(), root.key_pem(), kNow);
  REQUIRE(alone);
  CHECK((*alone)->mint("a.example", kNow)->chain() == nullptr);
  std::string long_chain = low.pem();
  for (int i = 0; i < 11; ++i) long_chain += middle.pem();
  CHECK(load(long_chain, low.key_pem()).find("at most ten") != std::string::npos);
}

TEST_CASE("authority load: the name constraints of others") {
  struct Row {
    std::string name;
    const char* constraints;
    std::vector<std::string> permitted;
    std::vector<std::string> refused;
  };
  const std::vector<Row> rows = {
      {"names",
       "critical,permitted;DNS:example.com",
       {"example.com", "a.example.com", "192.0.2.1"},
       {"example.org"}},
      {"a leading dot", "critical,permitted;DNS:.example.com", {"a.example.com"}, {"example.com"}},
      {"excluded below permitted",
       "permitted;DNS:example.com,excluded;DNS:secret.example.com",
       {"example.com", "a.example.com"},
       {"secret.example.com", "a.secret.example.com"}},
      {"excluded alone", "critical,excluded;DNS:example.com", {"example.org"}, {"a.example.com"}},
      {"addresses",
       "critical,permitted;IP:10.0.0.0/255.0.0.0",
       {"10.1.2.3", "example.com"},
       {"11.0.0.1", "2001:db8::1"}},
      {"addresses of version 6",
       "critical,permitted;IP:2001:db8::/ffff:ffff::",
       {"2001:db8::1"},
       {"2001:db9::1", "10.0.0.1"}},
      {"both",
       "critical,permitted;DNS:example.com,permitted;IP:10.0.0.0/255.0.0.0",
       {"10.1.2.3", "example.com"},
       {"11.0.0.1", "example.org"}},
      {"mail", "critical,permitted;email:example.com", {"example.org", "192.0.2.1"}, {}},
  };
  Extensions extensions = kCa;
  extensions.emplace_back(NID_subject_key_identifier, "hash");
  for (const Row& row : rows) {
    CAPTURE(row.name);
    extensions.resize(3);
    extensions.emplace_back(NID_name_constraints, row.constraints);
    const Made ca = make(ec_key(), extensions);
    const auto authority = Authority::load(ca.pem(), ca.key_pem(), kNow);
    REQUIRE(authority);
    for (const std::string& host : row.permitted) {
      CAPTURE(host);
      CHECK((*authority)->permits(host));
      const auto leaf = (*authority)->mint(host, kNow);
      REQUIRE(leaf);
      CHECK(verify(leaf->certificate(), nullptr, ca.pem(), host, kNow) == "ok");
    }
    for (const std::string& host : row.refused) {
      CAPTURE(host);
      CHECK_FALSE((*authority)->permits(host));
      CHECK_FALSE((*authority)->mint(host, kNow));
    }
  }
}

TEST_CASE("authority load: constraints of directory names leave the subject empty") {
  Extensions extensions = kCa;
  extensions.emplace_back(NID_subject_key_identifier, "hash");
  Made ca = make(ec_key(), extensions);
  const ConstraintsPtr constraints(NAME_CONSTRAINTS_new());
  constraints->permittedSubtrees = sk_GENERAL_SUBTREE_new_null();
  GENERAL_SUBTREE* subtree = GENERAL_SUBTREE_new();
  REQUIRE(sk_GENERAL_SUBTREE_push(constraints->permittedSubtrees, subtree) == 1);
  subtree->base->type = GEN_DIRNAME;
  subtree->base->d.directoryName = X509_NAME_dup(X509_get_subject_name(ca.certificate.get()));
  REQUIRE(X509_add1_ext_i2d(ca.certificate.get(), NID_name_constraints, constraints.get(), 1,
                            X509V3_ADD_DEFAULT) == 1);
  REQUIRE(X509_sign(ca.certificate.get(), ca.key.get(), EVP_sha256()) > 0);

  const auto authority = Authority::load(ca.pem(), ca.key_pem(), kNow);
  REQUIRE(authority);
  const auto leaf = (*authority)->mint("a.example", kNow);
  REQUIRE(leaf);
  CHECK(subject_of(leaf->certificate()).empty());
  CHECK(verify(leaf->certificate(), nullptr, ca.pem(), "a.example", kNow) == "ok");
}

}  // namespace sidespan::tls
