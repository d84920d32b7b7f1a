#include <doctest/doctest.h>

#include <array>
#include <string>
#include <vector>

#include "pool_rig.h"
#include "support/h2_frames.h"

namespace sidespan::wire {
namespace {

using support::run_for;
using support::run_until;

// Before anybody sweeps.
constexpr Milliseconds kAtOnce{500};

Pool::Options at_most(size_t connections) {
  Pool::Options options;
  options.connections_per_origin_max = connections;
  return options;
}

// SETTINGS of an origin that takes so many streams, and its answer to the client's.
std::string takes(uint32_t streams) {
  constexpr uint16_t kMaxConcurrentStreams = 3;
  using namespace http::h2;
  return frame(kSettings, 0, 0, number(kMaxConcurrentStreams, 2) + number(streams, 4)) +
         frame(kSettings, kAck, 0);
}

TEST_CASE("who comes when an origin has all its connections waits for the first that is free") {
  Rig rig(at_most(2));
  std::array<Call, 6> calls;
  for (Call& call : calls) rig.begin(call);
  REQUIRE(run_until(rig.loop, [&] { return calls[0].stream && calls[1].stream; }));
  for (size_t served = 0; served < calls.size(); ++served) {
    CAPTURE(served);
    Call& call = *rig.order[served];
    rig.ask(call);
    CHECK(call.status == 200);
    call.stream.reset();
    const size_t next = std::min(served + 3, calls.size());
    REQUIRE(run_until(rig.loop, [&] { return rig.order.size() == next; }, kAtOnce));
  }
  for (size_t i = 2; i < calls.size(); ++i) CHECK(rig.order[i] == &calls[i]);
  CHECK(rig.origin.accepted() == 2);
  CHECK(rig.pool.refused().value() == 0);
}

TEST_CASE("nobody overtakes who waits") {
  Rig rig(at_most(1));
  Call busy, first, second;
  rig.acquire(busy);
  rig.ask(busy);
  rig.begin(first);
  busy.stream.reset();
  CHECK(rig.pool.idle() == 1);
  rig.begin(second);  // in the same turn
  CHECK(second.stream == nullptr);
  REQUIRE(run_until(rig.loop, [&] { return first.stream != nullptr; }));
  CHECK(second.stream == nullptr);
  CHECK(first.stream->reused());
  rig.ask(first);
  first.stream.reset();
  REQUIRE(run_until(rig.loop, [&] { return second.stream != nullptr; }));
  rig.ask(second);
  second.stream.reset();
  CHECK(rig.once().status == 200);
  CHECK(rig.origin.accepted() == 1);
}

TEST_CASE("a connection that ends makes place for another") {
  struct Row {
    std::string_view name;
    std::string answer;
    bool close;
  };
  const std::vector<Row> rows = {
      {"closed behind its answer", support::ScriptedOrigin::answer(200), true},
      {"not to be used again", support::ScriptedOrigin::answer(200, {{"Connection", "close"}}),
       false},
      {"closed instead of an answer", "", true},
      {"broken", "nonsense\r\n\r\n", false},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    Rig rig(at_most(1));
    rig.origin.then({.bytes = row.answer, .close = row.close});
    Call busy, waiting;
    rig.acquire(busy);
    rig.begin(waiting);
    rig.ask(busy);
    busy.stream.reset();
    REQUIRE(run_until(rig.loop, [&] { return waiting.stream != nullptr; }));
    rig.ask(waiting);
    CHECK(waiting.status == 200);
    waiting.stream.reset();
  }
}

TEST_CASE("a dial that fails or is given up makes place for another") {
  Rig rig(at_most(1));
  Call given_up, waiting;
  rig.begin(given_up);
  rig.begin(waiting);
  given_up.waiting.reset();
  REQUIRE(run_until(rig.loop, [&] { return waiting.stream != nullptr; }));
  waiting.stream.reset();

  Rig gone(at_most(1));
  gone.origin.stop();
  std::array<Call, 3> calls;
  for (Call& call : calls) gone.begin(call);
  REQUIRE(run_until(gone.loop, [&] { return gone.order.size() == 3; }));
  for (const Call& call : calls) CHECK(call.error->code == Code::kConnectionRefused);
}

TEST_CASE("who waits too long is told so, and who goes is forgotten") {
  Rig rig(at_most(1), patient_for(Milliseconds(100)));
  Call busy, late, gone;
  rig.acquire(busy);
  const MonoTime began = rig.loop.precise_now().mono;
  rig.begin(late);
  rig.begin(gone);
  gone.waiting.reset();
  REQUIRE(run_until(rig.loop, [&] { return late.error.has_value(); }));
  CHECK(rig.loop.precise_now().mono - began >= Milliseconds(95));
  CHECK(late.error->code == Code::kOverload);
  CHECK(late.error->side == Side::kSelf);
  CHECK(
      late.error->what ==
      "no connection to 127.0.0.1 became free within 100 ms, and limits.origin_connections allows "
      "no more");
  CHECK(rig.pool.refused().value() == 1);
  rig.ask(busy);
  busy.stream.reset();
  run_for(rig.loop, Milliseconds(20));
  CHECK_FALSE(gone.over());
  CHECK(rig.once().status == 200);
  CHECK(rig.reused);
}

TEST_CASE("all that go to one server count together, and idle ones make place") {
  Rig rig(at_most(2));
  rig.once();
  rig.once(false, 7);
  CHECK(rig.pool.idle() == 2);
  Call other;
  rig.acquire(other, false, 8);
  CHECK(other.stream != nullptr);
  CHECK(rig.pool.idle() == 1);
  // The pinned one stayed.
  Call pinned;
  rig.acquire(pinned, false, 7);
  CHECK(pinned.stream->reused());
  CHECK(rig.origin.accepted() == 3);
}

TEST_CASE("what the agent's own server asks of itself does not wait for it") {
  Rig rig(at_most(1));
  PoolKey own = rig.key();
  own.own = true;
  Call served, calls_itself;
  served.waiting = rig.pool.dial(own, served, [&](auto result) {
    served.waiting.reset();
    served.stream = std::move(result).value();
  });
  REQUIRE(run_until(rig.loop, [&] { return served.stream != nullptr; }));
  rig.acquire(calls_itself);
  CHECK(calls_itself.stream != nullptr);
  CHECK(rig.origin.accepted() == 2);
}

TEST_CASE("between two requests of a login its connection is left alone") {
  Rig rig(at_most(1));
  rig.once(false, 7);
  Call other;
  rig.begin(other);
  run_for(rig.loop, Milliseconds(100));
  CHECK(other.stream == nullptr);
  CHECK(rig.pool.idle() == 1);
  REQUIRE(run_until(rig.loop, [&] { return other.stream != nullptr; }));
}

TEST_CASE("a connection that was made for a tunnel stays for the first request in it") {
  Rig rig(at_most(1));
  Call tunnel, other, request;
  rig.acquire(tunnel);
  tunnel.stream->tunnel();
  rig.begin(other, false, 8);
  tunnel.stream->resume_http();
  tunnel.stream.reset();
  CHECK(rig.pool.idle() == 1);
  run_for(rig.loop, Milliseconds(50));
  CHECK(other.stream == nullptr);
  rig.begin(request);
  REQUIRE(run_until(rig.loop, [&] { return request.stream != nullptr; }, kAtOnce));
  CHECK(rig.origin.accepted() == 1);
  rig.ask(request);
  request.stream.reset();
  CHECK(run_until(rig.loop, [&] { return other.stream != nullptr; }, kAtOnce));
}

TEST_CASE("a fresh connection takes the place of one that was used") {
  Rig rig(at_most(1));
  rig.once();
  rig.once(true);
  CHECK_FALSE(rig.reused);
  CHECK(rig.origin.accepted() == 2);
  CHECK(rig.pool.idle() == 1);
}

TEST_CASE("what was taken from the pool keeps its place until it goes") {
  Rig rig(at_most(1));
  Call tunnel, waiting;
  rig.acquire(tunnel);
  tunnel.stream->tunnel();
  std::optional<Pool::Taken> taken = Pool::take(std::move(tunnel.stream));
  rig.begin(waiting);
  run_for(rig.loop, Milliseconds(20));
  CHECK(waiting.stream == nullptr);
  taken.reset();
  CHECK(run_until(rig.loop, [&] { return waiting.stream != nullptr; }));
}

TEST_CASE("who waits is served while the pool drains") {
  Rig rig(at_most(1));
  std::array<Call, 3> calls;
  for (Call& call : calls) rig.begin(call);
  rig.pool.drain();
  for (Call& call : calls) {
    REQUIRE(run_until(rig.loop, [&] { return call.stream != nullptr; }));
    rig.ask(call);
    CHECK(call.status == 200);
    call.stream.reset();
  }
  CHECK(run_until(rig.loop, [&] { return rig.pool.busy() == 0; }));
  CHECK(rig.pool.idle() == 0);
}

TEST_CASE("streams of HTTP/2 are waited for as connections are") {
  H2Rig rig(takes(1), at_most(2));
  std::array<Call, 4> calls;
  for (Call& call : calls) rig.begin(call);
  run_for(rig.loop, Milliseconds(50));
  CHECK(calls[1].stream != nullptr);
  CHECK(calls[2].stream == nullptr);
  CHECK(rig.peers.size() == 2);
  calls[1].stream.reset();
  CHECK(run_until(rig.loop, [&] { return calls[2].stream != nullptr; }));
  calls[0].stream.reset();
  CHECK(run_until(rig.loop, [&] { return calls[3].stream != nullptr; }));
  CHECK(rig.peers.size() == 2);
}

TEST_CASE("one of many streams that is given up is the next one's") {
  H2Rig rig(takes(2), at_most(1));
  std::array<Call, 4> calls;
  for (size_t i = 0; i < 3; ++i) rig.begin(calls[i]);
  run_for(rig.loop, Milliseconds(50));
  CHECK(calls[1].stream != nullptr);
  CHECK(calls[2].stream == nullptr);
  http::Head head;
  head.set_method("GET");
  head.set_target("/");
  head.headers.add("Host", "h");
  calls[0].stream->send_head(head);  // RST_STREAM is all that ends it
  run_for(rig.loop, Milliseconds(5));
  rig.begin(calls[3]);  // the pool has work for the end of this turn before the connection has
  calls[0].stream.reset();
  CHECK(run_until(rig.loop, [&] { return calls[2].stream != nullptr; }, kAtOnce));
  rig.peers[0]->stream->close(true);
  CHECK(run_until(rig.loop, [&] { return calls[1].error.has_value(); }));
  calls[1].stream.reset();
  calls[2].stream.reset();
  CHECK(run_until(rig.loop, [&] { return calls[3].stream != nullptr; }, kAtOnce));
}

TEST_CASE("who waits for a connection holds up nobody who waits for a stream") {
  H2Rig rig(takes(2), at_most(2));
  std::array<Call, 4> sharing;
  for (Call& call : sharing) rig.begin(call);
  run_for(rig.loop, Milliseconds(50));
  CHECK(rig.peers.size() == 2);
  PoolKey key = rig.key();
  key.h2 = false;
  Call other, late;
  other.waiting = rig.pool.dial(key, other, [](auto) { FAIL("nothing is free"); });
  rig.begin(late);
  run_for(rig.loop, Milliseconds(20));
  CHECK(late.stream == nullptr);
  // One connection takes no more, for the other's sake; the one that does is the last.
  sharing[3].stream.reset();
  sharing[0].stream.reset();
  CHECK(run_until(rig.loop, [&] { return late.stream != nullptr; }, kAtOnce));
}

TEST_CASE("a connection that others share for ever does not keep its place for ever") {
  H2Rig rig(takes(100), at_most(1));
  std::array<Call, 2> sharing;
  rig.connect(sharing[0]);
  run_until(rig.loop, [&] {
    return (sharing[1].stream = rig.pool.acquire(rig.key(), sharing[1], true)) != nullptr;
  });
  Call other;
  PoolKey key = rig.key();
  key.h2 = false;
  const auto wait = [&] {
    other.waiting = rig.pool.dial(key, other, [&](auto result) {
      other.waiting.reset();
      other.stream = std::move(result).value();
    });
    run_for(rig.loop, Milliseconds(20));
    CHECK(other.stream == nullptr);
  };
  Call late;
  SUBCASE("nobody new gets on it") {
    wait();
    rig.begin(late);
    sharing[0].stream.reset();
    run_for(rig.loop, Milliseconds(20));
    CHECK(late.stream == nullptr);
    sharing[1].stream.reset();
    CHECK(run_until(rig.loop, [&] { return other.stream != nullptr; }));
    CHECK(late.stream == nullptr);
    other.stream.reset();
    CHECK(run_until(rig.loop, [&] { return late.stream != nullptr; }));
  }
  SUBCASE("unless who waited has gone") {
    wait();
    rig.begin(late);
    run_for(rig.loop, Milliseconds(20));
    CHECK(late.stream == nullptr);
    other.waiting.reset();
    CHECK(run_until(rig.loop, [&] { return late.stream != nullptr; }));
  }
  CHECK(rig.pool.refused().value() == 0);
}

}  // namespace
}  // namespace sidespan::wire
