#include <doctest/doctest.h>

#include <array>
#include <string>

#include "sidespan/http/h1_codec.h"
#include "sidespan/net/stream.h"
#include "sidespan/wire/connection.h"
#include "support/scripted_origin.h"
#include "tls/openssl.h"

namespace sidespan::wire {
namespace {

using support::run_until;

// A TLS client that reads when it is told to. No socket is between it and the server: what those
// hold, and what a full one does to the other way, is the system's.
class Client final : public net::StreamReader {
 public:
  explicit Client(std::unique_ptr<net::Stream> stream)
      : context_(SSL_CTX_new(TLS_client_method())),
        ssl_(SSL_new(context_.get())),
        stream_(std::move(stream)) {
    SSL_set_bio(ssl_.get(), BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    SSL_set_connect_state(ssl_.get());
    stream_->start(*this);
  }

  void ask_for_keys(int times) {
    for (int i = 0; i < times; ++i) {
      SSL_key_update(ssl_.get(), SSL_KEY_UPDATE_REQUESTED);
      SSL_do_handshake(ssl_.get());
    }
  }
  void say(std::string_view text) {
    SSL_write(ssl_.get(), text.data(), static_cast<int>(text.size()));
  }
  void read(bool reads) { reads ? stream_->resume() : stream_->pause(); }
  void move() {
    std::array<char, 16384> bytes;
    for (int n; (n = SSL_read(ssl_.get(), bytes.data(), bytes.size())) > 0;) {
      got.append(bytes.data(), static_cast<size_t>(n));
    }
    Chain said;
    for (int n; (n = BIO_read(SSL_get_wbio(ssl_.get()), bytes.data(), bytes.size())) > 0;) {
      said.append(std::string_view(bytes.data(), static_cast<size_t>(n)));
    }
    stream_->write(std::move(said));
  }
  bool established() const { return SSL_is_init_finished(ssl_.get()) == 1; }

  std::string got;

 private:
  void on_bytes(const Chunk& read) override {
    BIO_write(SSL_get_rbio(ssl_.get()), read.view().data(), static_cast<int>(read.size()));
  }
  void on_end() override {}
  void on_failure(Error) override {}
  void on_written(size_t) override {}

  tls::SslContextPtr context_;
  tls::SslPtr ssl_;
  std::unique_ptr<net::Stream> stream_;
};

struct Rig final : ConnectionOwner {
  Rig() {
    net::Stream::Pair pair = net::Stream::pair(loop, *net::Address::parse("127.0.0.1", 1));
    connection.emplace(std::move(pair.first), nullptr, http::make_h1_server({}), *this);
    connection->secure(tls::Engine::server(*context, leaf, "http/1.1"), http::make_h1_server({}),
                       {});
    client.emplace(std::move(pair.second));
  }

  void wake(Connection& woken) override {
    while (std::optional<http::Event> event = woken.next()) {
      if (std::holds_alternative<http::End>(event->what)) asked = event->stream;
    }
  }

  void answer() {
    http::Head head;
    head.status = 200;
    head.body = http::BodyLength::known(2);
    head.headers.add("Content-Length", "2");
    connection->send({asked, std::move(head)});
    connection->send({asked, http::Body{Chain("ok")}});
    connection->send({asked, http::End{}});
  }

  bool until(std::function<bool()> reached, Milliseconds limit = Milliseconds(60'000)) {
    return run_until(
        loop,
        [&] {
          client->move();
          return reached();
        },
        limit);
  }

  WallTime now = SystemClock().now().wall;
  std::unique_ptr<tls::Authority> authority = *tls::Authority::make({}, now);
  tls::Leaf leaf = *authority->mint("h.example", now);
  std::unique_ptr<tls::ServerContext> context = *tls::ServerContext::make();
  net::Loop loop;
  std::optional<Connection> connection;
  std::optional<Client> client;
  http::StreamId asked = 0;
};

TEST_CASE("who asks for new keys without end and takes none is not listened to, until he does") {
  Rig rig;
  REQUIRE(rig.until([&] { return rig.client->established(); }));
  rig.client->read(false);
  rig.client->ask_for_keys(20'000);
  rig.client->say("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
  size_t most = 0;
  const auto look_for = [&](auto reached, Milliseconds limit) {
    return rig.until(
        [&] {
          most = std::max(most, rig.connection->held());
          return reached();
        },
        limit);
  };
  CHECK(look_for([&] { return most > 64 * 1024; }, Milliseconds(60'000)));
  look_for([&] { return rig.asked != 0; }, Milliseconds(500));
  CHECK(rig.asked == 0);
  CHECK(most < 224 * 1024);  // OpenSSL's buffers for a record each way among it

  rig.client->read(true);
  REQUIRE(rig.until([&] { return rig.asked != 0; }));
  rig.answer();
  CHECK(rig.until([&] { return rig.client->got.ends_with("ok"); }));
}

}  // namespace
}  // namespace sidespan::wire
