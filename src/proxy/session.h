// One agent connection: its exchanges, its keep-alive, its end. The Server owns it in a slot map.
#pragma once

#include <memory>
#include <vector>

#include "agent_side.h"
#include "exchange.h"
#include "sidespan/base/slot_map.h"
#include "sidespan/net/timer.h"
#include "sidespan/wire/connection.h"
#include "worker.h"

namespace sidespan::proxy {

class Session final : private wire::ConnectionOwner, private AgentSide {
 public:
  class Owner {
   public:
    // There is something to clean up at the end of the turn.
    virtual void session_changed(SlotId id) = 0;

   protected:
    ~Owner() = default;
  };
  // `refusal`, when set, answers whatever the agent asks: it may not be here.
  Session(Worker& worker, Owner& owner, SlotId id, Place place, std::unique_ptr<net::Stream> stream,
          std::optional<Error> refusal);
  ~Session();

  // The answer under way is the last on this connection.
  void drain();
  // Ends exchanges and connection now.
  void abort(const Error& error);
  // Cuts both off, without another word to the agent.
  void reset(const Error& error);
  // Bytes that it and its exchanges keep, those for origins included.
  size_t held() const;
  // Forgets exchanges that are over. True: the session itself is.
  bool reap();

 private:
  void wake(wire::Connection& connection) override;
  void dispatch(http::Event&& event);
  void begin(http::Head&& head, http::StreamId stream);
  void refuse(http::StreamId stream, const Error& error);
  void on_timer();
  Exchange* find(http::StreamId stream);

  // AgentSide
  size_t send(http::Event&& event) override { return connection_.send(std::move(event)); }
  size_t send_head(http::StreamId stream, const http::Head& head) override {
    return connection_.send_head(stream, head);
  }
  size_t queued(http::StreamId stream) const override { return connection_.queued(stream); }
  void consumed(http::StreamId stream, size_t n) override { connection_.consumed(stream, n); }
  void tunnel(http::StreamId stream) override { connection_.tunnel(stream); }
  void resume_http(http::StreamId stream, http::Authority authority, Chain first) override;
  const http::Authority* inside() const override { return inside_ ? &*inside_ : nullptr; }
  void abort() override;
  void close() override { connection_.finish(); }
  void call_at(MonoTime due) override;
  void exchange_over() override { owner_.session_changed(id_); }
  bool ending() const override { return connection_.codec().output_ended(); }
  void pin() override { pinned_ = true; }
  uint64_t pinned() const override {
    return pinned_ ? (uint64_t{id_.generation} << 32U) | id_.index : 0;
  }

  Worker& worker_;
  Owner& owner_;
  const SlotId id_;
  const Place place_;
  const MemoryCharge charge_;
  wire::Connection connection_;
  std::optional<Error> refusal_;
  std::optional<http::Authority>
      inside_;  // the target of the CONNECT whose tunnel carries plain HTTP
  std::vector<std::unique_ptr<Exchange>> exchanges_;
  net::Timer timer_;    // the one of the session and its exchanges
  MonoTime timer_due_;  // when it fires
  MonoTime idle_since_;
  bool pinned_ = false;
};

}  // namespace sidespan::proxy
