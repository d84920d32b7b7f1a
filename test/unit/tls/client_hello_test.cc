#include "sidespan/tls/client_hello.h"

#include <doctest/doctest.h>
#include <openssl/bio.h>
#include <openssl/ssl.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "sidespan/base/random.h"

using sidespan::Random;
using sidespan::tls::ClientHello;
using sidespan::tls::kClientHelloBytesMax;
using sidespan::tls::Peek;
using sidespan::tls::peek_client_hello;
using std::string_literals::operator""s;

namespace {

std::string number(size_t value, int width) {
  std::string out;
  for (int shift = (width - 1) * 8; shift >= 0; shift -= 8)
    out += static_cast<char>(value >> shift);
  return out;
}

std::string vector(int width, const std::string& content) {
  return number(content.size(), width) + content;
}

std::string extension(size_t type, const std::string& data) {
  return number(type, 2) + vector(2, data);
}

std::string server_name(const std::string& name) {
  return extension(0, vector(2, "\0"s + vector(2, name)));
}

std::string alpn(const std::string& list) {
  return extension(16, vector(2, list));
}

std::string versions(const std::string& list) {
  return extension(43, vector(1, list));
}

// Version, random, session id, cipher suites, compression methods.
std::string fixed_part(const std::string& version = "\3\3") {
  return version + std::string(32, 'r') + vector(1, "") + vector(2, "\x13\x01") + vector(1, "\0"s);
}

std::string message(const std::string& body) {
  return "\1" + vector(3, body);
}

std::string record(const std::string& fragment, const std::string& head = "\x16\3\1") {
  return head + vector(2, fragment);
}

std::string hello_with(const std::string& extensions) {
  return record(message(fixed_part() + vector(2, extensions)));
}

// The same message, in records of `fragment_bytes` at most. `hello` is one record.
std::string in_records_of(const std::string& hello, size_t fragment_bytes) {
  std::string out;
  for (size_t at = 5; at < hello.size(); at += fragment_bytes) {
    out += record(hello.substr(at, fragment_bytes));
  }
  return out;
}

std::string describe(Peek peek, const ClientHello& hello) {
  switch (peek) {
    case Peek::kMore:
      return "more";
    case Peek::kNotTls:
      return "not TLS";
    case Peek::kMalformed:
      return "malformed";
    case Peek::kHello:
      break;
  }
  std::string out = hello.server_name + "|";
  for (const std::string& protocol : hello.alpn) out += protocol + " ";
  out += "|";
  for (const uint16_t version : hello.versions) out += std::to_string(version - 0x0300) + " ";
  return out + (hello.encrypted ? "|encrypted" : "");
}

std::string peek(std::string_view bytes) {
  ClientHello hello;
  const Peek answer = peek_client_hello(bytes, hello);
  return describe(answer, hello);
}

std::string after(size_t size, const std::string& answer) {
  return answer + " after " + std::to_string(size);
}

// The first answer that is not kMore, and for how many bytes it was given.
std::string first_answer(const std::string& bytes) {
  for (size_t size = 0; size < bytes.size(); ++size) {
    // A copy of its own, so that a sanitizer sees a byte read too far.
    const std::string answer = peek(std::string(bytes, 0, size));
    if (answer != "more") return after(size, answer);
  }
  return after(bytes.size(), peek(bytes));
}

// What OpenSSL's client says first.
std::string openssl_hello(const std::function<void(SSL*)>& configure) {
  const std::unique_ptr<SSL_CTX, void (*)(SSL_CTX*)> context(SSL_CTX_new(TLS_client_method()),
                                                             SSL_CTX_free);
  const std::unique_ptr<SSL, void (*)(SSL*)> ssl(SSL_new(context.get()), SSL_free);
  SSL_set_min_proto_version(ssl.get(), TLS1_2_VERSION);
  SSL_set_bio(ssl.get(), BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
  configure(ssl.get());
  REQUIRE(SSL_connect(ssl.get()) == -1);
  char* start = nullptr;
  const long size = BIO_get_mem_data(SSL_get_wbio(ssl.get()), &start);
  return {start, static_cast<size_t>(size)};
}

void offer(SSL* ssl, const std::string& protocols) {
  SSL_set_alpn_protos(ssl, reinterpret_cast<const unsigned char*>(protocols.data()),
                      static_cast<unsigned int>(protocols.size()));
}

}  // namespace

TEST_CASE("hellos of OpenSSL are read whole and at any cut") {
  struct Row {
    std::string name;
    std::function<void(SSL*)> configure;
    std::string read;
  };
  const std::string long_protocol(255, 'p');
  const std::vector<Row> rows = {
      {"bare", [](SSL*) {}, "||4 3 "},
      {"name and protocols",
       [](SSL* ssl) {
         SSL_set_tlsext_host_name(ssl, "API.example.com");
         offer(ssl, "\2h2\10http/1.1");
       },
       "api.example.com|h2 http/1.1 |4 3 "},
      {"TLS 1.2 alone", [](SSL* ssl) { SSL_set_max_proto_version(ssl, TLS1_2_VERSION); }, "||3 "},
      {"TLS 1.3 alone", [](SSL* ssl) { SSL_set_min_proto_version(ssl, TLS1_3_VERSION); }, "||4 "},
      {"several records",
       [&](SSL* ssl) {
         SSL_set_tlsext_host_name(ssl, "a.example");
         SSL_set_max_send_fragment(ssl, 512);
         offer(ssl, vector(1, long_protocol) + vector(1, long_protocol) + vector(1, long_protocol));
       },
       "a.example|" + long_protocol + " " + long_protocol + " " + long_protocol + " |4 3 "},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    const std::string bytes = openssl_hello(row.configure);
    CHECK(peek(bytes) == row.read);
    CHECK(first_answer(bytes) == after(bytes.size(), row.read));
    if (row.name == "several records") CHECK(bytes[5 + 512] == '\x16');
  }
}

TEST_CASE("a hello is the same however its records are cut, and whatever follows it") {
  const std::string whole = hello_with(server_name("a.example") + alpn("\2h2") + versions("\3\4"));
  const std::string read = "a.example|h2 |4 ";
  REQUIRE(peek(whole) == read);
  for (size_t fragment_bytes = 1; fragment_bytes < whole.size(); ++fragment_bytes) {
    const std::string cut = in_records_of(whole, fragment_bytes);
    CAPTURE(fragment_bytes);
    CHECK(first_answer(cut) == after(cut.size(), read));
    CHECK(peek(cut + "\x17\3\3\0\1x"s) == read);
    CHECK(peek(cut + "\x14\3\3\0\1\1"s) == read);
    CHECK(peek(cut + "GET /") == read);
  }
  Random random(1);
  for (int round = 0; round < 200; ++round) {
    std::string cut;
    for (size_t at = 5; at < whole.size();) {
      const size_t size = 1 + random.below(40);
      cut += record(whole.substr(at, size));
      at += size;
    }
    CHECK(first_answer(cut) == after(cut.size(), read));
  }
}

TEST_CASE("what is not TLS is known by its first bytes") {
  struct Row {
    std::string name;
    std::string bytes;
    size_t known_after;
  };
  const std::vector<Row> rows = {
      {"HTTP", "GET / HTTP/1.1\r\n", 1},
      {"h2 preface", "PRI * HTTP/2.0\r\n", 1},
      {"SSH", "SSH-2.0-OpenSSH\r\n", 1},
      {"SSLv2 hello", "\x80\x2e\1\3\1"s, 1},
      {"zero", "\0\0\0"s, 1},
      {"alert", "\x15\3\1\0\2\2\x28"s, 1},
      {"change cipher spec", "\x14\3\1\0\1\1"s, 1},
      {"application data", "\x17\3\3\0\1x"s, 1},
      {"another version", "\x16\2\1\0\5"s, 2},
      {"DTLS", "\x16\xfe\xfd\0\0"s, 2},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    CHECK(peek(row.bytes) == "not TLS");
    CHECK(first_answer(row.bytes) == after(row.known_after, "not TLS"));
  }
  CHECK(peek("") == "more");
  CHECK(peek("\x16") == "more");
}

TEST_CASE("names") {
  const std::string label(63, 'a');
  const std::string longest = label + "." + label + "." + label + "." + std::string(61, 'a');
  REQUIRE(longest.size() == 253);
  struct Row {
    std::string name;
    std::string sent;
    std::string read;  // empty: malformed
  };
  const std::vector<Row> rows = {
      {"plain", "example.com", "example.com"},
      {"upper case", "Example.COM", "example.com"},
      {"one label", "localhost", "localhost"},
      {"final dot", "example.com.", "example.com"},
      {"A-label", "xn--bcher-kva.example", "xn--bcher-kva.example"},
      {"underscore", "a_b.example", "a_b.example"},
      {"IPv4", "192.0.2.1", "192.0.2.1"},
      {"IPv6", "2001:DB8::1", "2001:db8::1"},
      {"253 characters", longest, longest},
      {"253 characters and a final dot", longest + ".", longest},
      {"254 characters", longest + "a", ""},
      {"300 characters", std::string(300, 'a'), ""},
      {"label of 64", label + "a.example", ""},
      {"nothing", "", ""},
      {"a dot", ".", ""},
      {"two final dots", "example.com..", ""},
      {"empty label", "a..example", ""},
      {"leading dot", ".example", ""},
      {"NUL within", "example.com\0.evil"s, ""},
      {"NUL at the end", "example.com\0"s, ""},
      {"blank", "a b", ""},
      {"wildcard", "*.example", ""},
      {"slash", "a/b", ""},
      {"UTF-8",
       "b\xc3\xbc"
       "cher.example",
       ""},
      {"port", "example.com:443", ""},
      {"brackets", "[::1]", ""},
      {"zone", "fe80::1%eth0", ""},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    const std::string answer = peek(hello_with(server_name(row.sent)));
    CHECK(answer == (row.read.empty() ? "malformed" : row.read + "||3 "));
  }
}

TEST_CASE("extensions") {
  struct Row {
    std::string name;
    std::string extensions;
    std::string read;
  };
  const std::string host_name = "\0"s + vector(2, "a");
  const std::vector<Row> rows = {
      {"none", "", "||3 "},
      {"unknown", extension(0x1234, "x"), "||3 "},
      {"GREASE", extension(0x0a0a, "") + server_name("a") + extension(0xfafa, "\0"s), "a||3 "},
      {"GREASE in lists", alpn("\2\x1a\x1a\2h2\2\xea\xea") + versions("\xba\xba\3\4\3\3"),
       "|h2 |4 3 "},
      {"not GREASE", alpn("\2\x1a\x2a"), "|\x1a\x2a |3 "},
      {"encrypted", extension(0xfe0d, "\0x"s), "||3 |encrypted"},
      {"twice", extension(0x1234, "") + extension(0x1234, ""), "malformed"},
      {"name twice", server_name("a") + server_name("a"), "malformed"},
      {"twice with others between", extension(7, "") + extension(9, "") + extension(7, ""),
       "malformed"},
      {"names: none", extension(0, ""), "malformed"},
      {"names: an empty list", extension(0, vector(2, "")), "malformed"},
      {"names: two", extension(0, vector(2, host_name + host_name)), "malformed"},
      {"names: of another type", extension(0, vector(2, "\1" + vector(2, "a"))), "malformed"},
      {"names: cut", extension(0, vector(2, "\0\0\2a"s)), "malformed"},
      {"names: bytes behind", extension(0, vector(2, host_name) + "x"), "malformed"},
      {"names: the list's length lies", extension(0, "\0\5"s + host_name), "malformed"},
      {"protocols: an empty list", alpn(""), "malformed"},
      {"protocols: an empty one", alpn("\2h2\0"s), "malformed"},
      {"protocols: cut", alpn("\3h2"), "malformed"},
      {"protocols: bytes behind", extension(16, vector(2, "\2h2") + "x"), "malformed"},
      {"versions: an empty list", versions(""), "malformed"},
      {"versions: odd", versions("\3\4\3"), "malformed"},
      {"versions: bytes behind", extension(43, vector(1, "\3\4") + "x"), "malformed"},
      {"versions: GREASE alone", versions("\x0a\x0a"), "||"},
      {"signatures: an empty list", extension(13, vector(2, "")), "malformed"},
      {"signatures: odd", extension(13, vector(2, "\4\3\4")), "malformed"},
      {"signatures", extension(13, vector(2, "\4\3\x0a\x0a")), "||3 "},
      {"cut in its head", number(7, 2) + "\0"s, "malformed"},
      {"cut in its data", number(7, 2) + "\0\2x"s, "malformed"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    const std::string bytes = hello_with(row.extensions);
    CHECK(first_answer(bytes) == after(bytes.size(), row.read));
  }
}

TEST_CASE("messages and records") {
  struct Row {
    std::string name;
    std::string bytes;
    std::string read;
  };
  const std::string whole = message(fixed_part() + vector(2, server_name("a")));
  const std::string random(32, 'r');
  const std::vector<Row> rows = {
      {"no extensions", record(message(fixed_part())), "||3 "},
      {"TLS 1.0", record(message(fixed_part("\3\1"))), "||1 "},
      {"the legacy field says 1.3", record(message(fixed_part("\3\4"))), "||3 "},
      {"the legacy field is no TLS", record(message(fixed_part("\2\0"s))), "malformed"},
      {"record version 3.4", record(whole, "\x16\3\4"), "a||3 "},
      {"another version in the second record",
       record(whole.substr(0, 9)) + record(whole.substr(9), "\x16\4\1"), "malformed"},
      {"an alert within", record(whole.substr(0, 9)) + record("\2\x28", "\x15\3\1"), "malformed"},
      {"an empty record", record(""), "malformed"},
      {"an empty record within", record(whole.substr(0, 9)) + record(""), "malformed"},
      {"a record over 2^14", "\x16\3\1\x40\1"s, "malformed"},
      {"another message", record("\2" + vector(3, fixed_part())), "malformed"},
      {"more behind it in its record", record(whole + "x"), "malformed"},
      {"bytes behind the extensions", record(message(fixed_part() + vector(2, "") + "x")),
       "malformed"},
      {"nothing in it", record(message("")), "malformed"},
      {"cut random", record(message("\3\3" + std::string(31, 'r'))), "malformed"},
      {"session id of 33",
       record(message("\3\3" + random + vector(1, std::string(33, 's')) + "\0\2\x13\1\1\0"s)),
       "malformed"},
      {"no cipher suites", record(message("\3\3" + random + "\0\0\0\1\0"s)), "malformed"},
      {"odd cipher suites", record(message("\3\3" + random + "\0\0\3abc\1\0"s)), "malformed"},
      {"no compression method", record(message("\3\3" + random + "\0\0\2\x13\1\0"s)), "malformed"},
      {"a length over every limit", record("\1\xff\xff\xff"), "malformed"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    CHECK(peek(row.bytes) == row.read);
    CHECK(first_answer(row.bytes).starts_with(row.read));
  }
}

TEST_CASE("nobody is waited for beyond the limit") {
  const size_t body_bytes = kClientHelloBytesMax - 4;
  const std::string filler = extension(0x1234, std::string(60'000, 'x'));
  const std::string large = message(fixed_part() + vector(2, filler));
  CHECK(peek(in_records_of("12345" + large, 16384)) == "||3 ");
  CHECK(peek(record("\1" + number(body_bytes + 1, 3))) == "malformed");
  // The message would fit, its records do not.
  const std::string bytes = in_records_of("12345\1" + number(body_bytes, 3) + large, 16384);
  CHECK(peek(bytes.substr(0, 60'000)) == "more");
  CHECK(peek(in_records_of("12345" + large, 1)) == "malformed");
  CHECK(peek(std::string_view(in_records_of("12345" + large, 1)).substr(0, kClientHelloBytesMax)) ==
        "malformed");
}

TEST_CASE("what a hello offers") {
  ClientHello hello;
  CHECK_FALSE(hello.offers("h2"));
  CHECK(hello.version_max() == 0);
  hello.alpn = {"h2", "http/1.1"};
  hello.versions = {0x0303, 0x7f1c, 0x0304, 0x0305, 0xfefd};
  CHECK(hello.offers("h2"));
  CHECK_FALSE(hello.offers("H2"));
  CHECK(hello.version_max() == 0x0304);
  CHECK(hello.version_min() == 0x0303);
  hello.versions = {0x0305};
  CHECK(hello.version_max() == 0);
  CHECK(hello.version_min() == 0);
  hello.versions = {0x0002, 0x0305, 0x0304};
  CHECK(hello.version_min() == 0x0304);
}

TEST_CASE("whether a hello takes a certificate of ours") {
  struct Row {
    std::string name;
    std::function<void(SSL*)> configure;
    bool takes;
  };
  const auto tls12 = [](SSL* ssl, const char* ciphers, const char* signatures = nullptr) {
    SSL_set_max_proto_version(ssl, TLS1_2_VERSION);
    REQUIRE(SSL_set_cipher_list(ssl, ciphers) == 1);
    if (signatures != nullptr) REQUIRE(SSL_set1_sigalgs_list(ssl, signatures) == 1);
  };
  const std::vector<Row> rows = {
      {"as usual", [](SSL*) {}, true},
      {"RSA's signatures alone",
       [](SSL* ssl) { SSL_set1_sigalgs_list(ssl, "rsa_pss_rsae_sha256:RSA+SHA256"); }, false},
      {"by another curve, which TLS 1.3 tells apart",
       [](SSL* ssl) { SSL_set1_sigalgs_list(ssl, "ECDSA+SHA384:RSA+SHA256"); }, false},
      {"TLS 1.2", [&](SSL* ssl) { tls12(ssl, "DEFAULT"); }, true},
      {"TLS 1.2, suites of RSA alone", [&](SSL* ssl) { tls12(ssl, "ECDHE-RSA-AES128-GCM-SHA256"); },
       false},
      {"TLS 1.2, one of ECDSA",
       [&](SSL* ssl) { tls12(ssl, "ECDHE-RSA-AES128-SHA:ECDHE-ECDSA-AES128-GCM-SHA256"); }, true},
      {"TLS 1.2, one of ECDSA, and signatures of RSA alone",
       [&](SSL* ssl) {
         tls12(ssl, "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256", "RSA+SHA256");
       },
       false},
      {"TLS 1.2, any of ECDSA",
       [&](SSL* ssl) { tls12(ssl, "ECDHE-ECDSA-AES128-GCM-SHA256", "ECDSA+SHA384"); }, true},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    ClientHello hello;
    REQUIRE(peek_client_hello(openssl_hello(row.configure), hello) == Peek::kHello);
    CHECK(hello.takes_ours() == row.takes);
  }
  // Who says nothing of signatures may take all of them.
  ClientHello silent;
  REQUIRE(peek_client_hello(hello_with(versions("\3\4")), silent) == Peek::kHello);
  CHECK(silent.takes_ours());
}

TEST_CASE("a hello that is not read leaves the old one alone") {
  ClientHello hello;
  hello.server_name = "before";
  CHECK(peek_client_hello(hello_with(server_name("a") + alpn("")), hello) == Peek::kMalformed);
  CHECK(hello.server_name == "before");
}

TEST_CASE("how much of a hello is worth waiting for") {
  using sidespan::tls::client_hello_wants;
  const std::string one = record(std::string(300, 'x'));
  CHECK(client_hello_wants("") == 5);
  CHECK(client_hello_wants(one.substr(0, 4)) == 5);
  CHECK(client_hello_wants(one.substr(0, 5)) == 305);
  CHECK(client_hello_wants(one.substr(0, 304)) == 305);
  CHECK(client_hello_wants(one) == 310);
  CHECK(client_hello_wants(one + one.substr(0, 100)) == 610);
}
