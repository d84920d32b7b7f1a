#include "sidespan/proxy/interceptor.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

namespace sidespan::proxy {
namespace {

const MonoTime kNow{std::chrono::hours(1)};
const WallTime kWall{std::chrono::hours(24 * 365 * 60)};
constexpr uint16_t kTls13 = 0x0304;
constexpr uint16_t kTls11 = 0x0302;

Interception all() {
  Interception options;
  options.mode = Interception::Mode::kAll;
  auto made = tls::Authority::make({}, kWall);
  REQUIRE(made);
  options.authority = *std::move(made);
  return options;
}

std::vector<HostPattern> patterns(std::string_view text) {
  auto parsed = HostPattern::parse(text);
  REQUIRE(parsed);
  return {*parsed};
}

tls::ClientHello hello_to(std::string_view name) {
  tls::ClientHello hello;
  hello.server_name = name;
  hello.alpn = {"h2", "http/1.1"};
  hello.versions = {kTls13};
  return hello;
}

wire::PoolKey key_of(const std::string& host) {
  wire::PoolKey key;
  key.host = host;
  key.port = 443;
  key.secure = true;
  return key;
}

}  // namespace

TEST_CASE("what a hello says decides, in its order") {
  struct Row {
    const char* what;
    void (*change)(Interception&, tls::ClientHello&);
    std::optional<Opaque> passes;
  };
  const std::vector<Row> rows = {
      {"opened", [](Interception&, tls::ClientHello&) {}, {}},
      {"without a name", [](Interception&, tls::ClientHello& h) { h.server_name = ""; }, {}},
      {"off", [](Interception& i, tls::ClientHello&) { i.mode = Interception::Mode::kOff; },
       Opaque::kOff},
      {"bypass", [](Interception& i, tls::ClientHello&) { i.bypass = patterns("*.example"); },
       Opaque::kBypass},
      {"bypass by address",
       [](Interception& i, tls::ClientHello&) { i.bypass = patterns("192.0.2.0/24"); },
       Opaque::kBypass},
      {"not listed",
       [](Interception& i, tls::ClientHello&) {
         i.mode = Interception::Mode::kListed;
         i.hosts = patterns("b.example");
       },
       Opaque::kNotListed},
      {"another name", [](Interception&, tls::ClientHello& h) { h.server_name = "b.example"; },
       Opaque::kSniMismatch},
      {"hidden",
       [](Interception&, tls::ClientHello& h) {
         h.server_name = "public.example";
         h.encrypted = true;
       },
       Opaque::kEncryptedHello},
      {"a semblance of that", [](Interception&, tls::ClientHello& h) { h.encrypted = true; }, {}},
      {"another protocol", [](Interception&, tls::ClientHello& h) { h.alpn = {"mqtt"}; },
       Opaque::kAlpn},
      {"old", [](Interception&, tls::ClientHello& h) { h.versions = {kTls11}; },
       Opaque::kTlsVersion},
      {"certificates of RSA alone",
       [](Interception&, tls::ClientHello& h) { h.signatures = {0x0804, 0x0401}; },
       Opaque::kNoEcdsa}};
  for (const Row& row : rows) {
    CAPTURE(std::string(row.what));
    Interception options = all();
    tls::ClientHello hello = hello_to("a.example");
    row.change(options, hello);
    Interceptor interceptor(options);
    const auto peer = net::Address::parse("192.0.2.7", 443);
    const auto decision = interceptor.decide({"a.example", 443, ""}, *peer, hello, kNow);
    CHECK(decision.opaque == row.passes);
    CHECK_FALSE(decision.refuse);
    if (!row.passes) CHECK(decision.name == "a.example");
  }
}

TEST_CASE("a mismatch is refused, whatever else would let the tunnel pass") {
  Interception options = all();
  options.mismatch = Interception::Mismatch::kRefuse;
  const auto refuses = [](const Interception& given, const tls::ClientHello& hello) {
    return Interceptor(given).decide({"a.example", 443, ""}, {}, hello, kNow).refuse;
  };
  CHECK_FALSE(refuses(options, hello_to("a.example")));
  CHECK_FALSE(refuses(options, hello_to("")));
  const tls::ClientHello other = hello_to("evil.example");
  CHECK(refuses(options, other));
  tls::ClientHello changed = other;
  changed.encrypted = true;
  CHECK(refuses(options, changed));
  changed = other;
  changed.alpn = {"mqtt"};
  CHECK(refuses(options, changed));
  changed = other;
  changed.versions = {kTls11};
  CHECK(refuses(options, changed));
  options.bypass = patterns("evil.example");
  CHECK(refuses(options, other));
  options.mode = Interception::Mode::kListed;
  options.bypass = {};
  CHECK(refuses(options, other));
  CHECK(Interceptor(options).refuses_unread_hellos());
  options.mode = Interception::Mode::kOff;
  CHECK_FALSE(refuses(options, other));
  CHECK_FALSE(Interceptor(options).refuses_unread_hellos());
}

TEST_CASE("who refuses our certificate passes from then on, and nobody else") {
  const Interception options = all();
  Interceptor interceptor(options);
  const wire::PoolKey key = key_of("a.example");
  const auto passes = [&](std::string_view execution, MonoTime now = kNow) {
    const auto decision =
        interceptor.decide({"a.example", 443, execution}, {}, hello_to("a.example"), now);
    const bool may = interceptor.may_open({"a.example", 443, execution}, now);
    CHECK(may == !decision.opaque.has_value());
    return decision.opaque == Opaque::kPinned;
  };
  CHECK(interceptor.rejected(key, "bob", kNow));
  CHECK_FALSE(interceptor.rejected(key, "bob", kNow));
  CHECK(passes("bob"));
  CHECK_FALSE(passes("ada"));
  CHECK_FALSE(passes(""));
  CHECK_FALSE(passes("bob", kNow + std::chrono::hours(2)));

  CHECK_FALSE(interceptor.left(key, "ada", kNow));
  interceptor.left(key, "eve", kNow);
  CHECK_FALSE(passes("ada"));
  CHECK(interceptor.left(key, "ada", kNow));
  CHECK(passes("ada"));
  CHECK_FALSE(passes("eve"));
  interceptor.served(key, "eve");
  interceptor.left(key, "eve", kNow);
  interceptor.left(key, "eve", kNow);
  CHECK_FALSE(passes("eve"));
}

}  // namespace sidespan::proxy
