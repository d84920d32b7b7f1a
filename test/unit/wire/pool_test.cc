#include "sidespan/wire/pool.h"

#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <memory>
#include <vector>

#include "pool_rig.h"
#include "support/h2_frames.h"
#include "support/scripted_origin.h"

namespace sidespan::wire {
namespace {

using support::run_until;
using support::ScriptedOrigin;

TEST_CASE("a clean connection is used again") {
  Rig rig;
  CHECK(rig.once().status == 200);
  CHECK_FALSE(rig.reused);
  CHECK(rig.connected);
  CHECK(rig.pool.idle() == 1);
  CHECK(rig.once().status == 200);
  CHECK(rig.reused);
  CHECK_FALSE(rig.connected);
  CHECK(rig.origin.accepted() == 1);
}

TEST_CASE("a fresh connection is fresh though an idle one is there") {
  Rig rig;
  rig.once();
  rig.once(true);
  CHECK_FALSE(rig.reused);
  CHECK(rig.origin.accepted() == 2);
  CHECK(rig.pool.idle() == 2);
}

TEST_CASE("who asks for one key again and again gets what others get") {
  Rig rig;
  auto known = std::make_unique<Pool::Known>();
  Call call;
  CHECK(rig.pool.acquire(rig.key(), *known, call, true) == nullptr);  // before there is anything
  rig.once();
  for (int round = 0; round < 3; ++round) {
    Call again;
    again.stream = rig.pool.acquire(rig.key(), *known, again, true);
    REQUIRE(again.stream);
    CHECK(again.stream->reused());
    CHECK(rig.pool.acquire(rig.key(), *known, call, true) == nullptr);
    rig.ask(again);
    CHECK(again.status == 200);
  }
  CHECK(rig.origin.accepted() == 1);
  // When all connections are gone, and there is another.
  rig.origin.then({.bytes = "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n"});
  rig.once();
  CHECK(run_until(rig.loop, [&] { return rig.pool.idle() + rig.pool.busy() == 0; }));
  CHECK(rig.pool.acquire(rig.key(), *known, call, true) == nullptr);
  rig.once();
  call.stream = rig.pool.acquire(rig.key(), *known, call, true);
  CHECK(call.stream);
  known.reset();  // before its connections
  rig.ask(call);
  CHECK(call.status == 200);
  call.stream.reset();
  CHECK(rig.pool.idle() == 1);
}

TEST_CASE("a pinned connection is nobody else's") {
  Rig rig;
  rig.once(false, 7);
  rig.once();
  CHECK_FALSE(rig.reused);
  rig.once(false, 8);
  CHECK_FALSE(rig.reused);
  rig.once(false, 7);
  CHECK(rig.reused);
}

TEST_CASE("what is not clean is closed") {
  struct Row {
    std::string_view name;
    std::string bytes;
    bool close;
  };
  const std::vector<Row> rows = {
      {"Connection: close", "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
       false},
      {"HTTP/1.0", "HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", false},
      {"until close", "HTTP/1.1 200 OK\r\n\r\nabc", true},
      {"bytes behind the answer", ScriptedOrigin::answer(200) + "more", false},
      {"malformed", "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", false},
      {"no time to keep", ScriptedOrigin::answer(200, {{"Keep-Alive", "timeout=0"}}), false},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    Rig rig;
    rig.origin.then({.bytes = row.bytes, .close = row.close});
    rig.once();
    CHECK(run_until(rig.loop, [&] { return rig.pool.busy() == 0; }));
    CHECK(rig.pool.idle() == 0);
    CHECK(rig.once().status == 200);
    CHECK(rig.origin.accepted() == 2);
  }
}

// An origin beside the loop: what it does is not noticed before the loop turns.
class RawOrigin {
 public:
  RawOrigin() : listening_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    REQUIRE(::bind(listening_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
    REQUIRE(::listen(listening_, 4) == 0);
    socklen_t size = sizeof address;
    ::getsockname(listening_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
  }
  ~RawOrigin() {
    ::close(connected_);
    ::close(listening_);
  }
  uint16_t port() const { return port_; }
  void accept() { connected_ = ::accept(listening_, nullptr, nullptr); }
  void say(std::string_view bytes) {
    REQUIRE(::send(connected_, bytes.data(), bytes.size(), 0) == ssize_t(bytes.size()));
  }
  void end() { ::shutdown(connected_, SHUT_WR); }

 private:
  int listening_;
  int connected_ = -1;
  uint16_t port_ = 0;
};

TEST_CASE("an idle connection where something waits is not used") {
  struct Row {
    std::string_view name;
    void (*happens)(RawOrigin&);
    bool reused;
    // Without it the next call comes at once.
    bool later = true;
    bool repeatable = true;
    std::string_view method = "GET";
  };
  const auto nothing = [](RawOrigin&) {};
  const auto unasked = [](RawOrigin& origin) { origin.say(ScriptedOrigin::answer(200)); };
  const auto fin = [](RawOrigin& origin) { origin.end(); };
  const std::vector<Row> rows = {
      {"nothing", nothing, true},
      {"an answer to no request", unasked, false},
      {"FIN", fin, false},
      {.name = "nothing, at once", .happens = nothing, .reused = true, .later = false},
      {.name = "FIN, at once, and what follows cannot be repeated",
       .happens = fin,
       .reused = false,
       .later = false,
       .repeatable = false},
      {.name = "the body of an answer to HEAD, at once",
       .happens = [](RawOrigin& origin) { origin.say("body"); },
       .reused = false,
       .later = false,
       .method = "HEAD"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    Rig rig;
    RawOrigin origin;
    const PoolKey key{"127.0.0.1", origin.port(), 0};
    Call first;
    first.waiting =
        rig.pool.dial(key, first, [&](auto result) { first.stream = std::move(result).value(); });
    REQUIRE(run_until(rig.loop, [&] { return first.stream != nullptr; }));
    first.waiting.reset();
    origin.accept();
    // What came before does not count.
    for (const std::string_view method : {std::string_view("GET"), row.method}) {
      if (!first.stream) first.stream = rig.pool.acquire(key, first, true);
      REQUIRE(first.stream != nullptr);
      first.ended = false;
      http::Head head;
      head.set_method(method);
      head.set_target("/");
      first.stream->send_head(head);
      first.stream->send({0, http::End{}});
      origin.say(ScriptedOrigin::answer(200));
      REQUIRE(run_until(rig.loop, [&] { return first.over(); }));
      first.stream.reset();
    }
    if (row.later) support::run_for(rig.loop, Milliseconds(5));
    row.happens(origin);
    Call second;
    second.stream = rig.pool.acquire(key, second, row.repeatable);
    CHECK((second.stream != nullptr) == row.reused);
  }
}

TEST_CASE("an idle connection that the origin closes is forgotten") {
  Rig rig;
  rig.origin.then({.bytes = ScriptedOrigin::answer(200), .close = true});
  rig.once();
  CHECK(run_until(rig.loop, [&] { return rig.pool.idle() == 0; }));
  CHECK(rig.pool.busy() == 0);
}

TEST_CASE("a stream given back in the middle closes its connection") {
  Rig rig;
  rig.origin.then({.bytes = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab"});
  Call call;
  rig.acquire(call);
  http::Head head;
  head.set_method("GET");
  head.set_target("/");
  head.headers.add("Host", "h");
  call.stream->send({0, std::move(head)});
  call.stream->send({0, http::End{}});
  CHECK(run_until(rig.loop, [&] { return call.status == 200; }));
  call.stream.reset();
  CHECK(run_until(rig.loop, [&] { return rig.pool.busy() == 0; }));
  CHECK(rig.pool.idle() == 0);
}

TEST_CASE("a tunnel that was not needed leaves the connection as fresh as it was") {
  Rig rig;
  Call call;
  rig.acquire(call, true);
  call.stream->tunnel();
  call.stream->resume_http();
  call.stream.reset();
  CHECK(rig.pool.idle() == 1);
  CHECK(rig.once().status == 200);
  CHECK_FALSE(rig.reused);
  CHECK(rig.connected);
  CHECK(rig.origin.accepted() == 1);
}

TEST_CASE("the last bytes of a tunnel reach the origin") {
  net::Loop loop;
  std::string got;
  struct Reader final : net::StreamReader {
    explicit Reader(std::string& to) : out(to) {}
    void on_bytes(const Chunk& read) override { out += read.view(); }
    void on_end() override { ended = true; }
    void on_failure(Error) override { failed = true; }
    void on_written(size_t) override {}
    std::string& out;
    bool ended = false;
    bool failed = false;
  } reader(got);
  std::unique_ptr<net::Stream> peer;
  auto listener =
      net::Listener::listen(loop, *net::Address::parse("127.0.0.1", 0), {},
                            [&](std::unique_ptr<net::Stream> stream) { peer = std::move(stream); });
  REQUIRE(listener);
  Dialer dialer(loop, {}, {});
  Pool pool(loop, dialer, {});
  Call call;
  call.waiting = pool.dial({"127.0.0.1", (*listener)->address().port(), 0}, call,
                           [&](auto result) { call.stream = std::move(*result); });
  REQUIRE(run_until(loop, [&] { return call.stream && peer; }));
  call.waiting.reset();
  call.stream->tunnel();
  // The origin ends its direction and reads nothing yet, so that most of it waits here.
  const std::string bytes(8'000'000, 'x');
  call.stream->send({0, http::Body{Chain(bytes)}});
  call.stream->send({0, http::End{}});
  peer->shutdown();
  REQUIRE(run_until(loop, [&] { return call.ended; }));
  call.stream.reset();
  CHECK(pool.busy() == 1);
  peer->start(reader);
  CHECK(run_until(loop, [&] { return reader.ended || reader.failed; }));
  CHECK(got.size() == bytes.size());
  CHECK_FALSE(reader.failed);
  CHECK(run_until(loop, [&] { return pool.busy() == 0; }));
  peer.reset();
}

TEST_CASE("what is left of a tunnel can be found and reset") {
  net::Loop loop;
  std::unique_ptr<net::Stream> peer;
  auto listener =
      net::Listener::listen(loop, *net::Address::parse("127.0.0.1", 0), {},
                            [&](std::unique_ptr<net::Stream> stream) { peer = std::move(stream); });
  REQUIRE(listener);
  Dialer dialer(loop, {}, {});
  Pool pool(loop, dialer, {});
  Call call;
  call.waiting = pool.dial({"127.0.0.1", (*listener)->address().port(), 0}, call,
                           [&](auto result) { call.stream = std::move(*result); });
  REQUIRE(run_until(loop, [&] { return call.stream && peer; }));
  call.waiting.reset();
  call.stream->tunnel();
  call.stream->send({0, http::Body{Chain(std::string(8'000'000, 'x'))}});
  call.stream->send({0, http::End{}});
  peer->shutdown();
  REQUIRE(run_until(loop, [&] { return call.ended; }));
  CHECK(pool.leftovers().empty());  // a stream still uses it
  call.stream.reset();
  const std::vector<Pool::Leftover> left = pool.leftovers();
  REQUIRE(left.size() == 1);
  CHECK(left[0].bytes > 1'000'000);
  CHECK(left[0].bytes <= 8'000'000);
  pool.reset(left[0].id);
  pool.reset(left[0].id);
  CHECK(pool.leftovers().empty());
  CHECK(run_until(loop, [&] { return pool.busy() == 0; }));
  pool.reset(left[0].id);
  peer.reset();
}

TEST_CASE("idle connections have limits: each origin, all, and time") {
  SUBCASE("each origin") {
    Pool::Options options;
    options.idle_per_origin_max = 1;
    Rig rig(options);
    Call one, two;
    rig.acquire(one);
    rig.acquire(two);
    rig.ask(one);
    rig.ask(two);
    one.stream.reset();
    two.stream.reset();
    CHECK(rig.pool.idle() == 2);  // who asks in bursts needs both again
    Call three, four;
    rig.acquire(three);
    rig.acquire(four);
    CHECK(three.stream->reused());
    CHECK(four.stream->reused());
    rig.ask(three);
    rig.ask(four);
    three.stream.reset();
    four.stream.reset();
    const MonoTime began = rig.loop.now().mono;
    REQUIRE(run_until(rig.loop, [&] { return rig.pool.idle() == 1; }));
    CHECK(rig.loop.now().mono - began >= Milliseconds(900));
  }
  SUBCASE("none to an origin") {
    Pool::Options options;
    options.idle_per_origin_max = 0;
    Rig rig(options);
    rig.once();
    CHECK(rig.pool.idle() == 0);
  }
  SUBCASE("all: the longest idle goes") {
    Pool::Options options;
    options.idle_max = 1;
    Rig rig(options);
    rig.once(false, 1);
    rig.once(false, 2);
    CHECK(rig.pool.idle() == 1);
    rig.once(false, 2);
    CHECK(rig.reused);
  }
  SUBCASE("all: who has more than stay gives one up") {
    Pool::Options options;
    options.idle_max = 3;
    options.idle_per_origin_max = 1;
    Rig rig(options);
    rig.once(false, 2);
    std::array<Call, 3> burst;
    for (Call& call : burst) rig.acquire(call, false, 1);
    for (Call& call : burst) rig.ask(call);
    for (Call& call : burst) call.stream.reset();
    CHECK(rig.pool.idle() == 3);
    rig.once(false, 2);
    CHECK(rig.reused);
  }
  SUBCASE("time") {
    Pool::Options options;
    options.idle_time_max = Milliseconds(50);
    Rig rig(options);
    rig.once();
    CHECK(rig.pool.idle() == 1);
    CHECK(run_until(rig.loop, [&] { return rig.pool.idle() == 0; }));
  }
  SUBCASE("time, also before anybody has swept") {
    Pool::Options options;
    options.idle_time_max = Milliseconds(20);
    Rig rig(options);
    rig.once();
    support::run_for(rig.loop, Milliseconds(60));
    rig.once();
    CHECK_FALSE(rig.reused);
  }
  SUBCASE("draining") {
    Rig rig;
    rig.once();
    rig.pool.drain();
    CHECK(rig.pool.idle() == 0);
    rig.once();
    CHECK(rig.pool.idle() == 0);
  }
}

TEST_CASE("idle connections are closed one by one, the longest idle first") {
  Rig rig;
  support::ScriptedOrigin other(rig.loop);
  const PoolKey key{"127.0.0.1", other.port(), 0};
  CHECK_FALSE(rig.pool.close_idle());
  rig.once();
  Call call;
  call.waiting = rig.pool.dial(key, call, [&](auto result) { call.stream = std::move(*result); });
  REQUIRE(support::run_until(rig.loop, [&] { return call.stream != nullptr; }));
  rig.ask(call);
  CHECK(rig.pool.close_idle());
  CHECK_FALSE(rig.pool.close_idle());  // the other is in use
  call.stream.reset();
  rig.once();
  CHECK_FALSE(rig.reused);
  CHECK(rig.pool.close_idle());
  CHECK(rig.pool.acquire(key, call, true) == nullptr);
  rig.once();
  CHECK(rig.reused);
  CHECK(rig.pool.close_idle());
  rig.once(false, 7);
  CHECK_FALSE(rig.pool.close_idle());  // whose login it is comes back at once
  CHECK(rig.pool.idle() == 1);
}

TEST_CASE("an HTTP/2 connection that was given up before it said a word is nobody else's") {
  H2Rig rig;
  rig.make_known();
  Call first;
  Call second;
  rig.connect(first);
  rig.begin(second);
  support::run_for(rig.loop, Milliseconds(20));
  CHECK(second.stream == nullptr);  // it waits for what the first one's will say
  CHECK(rig.peers.size() == 1);
  first.stream.reset();
  run_until(rig.loop, [&] { return second.stream != nullptr; });
  CHECK(rig.pool.busy() == 1);
  second.stream.reset();
  CHECK(rig.pool.idle() == 0);
  CHECK(rig.pool.acquire(rig.key(), first, true) == nullptr);
}

TEST_CASE("an HTTP/2 connection is a reused one to all but the first of its streams") {
  H2Rig rig(http::h2::server_start());
  Call first;
  Call beside;
  Call later;
  rig.connect(first);
  CHECK_FALSE(first.stream->reused());
  run_until(rig.loop,
            [&] { return (beside.stream = rig.pool.acquire(rig.key(), beside, true)) != nullptr; });
  CHECK(beside.stream->reused());
  first.stream.reset();
  beside.stream.reset();
  CHECK(rig.pool.idle() == 1);
  rig.connect(later);
  CHECK(later.stream->reused());
  CHECK(rig.peers.size() == 1);
}

TEST_CASE("what belongs to an idle HTTP/2 connection alone may come in many pieces") {
  H2Rig rig(http::h2::server_start());
  Call first;
  Call beside;
  Call later;
  rig.connect(first);
  run_until(rig.loop,
            [&] { return (beside.stream = rig.pool.acquire(rig.key(), beside, true)) != nullptr; });
  first.stream.reset();
  beside.stream.reset();
  REQUIRE(rig.pool.idle() == 1);
  support::run_for(rig.loop, Milliseconds(5));
  // Frames of a type that nobody knows, and more of them than one read holds.
  std::string extensions;
  while (extensions.size() < Chunk::kReadBytes) {
    extensions += http::h2::frame(static_cast<http::h2::Type>(0x42), 0, 0, std::string(16000, 'x'));
  }
  rig.peers[0]->stream->write(Chain(extensions));
  CHECK((later.stream = rig.pool.acquire(rig.key(), later, true)) != nullptr);
}

TEST_CASE("whoever stops waiting is not called") {
  Rig rig;
  Call call;
  bool called = false;
  call.waiting = rig.pool.dial(rig.key(), call, [&](auto) { called = true; });
  call.waiting.reset();
  support::run_for(rig.loop, Milliseconds(50));
  CHECK_FALSE(called);
  CHECK(rig.pool.busy() == 0);
}

}  // namespace
}  // namespace sidespan::wire
