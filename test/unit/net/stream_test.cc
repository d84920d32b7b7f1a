#include "sidespan/net/stream.h"

#include <optional>

#include "loopback.h"

namespace sidespan::net {
namespace {

struct Joined {
  Loop loop;
  Pair pair{loop};
  Recorder client;
  Recorder server;

  Joined() {
    pair.client->start(client);
    pair.server->start(server);
  }
  // Writes until the socket takes no more; how much was accepted.
  size_t fill(Stream& stream) {
    size_t accepted = 0;
    while (stream.pending() == 0) {
      const std::string block = pattern(100'000);
      stream.write(Chain(block));
      accepted += block.size();
    }
    return accepted;
  }
};

TEST_CASE("stream: an idle one is small") {
  CHECK(sizeof(Stream) + Stream::idle_bytes() <= 400);
}

TEST_CASE_FIXTURE(Joined, "stream: addresses and loop, also after close") {
  CHECK(pair.client->peer() == pair.server->local());
  CHECK(pair.client->local() == pair.server->peer());
  CHECK(pair.client->local().is_loopback());
  CHECK(&pair.client->loop() == &loop);
  const Address peer = pair.client->peer();
  pair.client->close();
  run_briefly(loop);
  CHECK(pair.client->peer() == peer);
  CHECK_FALSE(pair.client->local());
  CHECK(pair.client->pending() == 0);
}

TEST_CASE_FIXTURE(Joined, "stream: echo of 1 MiB through pauses on both sides, then both ends") {
  const std::string sent = pattern(size_t{1} << 20);
  // The echo holds back while its own side is full, and the client reads in fits and starts.
  server.then_bytes = [&](std::string_view bytes) {
    pair.server->write(Chain(bytes));
    if (pair.server->pending() > 0) pair.server->pause();
  };
  server.then_written = [&](size_t) {
    if (pair.server->pending() == 0) pair.server->resume();
  };
  server.then_end = [&] { pair.server->shutdown(); };
  Timer wake(loop, [&] { pair.client->resume(); });
  client.then_bytes = [&](std::string_view) {
    pair.client->pause();
    CHECK(pair.client->paused());
    wake.start(Milliseconds(0));
  };
  pair.client->write(Chain(sent));
  pair.client->shutdown();
  CHECK(run_until(loop, [&] { return client.ends == 1; }));
  CHECK(client.received == sent);
  CHECK(server.ends == 1);
  CHECK(client.failures.empty());
  CHECK(server.failures.empty());
}

TEST_CASE_FIXTURE(Joined, "stream: what is written at once is told by write, the rest later") {
  pair.server->pause();
  CHECK(pair.client->write(Chain("hello")) == 5);
  CHECK(pair.client->pending() == 0);

  const size_t accepted = 5 + fill(*pair.client);
  const size_t waits = pair.client->pending();
  CHECK(waits > 0);
  CHECK(pair.client->write(Chain("more")) == 0);
  CHECK(pair.client->pending() == waits + 4);
  CHECK(client.written == 0);
  pair.server->resume();
  CHECK(run_until(loop, [&] { return server.received.size() == accepted + 4; }));
  CHECK(client.written == waits + 4);
  CHECK(pair.client->pending() == 0);
}

TEST_CASE_FIXTURE(Joined, "stream: a reader gets no more at once than it has room for") {
  const std::string sent = pattern(1000);
  size_t reads = 0;
  server.most = 64;
  server.then_bytes = [&](std::string_view bytes) {
    CHECK(bytes.size() <= 64);
    ++reads;
  };
  pair.client->write(Chain(sent));
  CHECK(run_until(loop, [&] { return server.received.size() == sent.size(); }));
  CHECK(server.received == sent);
  CHECK(reads >= 16);
}

TEST_CASE_FIXTURE(Joined, "stream: a reader without room has paused it") {
  server.most = 4;
  server.then_bytes = [&](std::string_view) { server.most = 0; };
  pair.client->write(Chain("ten  bytes"));
  CHECK(run_until(loop, [&] { return pair.server->paused(); }));
  CHECK(server.received == "ten ");
  run_briefly(loop);
  CHECK(server.received == "ten ");
  pair.server->resume();
  CHECK(run_until(loop, [&] { return pair.server->paused(); }));
  server.then_bytes = nullptr;
  server.most = 100;
  pair.server->resume();
  CHECK(run_until(loop, [&] { return server.received == "ten  bytes"; }));
  server.most = 0;
  pair.client->write(Chain("!"));
  CHECK(run_until(loop, [&] { return !pair.server->is_quiet(); }));
  CHECK_FALSE(pair.server->read_now());
  CHECK(run_until(loop, [&] { return pair.server->paused(); }));
  CHECK(server.received == "ten  bytes");
}

// A reader that takes a little of each read, and has room for it again at the turn's end.
class FewAtOnce final : TurnEnd {
 public:
  FewAtOnce(Loop& loop, Recorder& reader, size_t few) : loop_(loop), reader_(reader), few_(few) {
    reader_.most = few_;
    reader_.then_bytes = [this](std::string_view) {
      reader_.most = 0;
      loop_.at_turn_end(*this);
    };
  }

