// CONNECT as one stream of an HTTP/2 connection: what the agent says in it is a connection of its
// own, and the server has a session for that as for any other. This is the stream's end of it: it
// says CONNECT over there in HTTP/1, and passes on what is said after that. Session owns it.
#pragma once

#include <cstddef>
#include <memory>

#include "agent_side.h"
#include "sidespan/base/memory_ledger.h"
#include "sidespan/proxy/options.h"
#include "sidespan/wire/connection.h"

namespace sidespan::proxy {

class InnerConnection final : private wire::ConnectionOwner {
 public:
  // `end`: the other end is the session's.
  InnerConnection(AgentSide& agent, http::StreamId stream, std::unique_ptr<net::Stream> end,
                  const Options& options);

  // First, and once.
  void begin(http::Head&& connect);
  // What follows the head.
  void on_agent_event(http::Event&& event);
  // Nobody is there any more, or is to be.
  void cut();

  http::StreamId stream() const { return stream_; }
  bool done() const { return done_; }
  size_t held() const { return charge_.bytes() + early_.size() + connection_.held(); }

 private:
  void wake(wire::Connection& connection) override;
  size_t room(const wire::Connection& connection) const override;
  void on_inner_event(http::Event&& event);
  void on_answer(http::Head&& head);
  void to_agent(decltype(http::Event::what) what) { agent_.send({stream_, std::move(what)}); }
  void to_inner(decltype(http::Event::what) what) { connection_.send({inner_, std::move(what)}); }
  // What was taken from one side makes room there once the other has room.
  void make_room();
  void finish_if_over();
  void finish();

  AgentSide& agent_;
  const http::StreamId stream_;
  const Options& options_;
  const MemoryCharge charge_;
  wire::Connection connection_;
  const http::StreamId inner_;  // the only one of `connection_`
  Chain early_;                 // said before the tunnel was there
  size_t agent_unconsumed_ = 0;
  size_t inner_unconsumed_ = 0;
  bool opened_ = false;
  bool agent_ended_ = false;
  bool inner_ended_ = false;
  bool done_ = false;
};

}  // namespace sidespan::proxy
