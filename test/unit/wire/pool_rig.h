// Pools with an origin to each, and calls made of them, for the tests of Pool.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "peer.h"
#include "sidespan/net/listener.h"
#include "sidespan/wire/pool.h"
#include "support/h2_frames.h"
#include "support/scripted_origin.h"

namespace sidespan::wire {

inline Dialer::Options patient_for(Milliseconds time) {
  Dialer::Options options;
  options.connect_time_max = time;
  return options;
}

struct Call final : OriginStreamOwner {
  void on_origin_event(http::Event&& event) override {
    if (const auto* head = std::get_if<http::Head>(&event.what)) status = head->status;
    if (const auto* body = std::get_if<http::Body>(&event.what))
      stream->consumed(body->data.size());
    if (const auto* reset = std::get_if<http::Reset>(&event.what)) error = reset->error;
    ended = ended || std::holds_alternative<http::End>(event.what);
  }
  bool over() const { return ended || error; }

  std::unique_ptr<Pool::Waiting> waiting;
  OriginStreamPtr stream;
  std::optional<Error> error;
  int status = 0;
  bool ended = false;
};

struct Rig {
  explicit Rig(Pool::Options with = {}, const Dialer::Options& dialling = {})
      : options(std::move(with)), dialer(loop, dialling, {}) {}

  PoolKey key(uint64_t pin = 0) const { return {"127.0.0.1", origin.port(), pin}; }

  // Does not wait for what comes of it.
  void begin(Call& call, bool fresh = false, uint64_t pin = 0) {
    if (!fresh) call.stream = pool.acquire(key(pin), call, true);
    if (call.stream) return;
    const auto done = [this, &call](auto result) {
      call.waiting.reset();
      order.push_back(&call);
      if (result) {
        call.stream = std::move(*result);
      } else {
        call.error = std::move(result).error();
      }
    };
    call.waiting = pool.dial(key(pin), call, done, fresh);
  }

  void acquire(Call& call, bool fresh = false, uint64_t pin = 0) {
    begin(call, fresh, pin);
    support::run_until(loop, [&] { return call.stream != nullptr || call.error.has_value(); });
  }

  void ask(Call& call, std::string_view path = "/") {
    http::Head head;
    head.set_method("GET");
    head.set_target(path);
    head.headers.add("Host", "h");
    call.stream->send({0, std::move(head)});
    call.stream->send({0, http::End{}});
    support::run_until(loop, [&] { return call.over(); });
  }

  // One whole call; what it was like.
  Call once(bool fresh = false, uint64_t pin = 0) {
    Call call;
    acquire(call, fresh, pin);
    reused = call.stream->reused();
    connected = call.stream->phases().connect.has_value();
    ask(call);
    call.stream.reset();
    return call;
  }

  net::Loop loop;
  support::ScriptedOrigin origin{loop};
  Pool::Options options;
  Dialer dialer;
  Pool pool{loop, dialer, options};
  std::vector<Call*> order;  // in which those who waited got what came of it
  bool reused = false;
  bool connected = false;
};

// An origin of HTTP/2 that says `word` to who connects, and calls made of it.
struct H2Rig {
  explicit H2Rig(std::string says = {}, const Pool::Options& options = {},
                 const Dialer::Options& dialling = {})
      : word(std::move(says)),
        dialer(loop, dialling,
               [this](std::string_view, const net::Address&) {
                 ++dials;
                 return refusal;
               }),
        pool(loop, dialer, options) {
    listener = *net::Listener::listen(loop, *net::Address::parse("127.0.0.1", 0), {},
                                      [this](std::unique_ptr<net::Stream> stream) {
                                        Peer& peer = *peers.emplace_back(std::make_unique<Peer>());
                                        peer.stream = std::move(stream);
                                        peer.stream->start(peer);
                                        if (!word.empty()) peer.stream->write(Chain(word));
                                      });
  }

  PoolKey key() const {
    return {.host = "127.0.0.1", .port = listener->address().port(), .h2 = true};
  }
  void begin(Call& call) {
    call.stream = pool.acquire(key(), call, true);
    if (call.stream) return;
    call.waiting = pool.dial(key(), call, [&](auto result) {
      call.waiting.reset();
      if (result) {
        call.stream = std::move(*result);
      } else {
        call.error = std::move(result).error();
      }
    });
  }
  void connect(Call& call) {
    begin(call);
    support::run_until(loop, [&] { return call.stream != nullptr; });
  }
  // The pool has met it, and has no connection to it now.
  void make_known() {
    const std::string says = std::exchange(word, http::h2::server_start());
    Call call, beside;
    connect(call);
    support::run_until(
        loop, [&] { return (beside.stream = pool.acquire(key(), beside, true)) != nullptr; });
    call.stream.reset();
    beside.stream.reset();
    peers.clear();
    support::run_until(loop, [&] { return pool.idle() == 0; });
    word = says;
  }

  net::Loop loop;
  std::string word;
  std::optional<Error> refusal;  // what comes of each dial from now on
  int dials = 0;
  std::vector<std::unique_ptr<Peer>> peers;
  std::unique_ptr<net::Listener> listener;
  Dialer dialer;
  Pool pool;
};

}  // namespace sidespan::wire
