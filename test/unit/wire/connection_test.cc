#include "sidespan/wire/connection.h"

#include <doctest/doctest.h>

#include <functional>
#include <limits>
#include <string>

#include "peer.h"
#include "sidespan/http/h1_codec.h"
#include "support/scripted_origin.h"

namespace sidespan::wire {
namespace {

using support::run_until;

struct Rig final : ConnectionOwner {
  explicit Rig(http::CodecLimits limits = {}) {
    listener = *net::Listener::listen(
        loop, *net::Address::parse("127.0.0.1", 0), {}, [this, limits](auto accepted) {
          connection.emplace(std::move(accepted), nullptr, http::make_h1_server(limits), *this);
        });
    auto connecting = net::Stream::connect(loop, listener->address(), [this](auto connected) {
      peer.stream = std::move(*connected);
      peer.stream->start(peer);
    });
    run_until(loop, [&] { return connection && peer.stream; });
  }

  void wake(Connection& woken) override {
    ++wakes;
    while (std::optional<http::Event> event = woken.next()) {
      if (const auto* head = std::get_if<http::Head>(&event->what)) {
        targets.emplace_back(head->target());
        stream = event->stream;
        if (!answer_at_once.empty()) answer(answer_at_once);
      }
      if (const auto* body = std::get_if<http::Body>(&event->what)) {
        unconsumed += body->data.size();
        most = most_then;
      }
      if (const auto* reset = std::get_if<http::Reset>(&event->what)) error = reset->error.code;
    }
  }

  void answer(std::string_view body = "ok") {
    http::Head head;
    head.status = 200;
    head.body = http::BodyLength::known(body.size());
    head.headers.add("Content-Length", std::to_string(body.size()));
    connection->send({stream, std::move(head)});
    connection->send({stream, http::Body{Chain(body)}});
    connection->send({stream, http::End{}});
  }

  bool until(std::function<bool()> reached) { return run_until(loop, std::move(reached)); }

  net::Loop loop;
  std::unique_ptr<net::Listener> listener;
  std::optional<Connection> connection;
  Peer peer;
  std::vector<std::string> targets;
  size_t room(const Connection&) const override {
    if (on_room) on_room();
    return most;
  }

  std::optional<Code> error;
  http::StreamId stream = 0;
  size_t unconsumed = 0;
  size_t most = std::numeric_limits<size_t>::max();
  size_t most_then = most;  // once something of a body came
  size_t wakes = 0;
  std::string answer_at_once;
  std::function<void()> on_room;
};

struct Look final : net::TurnEnd {
  explicit Look(Rig& looked_at) : rig(looked_at) {}
  void on_turn_end() override { unsent |= rig.connection->has_unsent(); }

