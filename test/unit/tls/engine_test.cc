#include "sidespan/tls/engine.h"

#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <vector>

#include "sidespan/base/memory_ledger.h"
#include "support/temporary_directory.h"
#include "tls/openssl.h"

namespace sidespan::tls {
namespace {

WallTime now() {
  return SystemClock().now().wall;
}

constexpr std::chrono::hours kDay{24};

// An authority, somebody who trusts it, and servers with leaves of it.
struct World {
  explicit World(WallTime minted_at = now())
      : minted(minted_at),
        authority(*Authority::make({}, minted_at)),
        server(*ServerContext::make()) {
    const std::string file = directory.write("ca.pem", authority->certificate_pem());
    trusting = context({.system_roots = false, .files = {file}});
  }

  static std::unique_ptr<ClientContext> context(const Trust::Options& options) {
    return *ClientContext::make({.trust = *Trust::load(options)});
  }
  std::unique_ptr<Engine> serve(std::string_view host, std::string_view alpn = "http/1.1") const {
    return Engine::server(*server, *authority->mint(host, minted), alpn);
  }
  std::unique_ptr<Engine> call(const std::string& host) const {
    return Engine::client(*trusting, {.host = host, .port = 443, .alpn = {"h2", "http/1.1"}});
  }

  WallTime minted;
  std::unique_ptr<Authority> authority;
  std::unique_ptr<ServerContext> server;
  support::TemporaryDirectory directory;
  std::unique_ptr<ClientContext> trusting;
};

// How bytes are cut on the way: 0 is not at all.
using Cuts = std::vector<size_t>;

// Gives `to` what `from` has to say, and adds what `to` decrypts to `plain`.
void carry(Engine& from, Engine& to, std::string& plain, size_t cut) {
  const std::string bytes = from.take_output().to_string();
  const size_t step = cut == 0 ? std::max<size_t>(bytes.size(), 1) : cut;
  for (size_t at = 0; at < bytes.size(); at += step) {
    to.feed(std::string_view(bytes).substr(at, step));
    Chunk chunk;
    while (to.read(chunk)) plain += chunk.view();
  }
}

struct Pair {
  Pair(std::unique_ptr<Engine> client_side, std::unique_ptr<Engine> server_side, size_t cut_at = 0)
      : client(std::move(client_side)), server(std::move(server_side)), cut(cut_at) {
    pump();
  }

  void pump() {
    while (client->has_output() || server->has_output()) {
      carry(*client, *server, at_server, cut);
      carry(*server, *client, at_client, cut);
    }
  }