 private:
  void on_turn_end() override { reader_.most = few_; }

  Loop& loop_;
  Recorder& reader_;
  size_t few_;
};

TEST_CASE_FIXTURE(Joined, "stream: a reader that has room again in the next turn goes on reading") {
  const FewAtOnce few(loop, server, 100);
  const std::string sent = pattern(1000);
  pair.client->write(Chain(sent));
  CHECK(run_until(loop, [&] { return server.received.size() == sent.size(); }));
  CHECK(server.received == sent);
  CHECK_FALSE(pair.server->paused());
}

TEST_CASE_FIXTURE(Joined, "stream: a write that fails is told at once to a reader without room") {
  server.waits = false;
  server.most = 4;
  server.then_bytes = [&](std::string_view) { server.most = 0; };
  pair.client->write(Chain("ten  bytes"));
  REQUIRE(run_until(loop, [&] { return server.received == "ten "; }));
  SUBCASE("who was asked once") {}
  SUBCASE("who was asked again") {
    run_briefly(loop);
  }
  pair.client->close(true);
  pair.server->write(Chain("to nobody"));
  CHECK(run_until(loop, [&] { return !server.failures.empty(); }));
  run_briefly(loop);
  CHECK(server.failures.size() == 1);
  CHECK(server.received == "ten ");
}

TEST_CASE_FIXTURE(Joined,
                  "stream: the writer hears of its window while a big block is on its way") {
  pair.server->pause();
  // More than both sockets hold, twice over.
  const std::string sent = pattern(32'000'000);
  pair.client->write(Chain(sent));
  REQUIRE(pair.client->pending() > sent.size() / 2);
  size_t reports = 0;
  client.then_written = [&](size_t) { ++reports; };
  pair.server->resume();
  CHECK(run_until(loop, [&] { return server.received.size() == sent.size(); }));
  CHECK(reports >= 2);
  CHECK(server.received == sent);
}

TEST_CASE_FIXTURE(Joined, "stream: many small blocks keep their order") {
  std::string sent;
  Chain chain;
  for (int i = 0; i < 1000; ++i) {
    const std::string piece = std::to_string(i) + ",";
    chain.append(Chunk::copy_of(piece));
    sent += piece;
  }
  CHECK(pair.client->write(std::move(chain)) == sent.size());
  CHECK(run_until(loop, [&] { return server.received.size() == sent.size(); }));
  CHECK(server.received == sent);
}

TEST_CASE_FIXTURE(Joined, "stream: writing out of on_written keeps the order") {
  pair.server->pause();
  const size_t accepted = fill(*pair.client);
  std::string behind;
  int depth = 0;
  client.then_written = [&](size_t) {
    CHECK(depth == 0);
    ++depth;
    // Some goes at once, the last of it waits.
    while (behind.size() < 5'000'000 && pair.client->pending() == 0) {
      const std::string piece = pattern(123'456) + ";";
      pair.client->write(Chain(piece));
      behind += piece;
    }
    --depth;
  };
  pair.server->resume();
  CHECK(run_until(loop, [&] { return server.received.size() >= accepted + 5'000'000; }));
  CHECK(run_until(loop, [&] { return server.received.size() == accepted + behind.size(); }));
  CHECK(server.received.substr(accepted) == behind);
}

TEST_CASE_FIXTURE(Joined, "stream: empty writes are nothing") {
  pair.client->write(Chain());
  pair.client->write(Chain(""));
  pair.client->shutdown();
  pair.client->write(Chain());
  CHECK(run_until(loop, [&] { return server.ends == 1; }));
  CHECK(client.written == 0);
  CHECK(server.received.empty());
}

TEST_CASE_FIXTURE(Joined, "stream: half closed, the other direction goes on") {
  pair.client->shutdown();
  CHECK(run_until(loop, [&] { return server.ends == 1; }));
  pair.server->write(Chain("still here"));
  pair.server->shutdown();
  CHECK(run_until(loop, [&] { return client.ends == 1; }));
  CHECK(client.received == "still here");
  CHECK(server.failures.empty());
}

TEST_CASE_FIXTURE(Joined, "stream: shutdown waits for what is pending") {
  pair.server->pause();
  const size_t accepted = fill(*pair.client);
  pair.client->shutdown();
  pair.client->shutdown();
  run_briefly(loop);
  CHECK(server.ends == 0);
  pair.server->resume();
  CHECK(run_until(loop, [&] { return server.ends == 1; }));
  CHECK(server.received.size() == accepted);
}

TEST_CASE_FIXTURE(Joined, "stream: pause before bytes, and after the end") {
  pair.server->pause();
  pair.server->pause();
  pair.client->write(Chain("x"));
  pair.client->shutdown();
  run_briefly(loop);
  CHECK(server.received.empty());
  pair.server->resume();
  CHECK(run_until(loop, [&] { return server.ends == 1; }));
  pair.server->pause();
  pair.server->resume();
  run_briefly(loop);
  CHECK(server.ends == 1);
}

TEST_CASE_FIXTURE(Joined, "stream: paused in the middle of a burst, nothing more comes") {
  const std::string sent = pattern(400'000);
  server.then_bytes = [&](std::string_view) { pair.server->pause(); };
  pair.client->write(Chain(sent));
  run_briefly(loop);
  const size_t first = server.received.size();
  CHECK(first > 0);
  CHECK(first <= Chunk::kReadBytes);
  server.then_bytes = nullptr;
  pair.server->resume();
  CHECK(run_until(loop, [&] { return server.received.size() == sent.size(); }));
  CHECK(server.received == sent);
}

TEST_CASE_FIXTURE(Joined, "stream: a reset is told as a reset, once") {
  pair.client->close(true);
  CHECK(run_until(loop, [&] { return !server.failures.empty(); }));
  CHECK(server.failures[0].code == Code::kConnectionReset);
  CHECK(server.failures[0].side == Side::kSelf);
  CHECK(server.failures[0].what.find("127.0.0.1:") == 0);
  pair.server->write(Chain("to nobody"));
  pair.server->resume();
  run_briefly(loop);
  CHECK(server.failures.size() == 1);
  CHECK(server.ends == 0);
  CHECK(server.written == 0);
  CHECK(client.failures.empty());
}

TEST_CASE_FIXTURE(Joined, "stream: a reset goes out with bytes pending and after shutdown, too") {
  SUBCASE("pending") {
    pair.server->pause();
    fill(*pair.client);
    pair.client->close(true);
    run_briefly(loop);
    pair.server->resume();
  }
  SUBCASE("after shutdown") {
    pair.client->shutdown();
    CHECK(run_until(loop, [&] { return server.ends == 1; }));
    pair.client->close(true);
    run_briefly(loop);
    pair.server->write(Chain("x"));
  }
  CHECK(run_until(loop, [&] { return !server.failures.empty(); }));
  const Code code = server.failures[0].code;
  CHECK((code == Code::kConnectionReset || code == Code::kConnectionClosed));
}

TEST_CASE_FIXTURE(Joined,
                  "stream: a reset is found although nobody reads, where it is looked for") {
  pair.server->pause();
  const size_t sent = fill(*pair.client);
  run_briefly(loop);
  pair.server->look_for_reset();
  CHECK(server.failures.empty());
  SUBCASE("a reset") {
    pair.client->close(true);
    run_briefly(loop);
    CHECK(server.failures.empty());
    pair.server->look_for_reset();
    pair.server->look_for_reset();
    pair.server->resume();
    run_briefly(loop);
    CHECK(server.failures.size() == 1);
  }
  SUBCASE("FIN") {
    SUBCASE("theirs alone") {}
    SUBCASE("ours, then theirs") {
      pair.server->shutdown();
      run_briefly(loop);
    }
    pair.client->shutdown();
    run_briefly(loop);
    pair.server->look_for_reset();
    pair.server->resume();
    CHECK(run_until(loop, [&] { return server.ends == 1; }));
    CHECK(server.failures.empty());
    CHECK(server.received.size() == sent);
  }
}

TEST_CASE_FIXTURE(Joined, "stream: a reset while a write is pending is told once") {
  pair.server->pause();
  fill(*pair.client);
  pair.server->close(true);
  CHECK(run_until(loop, [&] { return !client.failures.empty(); }));
  CHECK(client.failures[0].code == Code::kConnectionReset);
  const size_t written = client.written;
  run_briefly(loop);
  CHECK(client.failures.size() == 1);
  CHECK(client.written == written);
}

TEST_CASE_FIXTURE(Joined, "stream: a failed write is told later, not from inside write") {
  // The reset arrives while nobody reads, and what came before it does not count.
  client.waits = false;
  pair.client->pause();
  run_briefly(loop);
  pair.server->close(true);
  run_briefly(loop);
  pair.client->write(Chain("x"));
  CHECK(client.failures.empty());
  CHECK(run_until(loop, [&] { return !client.failures.empty(); }));
  pair.client->resume();
  pair.client->write(Chain("y"));
  run_briefly(loop);
  CHECK(client.failures.size() == 1);
  CHECK(client.ends == 0);
  CHECK(client.written == 0);
}

TEST_CASE_FIXTURE(Joined,
                  "stream: the answer that came before a reset is read before the failure") {
  // An origin that refuses an upload early: answers, and closes with the upload unread.
  std::string order;
  std::optional<FewAtOnce> few;
  client.then_bytes = [&](std::string_view) { order += 'b'; };
  client.then_failure = [&] { order += 'f'; };
  pair.server->pause();
  SUBCASE("found by reading") {
    pair.client->pause();
    fill(*pair.client);
    pair.server->write(Chain("413"));
    pair.server->close();
    pair.client->resume();
  }
  SUBCASE("found by writing") {
    pair.client->write(Chain("upload"));
    pair.server->write(Chain("413"));
    pair.server->close();
    pair.client->write(Chain("more"));
    CHECK(client.failures.empty());
  }
  SUBCASE("found by writing, while nobody reads") {
    pair.client->write(Chain("upload"));
    pair.client->pause();
    pair.server->write(Chain("413"));
    pair.server->close();
    run_briefly(loop);
    pair.client->write(Chain("more"));
    run_briefly(loop);
    CHECK(client.failures.empty());
    pair.client->resume();
  }
  SUBCASE("found by writing, and read in pieces") {
    pair.client->write(Chain("upload"));
    pair.server->write(Chain("413"));
    pair.server->close();
    pair.client->write(Chain("more"));
    few.emplace(loop, client, 2);
  }
  CHECK(run_until(loop, [&] { return !client.failures.empty(); }));
  CHECK(client.received == "413");
  CHECK(order == (few ? "f" : "bf"));
  CHECK(client.ends == 0);
}

TEST_CASE_FIXTURE(
    Joined, "stream: after a failed write a reader for whom nothing more counts needs no room") {
  // An agent that is gone while its next requests wait: whom they wait for is it.
  server.waits = false;
  server.most = 10;
  server.then_bytes = [&](std::string_view) {
    server.most = 0;
    SUBCASE("it is not asked for any") {}
    SUBCASE("it pauses") {
      pair.server->pause();
    }
  };
  pair.client->write(Chain(pattern(100'000)));
  pair.server->write(Chain("an answer"));
  pair.client->close(true);
  pair.server->write(Chain("to nobody"));
  CHECK(run_until(loop, [&] { return !server.failures.empty(); }));
  run_briefly(loop);
  CHECK(server.failures.size() == 1);
  CHECK(server.received.size() <= 10);
}

TEST_CASE_FIXTURE(Joined, "stream: closed inside each callback, nothing comes after") {
  SUBCASE("on_bytes") {
    server.then_bytes = [&](std::string_view) { pair.server->close(); };
    pair.client->write(Chain(pattern(300'000)));
    CHECK(run_until(loop, [&] { return !server.received.empty(); }));
    CHECK(server.received.size() <= Chunk::kReadBytes);
  }
  SUBCASE("on_end") {
    server.then_end = [&] { pair.server->close(); };
    pair.client->shutdown();
    CHECK(run_until(loop, [&] { return server.ends == 1; }));
  }
  SUBCASE("on_failure") {
    server.then_failure = [&] { pair.server->close(); };
    pair.client->close(true);
    CHECK(run_until(loop, [&] { return server.failures.size() == 1; }));
  }
  SUBCASE("on_written") {
    pair.client->pause();
    fill(*pair.server);
    server.then_written = [&](size_t) { pair.server->close(true); };
    pair.client->resume();
    CHECK(run_until(loop, [&] { return !client.failures.empty(); }));
  }
  const size_t received = server.received.size();
  const size_t written = server.written;
  pair.server->write(Chain("y"));
  pair.server->resume();
  pair.server->shutdown();
  pair.server->close(true);
  run_briefly(loop);
  CHECK(server.received.size() == received);
  CHECK(server.written == written);
}

TEST_CASE_FIXTURE(Joined, "stream: destroyed inside a callback, which is more than is promised") {
  server.then_bytes = [&](std::string_view) { pair.server.reset(); };
  pair.client->write(Chain("x"));
  CHECK(run_until(loop, [&] { return client.ends == 1; }));
}

TEST_CASE_FIXTURE(Joined, "stream: closed with a write pending") {
  pair.server->pause();
  fill(*pair.client);
  const size_t written = client.written;
  pair.client->close();
  CHECK(pair.client->pending() == 0);
  run_briefly(loop);
  CHECK(client.written == written);
  CHECK(client.failures.empty());
}

TEST_CASE_FIXTURE(Joined, "stream: a second reader takes over") {
  Recorder other;
  server.then_bytes = [&](std::string_view) { pair.server->start(other); };
  pair.client->write(Chain("1"));
  CHECK(run_until(loop, [&] { return server.received == "1"; }));
  pair.client->write(Chain("2"));
  CHECK(run_until(loop, [&] { return other.received == "2"; }));
  pair.server->write(Chain("3"));
  CHECK(run_until(loop, [&] { return client.received == "3"; }));
}

TEST_CASE("stream: writes before start, and without a reader ever") {
  Loop loop;
  Pair pair(loop);
  Recorder server;
  pair.server->start(server);
  pair.client->write(Chain("early"));
  CHECK(run_until(loop, [&] { return server.received == "early"; }));
}

TEST_CASE("connect: nobody listens") {
  Loop loop;
  Address closed;
  {
    auto listener = Listener::listen(loop, loopback(), {}, [](auto) {});
    REQUIRE(listener);
    closed = (*listener)->address();
  }
  run_briefly(loop);
  std::optional<Error> error;
  bool inside = true;
  auto connecting = Stream::connect(loop, closed, [&](auto stream) {
    REQUIRE(!stream);
    CHECK(!inside);
    error = stream.error();
  });
  inside = false;
  CHECK(run_until(loop, [&] { return error.has_value(); }));
  CHECK(error->code == Code::kConnectionRefused);
  CHECK(error->side == Side::kOrigin);
  CHECK(error->retryable);
  CHECK(error->what.find(closed.to_string()) != std::string::npos);
}

TEST_CASE("connect: refused by this machine at once is told later all the same") {
  Loop loop;
  std::optional<Error> error;
  bool inside = true;
  std::unique_ptr<Stream::Connecting> connecting;
  SUBCASE("no such kind of address") {
    connecting = Stream::connect(loop, Address(), [&](auto stream) {
      CHECK(!inside);
      error = stream.error();
      connecting.reset();
    });
  }
  SUBCASE("the broadcast address") {
    const auto address = *Address::parse("255.255.255.255", 9);
    connecting = Stream::connect(loop, address, [&](auto stream) {
      CHECK(!inside);
      error = stream.error();
    });
  }
  inside = false;
  loop.run();
  REQUIRE(error);
  CHECK((error->code == Code::kSystem || error->code == Code::kUnreachable));
  CHECK(!error->what.empty());
}

TEST_CASE("connect: cancelled before and while it goes on") {
  Loop loop;
  int called = 0;
  int accepted = 0;
  auto listener = Listener::listen(loop, loopback(), {}, [&](auto) { ++accepted; });
  REQUIRE(listener);
  auto one = Stream::connect(loop, (*listener)->address(), [&](auto) { ++called; });
  one.reset();
  auto two = Stream::connect(loop, Address(), [&](auto) { ++called; });
  two.reset();
  std::unique_ptr<Stream::Connecting> three;
  three = Stream::connect(loop, (*listener)->address(), [&](auto) {
    ++called;
    three.reset();
  });
  CHECK(run_until(loop, [&] { return called == 1 && accepted >= 1; }));
  run_briefly(loop);
  CHECK(called == 1);
}

TEST_CASE("connect: the handle may be kept after the answer") {
  Loop loop;
  Pair pair(loop);
  auto listener = Listener::listen(loop, loopback(), {}, [](auto) {});
  std::unique_ptr<Stream> stream;
  auto connecting = Stream::connect(loop, (*listener)->address(),
                                    [&](auto result) { stream = std::move(*result); });
  CHECK(run_until(loop, [&] { return stream != nullptr; }));
  connecting.reset();
  run_briefly(loop);
  CHECK(stream->peer() == (*listener)->address());
}

}  // namespace
}  // namespace sidespan::net
