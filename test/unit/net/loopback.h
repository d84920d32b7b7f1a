// What the tests of net share: connected pairs over real loopback sockets, a reader that writes
// down what it is told, and a bounded wait on a loop.
#pragma once

#include <doctest/doctest.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "sidespan/net/listener.h"
#include "sidespan/net/loop.h"
#include "sidespan/net/stream.h"
#include "sidespan/net/timer.h"

namespace sidespan::net {

// Runs `loop` until `met`, at most ten seconds; whether it was met.
inline bool run_until(Loop& loop, const std::function<bool()>& met) {
  if (met()) return true;
  const MonoTime limit = loop.precise_now().mono + std::chrono::seconds(10);
  bool done = false;
  std::function<void()> again;
  Timer tick(loop, [&] { again(); });
  again = [&] {
    done = met();
    if (done || loop.precise_now().mono > limit) return loop.stop();
    tick.start(Milliseconds(1));
  };
  again();
  if (!done) loop.run();
  return done;
}

// Lets close callbacks and whatever else is ready happen.
inline void run_briefly(Loop& loop) {
  Timer tick(loop, [&] { loop.stop(); });
  tick.start(Milliseconds(2));
  loop.run();
}

struct Recorder final : StreamReader {
  void on_bytes(const Chunk& read) override {
    received.append(read.view());
    if (then_bytes) then_bytes(read.view());
  }
  size_t room() const override { return most; }
  bool reads_on() const override { return waits; }
  void on_end() override {
    ++ends;
    if (then_end) then_end();
  }
  void on_failure(Error error) override {
    failures.push_back(std::move(error));
    if (then_failure) then_failure();
  }
  void on_written(size_t bytes) override {
    written += bytes;
    if (then_written) then_written(bytes);
  }

  std::string received;
  size_t written = 0;
  size_t most = StreamReader::room();
  bool waits = true;  // with what the peer had sent before a write failed
  int ends = 0;
  std::vector<Error> failures;
  std::function<void(std::string_view)> then_bytes;
  std::function<void()> then_end;
  std::function<void()> then_failure;
  std::function<void(size_t)> then_written;
};

inline Address loopback(uint16_t port = 0) {
  return *Address::parse("127.0.0.1", port);
}

// A connected pair; neither side has a reader yet.
struct Pair {
  explicit Pair(Loop& loop) {
    auto listening = Listener::listen(
        loop, loopback(), {}, [&](std::unique_ptr<Stream> stream) { server = std::move(stream); });
    REQUIRE(listening);
    auto connecting = Stream::connect(loop, (*listening)->address(), [&](auto stream) {
      REQUIRE(stream);
      client = std::move(*stream);
    });
    REQUIRE(run_until(loop, [&] { return client && server; }));
  }

  std::unique_ptr<Stream> client;
  std::unique_ptr<Stream> server;
};

// Bytes whose order can be checked.
inline std::string pattern(size_t n) {
  std::string out(n, '\0');
  for (size_t i = 0; i < n; ++i) out[i] = static_cast<char>((i * 31 + i / 251) % 251);
  return out;
}

}  // namespace sidespan::net
