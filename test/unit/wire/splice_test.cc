#include "sidespan/wire/splice.h"

#include <doctest/doctest.h>

#include <optional>
#include <string>

#include "peer.h"
#include "sidespan/base/memory_ledger.h"
#include "sidespan/wire/read_room.h"
#include "support/scripted_origin.h"

namespace sidespan::wire {
namespace {

using support::run_for;
using support::run_until;

struct Rig final : Splice::Owner {
  explicit Rig(size_t queue_bytes_max = size_t{64} * 1024) {
    std::unique_ptr<net::Stream> of_agent = connect(agent);
    std::unique_ptr<net::Stream> of_origin = connect(origin);
    splice.emplace(std::move(of_agent), std::move(of_origin), queue_bytes_max, *this);
  }

  // The peer's socket is started, the other end of it is returned.
  std::unique_ptr<net::Stream> connect(Peer& peer) {
    std::unique_ptr<net::Stream> other;
    const auto listener =
        *net::Listener::listen(loop, *net::Address::parse("127.0.0.1", 0), {},
                               [&](auto accepted) { other = std::move(accepted); });
    const auto connecting = net::Stream::connect(loop, listener->address(), [&](auto connected) {
      peer.stream = std::move(*connected);
      peer.stream->start(peer);
    });
    run_until(loop, [&] { return other && peer.stream; });
    return other;
  }

  void on_splice_end(const Error* error) override {
    ++ends;
    if (error != nullptr) broken = *error;
    error != nullptr ? splice->reset() : splice->close();
  }

  bool until(std::function<bool()> reached) { return run_until(loop, std::move(reached)); }

  net::Loop loop;
  Peer agent;
  Peer origin;
  std::optional<Splice> splice;
  std::optional<Error> broken;
  int ends = 0;
};

TEST_CASE("splice: bytes pass both ways and are counted") {
  Rig rig;
  rig.agent.stream->write(Chain("question"));
  rig.origin.stream->write(Chain("answers"));
  CHECK(rig.until([&] { return rig.origin.got == "question" && rig.agent.got == "answers"; }));
  CHECK(rig.splice->from_agent() == 8);
  CHECK(rig.splice->from_origin() == 7);
  CHECK(rig.splice->held() == 0);
  CHECK(rig.ends == 0);
}

TEST_CASE("splice: a FIN is passed on, and the other way goes on until its own") {
  Rig rig;
  rig.agent.stream->write(Chain("last words"));
  rig.agent.stream->shutdown();
  REQUIRE(rig.until([&] { return rig.origin.ended; }));
  CHECK(rig.origin.got == "last words");
  CHECK_FALSE(rig.agent.ended);
  rig.origin.stream->write(Chain("still here"));
  REQUIRE(rig.until([&] { return rig.agent.got == "still here"; }));
  CHECK(rig.ends == 0);
  rig.origin.stream->shutdown();
  REQUIRE(rig.until([&] { return rig.agent.ended; }));
  CHECK(rig.ends == 1);
  CHECK_FALSE(rig.broken);
  CHECK(rig.splice->closed_by() == Side::kAgent);
}

TEST_CASE("splice: a side that does not read slows the other, and loses nothing") {
  const int64_t before = memory::tally.held;
  Rig rig(size_t{128} * 1024);
  rig.origin.stream->pause();
  const std::string much(size_t{20} * 1024 * 1024, 'x');
  rig.agent.stream->write(Chain(much));
  run_for(rig.loop, Milliseconds(100));
  CHECK(rig.splice->from_agent() < much.size());
  // One read more than the limit; the agent's own queue is not the splice's.
  CHECK(rig.splice->held() <= size_t{192} * 1024);
  CHECK(memory::tally.held - before < static_cast<int64_t>(much.size()) + 512 * 1024);
  CHECK(rig.splice->awaited() == Side::kOrigin);
  rig.origin.stream->resume();
  CHECK(rig.until([&] { return rig.origin.got.size() == much.size(); }));
  CHECK(rig.origin.got == much);
  CHECK(rig.splice->held() == 0);
}

TEST_CASE("splice: for a stream of this loop that nobody reads, little is read") {
  net::Loop loop;
  net::Stream::Pair agent = net::Stream::pair(loop, {});
  net::Stream::Pair origin = net::Stream::pair(loop, {});
  Peer reads;
  Peer sends;
  struct Owner final : Splice::Owner {
    void on_splice_end(const Error*) override {}
  } owner;
  Splice splice(std::move(agent.first), std::move(origin.first), size_t{64} * 1024, owner);
  agent.second->start(reads);
  origin.second->start(sends);
  agent.second->pause();
  const std::string much(200'000, 'x');
  origin.second->write(Chain(much));
  run_for(loop, Milliseconds(10));
  CHECK(splice.held() == kReadAheadBytes);
  agent.second->resume();
  CHECK(run_until(loop, [&] { return reads.got.size() == much.size(); }));
}

TEST_CASE("splice: the end waits for what was sent before it") {
  Rig rig;
  rig.origin.stream->pause();
  const std::string much(size_t{8} * 1024 * 1024, 'y');
  rig.agent.stream->write(Chain(much));
  rig.agent.stream->shutdown();
  rig.origin.stream->shutdown();
  REQUIRE(rig.until([&] { return rig.agent.ended; }));
  run_for(rig.loop, Milliseconds(20));
  CHECK(rig.ends == 0);
  rig.origin.stream->resume();
  CHECK(rig.until([&] { return rig.origin.ended; }));
  CHECK(rig.origin.got.size() == much.size());
  CHECK(rig.ends == 1);
  CHECK_FALSE(rig.broken);
}

TEST_CASE("splice: small pieces for a side that does not read take little more than themselves") {
  Rig rig(size_t{64} * 1024 * 1024);
  rig.origin.stream->pause();
  constexpr size_t kMuch = size_t{12} * 1024 * 1024;
  rig.agent.stream->write(Chain(std::string(kMuch, 'z')));
  REQUIRE(rig.until([&] { return rig.splice->from_agent() == kMuch; }));
  REQUIRE(rig.splice->held() > 0);
  int64_t before = 0;
  for (size_t pieces = 1; pieces <= 20; ++pieces) {
    rig.agent.stream->write(Chain("piece"));
    REQUIRE(rig.until([&] { return rig.splice->from_agent() == kMuch + 5 * pieces; }));
    if (pieces == 1) before = memory::tally.held;  // the loop has a fresh block to read into
  }
  CHECK(memory::tally.held - before <= 1024);
}

TEST_CASE("splice: whoever breaks off is named, and the other is told no clean end") {
  for (const Side side : {Side::kAgent, Side::kOrigin}) {
    CAPTURE(name_of(side));
    Rig rig;
    Peer& breaks = side == Side::kAgent ? rig.agent : rig.origin;
    Peer& hears = side == Side::kAgent ? rig.origin : rig.agent;
    breaks.stream->close(true);
    REQUIRE(rig.until([&] { return hears.over(); }));
    CHECK(hears.failed);
    CHECK(rig.ends == 1);
    REQUIRE(rig.broken);
    CHECK(rig.broken->side == side);
    CHECK(rig.broken->code == Code::kConnectionReset);
  }
}

TEST_CASE("splice: reset ends both at once and calls nobody") {
  Rig rig;
  rig.splice->reset();
  CHECK(rig.until([&] { return rig.agent.failed && rig.origin.failed; }));
  CHECK(rig.ends == 0);
}

}  // namespace
}  // namespace sidespan::wire