  std::unique_ptr<Engine> client;
  std::unique_ptr<Engine> server;
  size_t cut;
  std::string at_client;
  std::string at_server;
};

TEST_CASE("engine: bytes go both ways, however they are cut") {
  const World world;
  for (const size_t cut : Cuts{0, 1, 7, 1000}) {
    CAPTURE(cut);
    Pair pair(world.call("api.example.com"), world.serve("api.example.com"), cut);
    REQUIRE(pair.client->established());
    REQUIRE(pair.server->established());
    CHECK(pair.client->version() == "1.3");
    CHECK(pair.client->alpn() == "http/1.1");
    CHECK(pair.server->alpn() == "http/1.1");
    CHECK_FALSE(pair.client->certificate_wanted());

    Chain request(std::string("head "));
    request.append(std::string_view("body"));
    pair.client->write(request);
    pair.server->write(Chain("answer"));
    pair.pump();
    CHECK(pair.at_server == "head body");
    CHECK(pair.at_client == "answer");
  }
}

TEST_CASE("engine: much at once") {
  const World world;
  Pair pair(world.call("h.example"), world.serve("h.example"));
  std::string much;
  for (int i = 0; much.size() < 1'000'000; ++i) much += std::to_string(i);
  Chain pieces;
  for (size_t at = 0; at < much.size(); at += 5000) {
    pieces.append(Chunk::copy_of(std::string_view(much).substr(at, 5000)));
  }
  pair.client->write(pieces);
  pair.pump();
  CHECK(pair.at_server == much);
}

TEST_CASE("engine: without a protocol in common none is chosen") {
  const World world;
  const Pair pair(world.call("h.example"), world.serve("h.example", "other"));
  CHECK(pair.client->established());
  CHECK(pair.client->alpn().empty());
}

TEST_CASE("engine: close_notify is an end, each way for itself") {
  const World world;
  Pair pair(world.call("h.example"), world.serve("h.example"));
  pair.client->write(Chain("last words"));
  pair.client->finish();
  pair.pump();
  CHECK(pair.at_server == "last words");
  CHECK(pair.server->peer_finished());
  CHECK_FALSE(pair.client->peer_finished());
  pair.server->write(Chain("heard"));
  pair.server->finish();
  pair.pump();
  CHECK(pair.at_client == "heard");
  CHECK(pair.client->peer_finished());
  CHECK_FALSE(pair.client->failure().has_value());
}

TEST_CASE("engine: a session is resumed once, and under its own certificate alone") {
  const World world;
  const auto resumed = [&](const std::string& host) {
    return Pair(world.call(host), world.serve(host)).client->resumed();
  };
  CHECK_FALSE(resumed("a.example"));
  // Another leaf of the same name: the ticket of the one before is not for it.
  CHECK_FALSE(resumed("a.example"));

  const Leaf leaf = *world.authority->mint("b.example", world.minted);
  const auto again = [&] {
    return Pair(world.call("b.example"), Engine::server(*world.server, leaf, "http/1.1"));
  };
  CHECK_FALSE(again().client->resumed());
  const Pair second = again();
  CHECK(second.client->resumed());
  CHECK(second.client->peer().covers("b.example"));
}

TEST_CASE("engine: who is not who was called is refused, and both sides know why") {
  struct Row {
    const char* name;
    Code code;
    std::unique_ptr<Engine> client;
    std::unique_ptr<Engine> server;
    bool rejected;
  };
  const World world;
  const World stranger;
  const World past(now() - 300 * kDay);
  Row rows[] = {
      {"another name", Code::kCertificateName, world.call("a.example"), world.serve("b.example"),
       true},
      {"another address", Code::kCertificateName, world.call("127.0.0.1"), world.serve("127.0.0.2"),
       true},
      {"a name for an address", Code::kCertificateName, world.call("127.0.0.1"),
       world.serve("localhost"), true},
      {"signed by nobody we know", Code::kCertificateUntrusted, world.call("a.example"),
       stranger.serve("a.example"), true},
      {"over", Code::kCertificateExpired, past.call("a.example"), past.serve("a.example"), true},
  };
  for (Row& row : rows) {
    CAPTURE(row.name);
    const Pair pair(std::move(row.client), std::move(row.server));
    CHECK_FALSE(pair.client->established());
    REQUIRE(pair.client->failure().has_value());
    CHECK(pair.client->failure()->code == row.code);
    CHECK(pair.client->failure()->side == Side::kOrigin);
    REQUIRE(pair.server->failure().has_value());
    CHECK(pair.server->failure()->code == Code::kTlsFailure);
    CHECK(pair.server->failure()->side == Side::kAgent);
    CHECK(pair.server->rejected_by_peer() == row.rejected);
  }
}

TEST_CASE("engine: what a certificate covers") {
  const World world;
  const Pair pair(world.call("a.example"), world.serve("a.example"));
  const PeerCertificate& peer = pair.client->peer();
  CHECK(peer.covers("a.example"));
  CHECK_FALSE(peer.covers("b.example"));
  CHECK_FALSE(peer.covers("example"));
  CHECK_FALSE(peer.covers("127.0.0.1"));
  CHECK_FALSE(peer.covers(""));
  CHECK_FALSE(PeerCertificate().covers("a.example"));
  const Pair address(world.call("127.0.0.1"), world.serve("127.0.0.1"));
  CHECK(address.client->peer().covers("127.0.0.1"));
}

TEST_CASE("engine: what comes with the end of the handshake is kept for who reads later") {
  const World world;
  const auto client = world.call("h.example");
  const auto server = world.serve("h.example");
  std::string plain;
  carry(*client, *server, plain, 0);
  carry(*server, *client, plain, 0);
  client->write(Chain("early"));
  const std::string bytes = client->take_output().to_string();
  server->feed(bytes);
  server->handshake();
  server->keep();
  REQUIRE(server->established());
  Chunk chunk;
  REQUIRE(server->read(chunk));
  CHECK(chunk.view() == "early");
  CHECK_FALSE(server->read(chunk));
}

TEST_CASE("engine: it says whether something of a record is here") {
  const World world;
  Chunk chunk;
  for (const size_t piece : {1, 5, 6, 20}) {
    CAPTURE(piece);
    Pair pair(world.call("h.example"), world.serve("h.example"));
    CHECK_FALSE(pair.server->has_unread());
    pair.client->write(Chain("half a request"));
    const std::string record = pair.client->take_output().to_string();
    pair.server->feed(std::string_view(record).substr(0, piece));
    CHECK_FALSE(pair.server->read(chunk));
    CHECK(pair.server->has_unread());
    pair.server->feed(std::string_view(record).substr(piece));
    REQUIRE(pair.server->read(chunk));
    CHECK(chunk.view() == "half a request");
    CHECK_FALSE(pair.server->read(chunk));
    CHECK_FALSE(pair.server->has_unread());
  }
}

TEST_CASE("engine: a broken record ends it, and what is no TLS never begins") {
  const World world;
  Pair pair(world.call("h.example"), world.serve("h.example"));
  pair.client->write(Chain("secret"));
  std::string bytes = pair.client->take_output().to_string();
  bytes.back() ^= 1;
  pair.server->feed(bytes);
  Chunk chunk;
  CHECK_FALSE(pair.server->read(chunk));
  REQUIRE(pair.server->failure().has_value());
  CHECK(pair.server->failure()->code == Code::kTlsFailure);
  CHECK(pair.server->has_output());  // the alert
  pair.server->write(Chain("nobody hears this"));

  const auto deaf = world.serve("h.example");
  deaf->feed("GET / HTTP/1.1\r\n\r\n");
  CHECK_FALSE(deaf->read(chunk));
  CHECK(deaf->failure().has_value());
  CHECK_FALSE(deaf->rejected_by_peer());
}

constexpr size_t kKiB = 1024;

// The same, and behind it so many certificates that nobody needs.
Leaf with_more(const Leaf& leaf, int count) {
  X509_up_ref(leaf.certificate());
  EVP_PKEY_up_ref(leaf.key());
  const std::shared_ptr<STACK_OF(X509)> more(
      sk_X509_new_null(), [](STACK_OF(X509) * all) { sk_X509_pop_free(all, X509_free); });
  for (int i = 0; i < count; ++i) {
    X509_up_ref(leaf.certificate());
    sk_X509_push(more.get(), leaf.certificate());
  }
  return {{leaf.certificate(), X509_free},
          {leaf.key(), EVP_PKEY_free},
          more,
          leaf.not_before(),
          leaf.not_after()};
}

TEST_CASE("engine: of all that an origin shows its certificate alone is kept") {
  const World world;
  const auto held = [&](const std::string& host, int more) {
    const int64_t before = memory::tally.held;
    const Leaf leaf = with_more(*world.authority->mint(host, world.minted), more);
    const Pair pair(world.call(host), Engine::server(*world.server, leaf, "http/1.1"));
    REQUIRE(pair.client->established());
    CHECK(pair.client->peer().covers(host));
    const auto all = static_cast<size_t>(memory::tally.held - before);
    const size_t both = pair.client->memory_bytes() + pair.server->memory_bytes();
    CHECK(all < both + 16 * kKiB);  // the leaf, and a session for later
    CHECK(all + kKiB > both);
    return pair.client->memory_bytes();
  };
  held("first.example", 0);  // OpenSSL makes some things once
  const size_t alone = held("alone.example", 0);
  CHECK(alone > 8 * kKiB);
  CHECK(held("many.example", 100) < alone + 16 * kKiB);
}

TEST_CASE("engine: it holds what its peer only begins to send") {
  const World world;
  Pair pair(world.call("h.example"), world.serve("h.example"));
  pair.client->write(Chain("half a request"));
  const std::string record = pair.client->take_output().to_string();
  const size_t before = pair.server->memory_bytes();
  Chunk chunk;
  pair.server->feed(std::string_view(record).substr(0, 6));
  CHECK_FALSE(pair.server->read(chunk));
  CHECK(pair.server->memory_bytes() > before + 16 * kKiB);
  pair.server->feed(std::string_view(record).substr(6));
  REQUIRE(pair.server->read(chunk));
  CHECK_FALSE(pair.server->read(chunk));
  CHECK(pair.server->memory_bytes() < before + kKiB);

  // A ServerHello of TLS 1.2, and of a certificate the length: room for all of it is made at once.
  using namespace std::string_literals;
  const auto client = world.call("h.example");
  client->take_output();
  const size_t begun = client->memory_bytes();
  const std::string hello =
      "\x02\0\0\x2d\x03\x03"s + std::string(32, 'r') + "\0\xc0\x2f\0\0\x05\xff\x01\0\x01\0"s;
  const std::string said = "\x16\x03\x03\0"s + static_cast<char>(hello.size()) + hello +
                           "\x16\x03\x03\0\x07\x0b\0\xea\x60\0\xea\x5d"s;
  client->feed(said);
  client->handshake();
  client->keep();
  CHECK_FALSE(client->failure().has_value());
  CHECK(client->memory_bytes() > begun + 32 * kKiB);  // the hello has left
}

TEST_CASE("engine: more certificates than any chain needs are refused, and it is said whose") {
  const World world;
  const Leaf leaf = with_more(*world.authority->mint("h.example", world.minted), 200);
  const Pair pair(world.call("h.example"), Engine::server(*world.server, leaf, "http/1.1"));
  REQUIRE(pair.client->failure().has_value());
  CHECK(pair.client->failure()->side == Side::kOrigin);
  CHECK(pair.client->failure()->what ==
        "h.example:443 shows more than 64 KiB of certificates, and sidespan takes no more");
  CHECK(pair.server->failure().has_value());
}

TEST_CASE("engine: sessions have a part of the ledger's limit, and the oldest makes room") {
  MemoryLedger ledger(1024 * kKiB);
  const MemoryAccount account(ledger, [] {});
  const World world;
  std::vector<Leaf> leaves;
  const auto host = [](size_t number) { return "h" + std::to_string(number) + ".example"; };
  const auto resumed = [&](size_t number) {
    const Pair pair(world.call(host(number)),
                    Engine::server(*world.server, leaves.at(number), "http/1.1"));
    REQUIRE(pair.client->established());
    return pair.client->resumed();
  };
  for (size_t number = 0; number < 60; ++number) {
    leaves.push_back(*world.authority->mint(host(number), world.minted));
    CHECK_FALSE(resumed(number));
  }
  CHECK(resumed(59));
  CHECK(resumed(55));
  CHECK_FALSE(resumed(0));
}

}  // namespace
}  // namespace sidespan::tls