  Rig& rig;
  bool unsent = false;
};

constexpr std::string_view kGet = "GET /a HTTP/1.1\r\nHost: h\r\n\r\n";

TEST_CASE("events are pulled, answers are written at the end of the turn") {
  Rig rig;
  rig.peer.stream->write(Chain(kGet));
  REQUIRE(rig.until([&] { return rig.targets.size() == 1; }));
  rig.answer();
  CHECK(rig.connection->has_unsent());
  CHECK(rig.until([&] { return rig.peer.got.ends_with("ok"); }));
  CHECK_FALSE(rig.connection->has_unsent());
}

TEST_CASE("a big piece is written as soon as the read that brought it about is over") {
  for (const auto& [size, waits] : {std::pair<size_t, bool>{100, true}, {16 * 1024, false}}) {
    Rig rig;
    rig.answer_at_once = std::string(size, 'a');
    Look look(rig);
    // Before the read, and so at the turn's end before the connection.
    rig.on_room = [&] { rig.loop.at_turn_end(look); };
    rig.peer.stream->write(Chain(kGet));
    REQUIRE(rig.until([&] { return rig.peer.got.ends_with(rig.answer_at_once); }));
    CHECK(look.unsent == waits);
  }
}

TEST_CASE("a pipelined request is told once the one before is answered") {
  Rig rig;
  rig.peer.stream->write(Chain(std::string(kGet) + "GET /b HTTP/1.1\r\nHost: h\r\n\r\n"));
  REQUIRE(rig.until([&] { return rig.targets.size() == 1; }));
  rig.answer();
  CHECK(rig.until([&] { return rig.targets.size() == 2; }));
  CHECK(rig.targets[1] == "/b");
}

TEST_CASE("unconsumed bytes stop the reading") {
  Rig rig;
  const std::string body(2'000'000, 'x');
  rig.peer.stream->write(
      Chain("PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 2000000\r\n\r\n" + body));
  REQUIRE(rig.until([&] { return rig.unconsumed > 0; }));
  support::run_for(rig.loop, Milliseconds(50));
  CHECK(rig.unconsumed <= 2 * 64 * 1024);
  CHECK(rig.until([&] {
    rig.connection->consumed(rig.stream, 64 * 1024);
    return rig.unconsumed == body.size();
  }));
}

TEST_CASE("no more is read than its owner has room for") {
  Rig rig;
  rig.most = 100;
  rig.most_then = 0;
  const std::string body(10'000, 'x');
  rig.peer.stream->write(
      Chain("PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 10000\r\n\r\n" + body));
  REQUIRE(rig.until([&] { return rig.unconsumed > 0; }));
  CHECK(rig.unconsumed <= 100);
  const size_t before = rig.unconsumed;
  support::run_for(rig.loop, Milliseconds(20));
  CHECK(rig.unconsumed == before);
  rig.most = rig.most_then = 5000;
  support::run_for(rig.loop, Milliseconds(20));
  CHECK(rig.unconsumed == before);
  rig.connection->consumed(rig.stream, 1);
  CHECK(rig.until([&] { return rig.unconsumed == body.size(); }));
}

TEST_CASE("finish lets the last answer out while the peer still sends") {
  Rig rig;
  rig.peer.stream->write(Chain(kGet));
  REQUIRE(rig.until([&] { return rig.targets.size() == 1; }));
  rig.answer();
  rig.connection->finish();
  REQUIRE(rig.until([&] { return rig.peer.over(); }));
  rig.peer.stream->write(Chain(std::string(100'000, 'z')));
  support::run_for(rig.loop, Milliseconds(20));
  CHECK(rig.peer.got.ends_with("ok"));
  CHECK_FALSE(rig.peer.failed);
  CHECK_FALSE(rig.connection->closed());
  rig.peer.stream->shutdown();
  CHECK(rig.until([&] { return rig.connection->closed(); }));
  // Closing is told, and then nobody is woken any more.
  const size_t wakes = rig.wakes;
  support::run_for(rig.loop, Milliseconds(20));
  CHECK(rig.wakes == wakes);
}

TEST_CASE("what was said last goes out even when the connection is destroyed at once") {
  Rig rig;
  rig.peer.stream->write(Chain(kGet));
  REQUIRE(rig.until([&] { return rig.targets.size() == 1; }));
  rig.answer();
  rig.connection->finish();
  rig.connection.reset();
  CHECK(rig.until([&] { return rig.peer.over(); }));
  CHECK(rig.peer.got.ends_with("ok"));
}

TEST_CASE("abort is a reset") {
  Rig rig;
  rig.connection->abort();
  CHECK(rig.connection->closed());
  CHECK(rig.until([&] { return rig.peer.over(); }));
  CHECK(rig.peer.failed);
  CHECK(rig.wakes > 0);
}

TEST_CASE("a tunnel that breaks off ends in a reset") {
  Rig rig;
  rig.peer.stream->write(Chain("CONNECT h:1 HTTP/1.1\r\nHost: h:1\r\n\r\n"));
  REQUIRE(rig.until([&] { return rig.targets.size() == 1; }));
  http::Head head;
  head.status = 200;
  rig.connection->send({rig.stream, std::move(head)});
  rig.connection->tunnel(rig.stream);
  rig.connection->send({rig.stream, http::Body{Chain("half")}});
  rig.connection->send({rig.stream, http::Reset{}});
  CHECK(rig.until([&] { return rig.peer.over(); }));
  CHECK(rig.peer.failed);
}

TEST_CASE("a peer that resets is told as an end") {
  Rig rig;
  rig.peer.stream->write(Chain("PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nabc"));
  REQUIRE(rig.until([&] { return rig.unconsumed == 3; }));
  rig.peer.stream->close(true);
  CHECK(rig.until([&] { return rig.connection->closed(); }));
  CHECK(rig.error == Code::kTruncated);
}

TEST_CASE("the codec's deadline is kept") {
  Rig rig({.head_time_max = Milliseconds(30)});
  rig.peer.stream->write(Chain("GET /slow"));
  CHECK(rig.until([&] { return rig.error.has_value(); }));
  CHECK(rig.error == Code::kTimeout);
}

}  // namespace
}  // namespace sidespan::wire
