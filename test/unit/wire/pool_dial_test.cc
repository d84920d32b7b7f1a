// Who waits for an attempt to reach an origin of HTTP/2 that somebody else has begun.
#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include "pool_rig.h"
#include "support/h2_frames.h"

namespace sidespan::wire {
namespace {

using support::run_for;
using support::run_until;

Pool::Options greeted_within(Milliseconds time, size_t connections = 1024) {
  Pool::Options options;
  options.codec.head_time_max = time;
  options.connections_per_origin_max = connections;
  return options;
}

// From the first call on SETTINGS are waited for.
void ask(Call& call) {
  http::Head head;
  head.set_method("GET");
  head.set_target("/");
  head.headers.add("Host", "h");
  call.stream->send_head(head);
}

TEST_CASE("who waits for what another has begun is late with it") {
  // Also where there is one place, which is the other's.
  for (const size_t connections : {size_t{1024}, size_t{1}}) {
    CAPTURE(connections);
    H2Rig rig({}, greeted_within(Milliseconds(200), connections));
    rig.make_known();
    std::array<Call, 4> calls;
    rig.connect(calls[0]);
    ask(calls[0]);
    for (size_t i = 1; i < calls.size(); ++i) rig.begin(calls[i]);
    REQUIRE(run_until(rig.loop, [&] { return calls[0].error.has_value(); }));
    CHECK(calls[0].error->code == Code::kTimeout);
    run_for(rig.loop, Milliseconds(5));
    for (size_t i = 1; i < calls.size(); ++i) {
      REQUIRE(calls[i].error);
      CHECK(calls[i].error->code == Code::kTimeout);
      CHECK(calls[i].error->what == calls[0].error->what);
    }
    CHECK(rig.peers.size() == 1);
    CHECK(rig.pool.refused().value() == 0);
    // Nobody waits for anybody there until it has spoken again.
    calls[0].stream.reset();
    rig.word = http::h2::server_start();
    Call later;
    rig.connect(later);
    CHECK(later.stream != nullptr);
  }
}

TEST_CASE("who waits for what breaks off goes on by itself") {
  H2Rig rig;
  rig.make_known();
  std::array<Call, 3> calls;
  rig.connect(calls[0]);
  for (size_t i = 1; i < calls.size(); ++i) rig.begin(calls[i]);
  REQUIRE(run_until(rig.loop, [&] { return rig.peers.size() == 1; }));
  run_for(rig.loop, Milliseconds(20));
  CHECK(rig.peers.size() == 1);
  rig.peers[0]->stream->close();
  REQUIRE(run_until(rig.loop, [&] { return calls[1].stream && calls[2].stream; }));
  CHECK(calls[0].error->code == Code::kConnectionClosed);
  // What broke off was not known to be HTTP/2 any more, and these did not wait for each other.
  CHECK(rig.peers.size() == 3);
}

TEST_CASE("an origin is known to speak HTTP/2 once it does") {
  H2Rig rig;
  Call first;
  Call second;
  rig.connect(first);
  rig.connect(second);  // does not wait for what may never come
  REQUIRE(run_until(rig.loop, [&] { return rig.peers.size() == 2; }));
  rig.peers[1]->stream->write(Chain(http::h2::server_start()));
  Call third;
  REQUIRE(run_until(rig.loop, [&] {
    return (third.stream = rig.pool.acquire(rig.key(), third, true)) != nullptr;
  }));
  CHECK(third.stream->reused());
  CHECK(rig.peers.size() == 2);
}

TEST_CASE("who waits for one after another has an end of its own") {
  const Milliseconds each(300);
  H2Rig rig({}, greeted_within(each), patient_for(each));
  rig.make_known();
  std::vector<Call> calls(200);
  for (Call& call : calls) rig.begin(call);
  const MonoTime began = rig.loop.now().mono;
  // Each is given up before its end, which makes the next one begin.
  for (Call& call : calls) {
    if (!run_until(rig.loop, [&] { return call.stream || calls.back().error; })) break;
    if (calls.back().error) break;
    run_for(rig.loop, Milliseconds(20));
    call.stream.reset();
  }
  REQUIRE(calls.back().error);
  CHECK(calls.back().error->code == Code::kConnectTimeout);
  CHECK(calls.back().error->what.find("600 ms") != std::string::npos);
  CHECK(rig.loop.now().mono - began >= 2 * each);
}

TEST_CASE("who waits for what a second proxy did not reach goes on by himself") {
  H2Rig rig;
  rig.make_known();
  rig.refusal = Error{Code::kUnreachable, Side::kSelf, true, "the second proxy answered 503"};
  rig.dials = 0;
  std::array<Call, 3> calls;
  for (Call& call : calls) rig.begin(call);
  REQUIRE(run_until(rig.loop, [&] {
    return std::ranges::all_of(calls, [](const Call& call) { return call.error.has_value(); });
  }));
  CHECK(rig.dials == 3);
  // What answers there next may speak HTTP/1, so that nobody waits for another's connection.
  std::array<Call, 2> later;
  for (Call& call : later) rig.begin(call);
  CHECK(rig.dials == 5);
}

TEST_CASE("what the sidecar gave up says nothing of the origin") {
  H2Rig rig;
  rig.make_known();
  rig.refusal = Error{Code::kOverload, Side::kSelf, true, "too much at once"};
  rig.dials = 0;
  std::array<Call, 3> calls;
  for (Call& call : calls) rig.begin(call);
  REQUIRE(run_until(rig.loop, [&] {
    return std::ranges::all_of(calls, [](const Call& call) { return call.error.has_value(); });
  }));
  for (const Call& call : calls) CHECK(call.error->what == "too much at once");
  CHECK(rig.dials == 1);
  // It is still known to speak HTTP/2, so that one is dialled for all.
  rig.refusal.reset();
  rig.word = http::h2::server_start();
  std::array<Call, 3> later;
  for (Call& call : later) rig.begin(call);
  REQUIRE(run_until(rig.loop, [&] {
    return std::ranges::all_of(later, [](const Call& call) { return call.stream != nullptr; });
  }));
  CHECK(rig.peers.size() == 1);
}

// A listener whose queue is full, so that who connects waits in vain.
class FullListener {
 public:
  explicit FullListener(uint16_t port) {
    where_.sin_family = AF_INET;
    where_.sin_port = htons(port);
    where_.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const int on = 1;
    ::setsockopt(listener_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    REQUIRE(::bind(listener_, reinterpret_cast<const sockaddr*>(&where_), sizeof where_) == 0);
    REQUIRE(::listen(listener_, 0) == 0);
    for (const int stuffing : stuffing_) {
      ::connect(stuffing, reinterpret_cast<const sockaddr*>(&where_), sizeof where_);
    }
  }
  ~FullListener() {
    for (const int stuffing : stuffing_) ::close(stuffing);
    ::close(listener_);
  }
  FullListener(const FullListener&) = delete;
  FullListener& operator=(const FullListener&) = delete;

 private:
  static int make() { return ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0); }

  sockaddr_in where_ = {};
  int listener_ = make();
  std::array<int, 4> stuffing_ = {make(), make(), make(), make()};
};

TEST_CASE("who followed and dials in the end has the time that a dial has") {
  const Milliseconds connect(400);
  H2Rig rig({}, greeted_within(Milliseconds(100)), patient_for(connect));
  rig.make_known();
  const PoolKey key = rig.key();
  rig.listener.reset();
  run_for(rig.loop, Milliseconds(5));
  const FullListener full(key.port);
  Call first;
  Call second;
  for (Call* const call : {&first, &second}) {
    call->waiting = rig.pool.dial(key, *call, [call](auto result) {
      REQUIRE(!result);
      call->error = std::move(result).error();
    });
  }
  run_for(rig.loop, Milliseconds(250));
  const MonoTime began = rig.loop.now().mono;
  first.waiting.reset();
  REQUIRE(run_until(rig.loop, [&] { return second.error.has_value(); }));
  CHECK(second.error->what.find("took longer than 400 ms") != std::string::npos);
  CHECK(rig.loop.now().mono - began >= connect - Milliseconds(5));
  // Who keeps it for longer hears nothing more.
  run_for(rig.loop, connect);
}

}  // namespace
}  // namespace sidespan::wire
