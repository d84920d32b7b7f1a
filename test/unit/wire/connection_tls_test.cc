#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <string>

#include "sidespan/http/h1_codec.h"
#include "sidespan/net/listener.h"
#include "sidespan/wire/connection.h"
#include "support/scripted_origin.h"
#include "tls/openssl.h"

namespace sidespan::wire {
namespace {

using support::run_until;

// A TLS client whose socket holds little, and which reads when it is told to.
class Client {
 public:
  explicit Client(uint16_t port)
      : context_(SSL_CTX_new(TLS_client_method())), ssl_(SSL_new(context_.get())) {
    SSL_set_bio(ssl_.get(), BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    SSL_set_connect_state(ssl_.get());
    const int room = 4096;
    const int segment = 1000;
    ::setsockopt(socket_, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
    ::setsockopt(socket_, IPPROTO_TCP, TCP_MAXSEG, &segment, sizeof segment);
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ::connect(socket_, reinterpret_cast<const sockaddr*>(&to), sizeof to);
  }
  ~Client() { ::close(socket_); }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  void ask_for_keys(int times) {
    for (int i = 0; i < times; ++i) {
      SSL_key_update(ssl_.get(), SSL_KEY_UPDATE_REQUESTED);
      SSL_do_handshake(ssl_.get());
    }
  }
  void say(std::string_view text) {
    SSL_write(ssl_.get(), text.data(), static_cast<int>(text.size()));
  }
  void move() {
    std::array<char, 16384> bytes;
    if (reads) {
      for (ssize_t n; (n = ::recv(socket_, bytes.data(), bytes.size(), MSG_DONTWAIT)) > 0;) {
        BIO_write(SSL_get_rbio(ssl_.get()), bytes.data(), static_cast<int>(n));
      }
      for (int n; (n = SSL_read(ssl_.get(), bytes.data(), bytes.size())) > 0;) {
        got.append(bytes.data(), static_cast<size_t>(n));
      }
    }
    for (int n; (n = BIO_read(SSL_get_wbio(ssl_.get()), bytes.data(), bytes.size())) > 0;) {
      unsent_.append(bytes.data(), static_cast<size_t>(n));
    }
    const ssize_t sent =
        ::send(socket_, unsent_.data(), unsent_.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent > 0) unsent_.erase(0, static_cast<size_t>(sent));
  }
  bool established() const { return SSL_is_init_finished(ssl_.get()) == 1; }

  bool reads = true;
  std::string got;

 private:
  tls::SslContextPtr context_;
  tls::SslPtr ssl_;
  int socket_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  std::string unsent_;
};

struct Rig final : ConnectionOwner {
  Rig() {
    listener = *net::Listener::listen(
        loop, *net::Address::parse("127.0.0.1", 0), {}, [this](auto accepted) {
          connection.emplace(std::move(accepted), nullptr, http::make_h1_server({}), *this);
          connection->secure(tls::Engine::server(*context, leaf, "http/1.1"),
                             http::make_h1_server({}), {});
        });
    client.emplace(listener->address().port());
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
  std::unique_ptr<net::Listener> listener;
  std::optional<Connection> connection;
  std::optional<Client> client;
  http::StreamId asked = 0;
};

TEST_CASE("who asks for new keys without end and takes none is not listened to, until he does") {
  Rig rig;
  REQUIRE(rig.until([&] { return rig.client->established(); }));
  rig.client->reads = false;
  rig.client->ask_for_keys(60'000);  // more than the sockets between take answers of
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
  CHECK(most < 192 * 1024);

  rig.client->reads = true;
  REQUIRE(rig.until([&] { return rig.asked != 0; }));
  rig.answer();
  CHECK(rig.until([&] { return rig.client->got.ends_with("ok"); }));
}

}  // namespace
}  // namespace sidespan::wire
