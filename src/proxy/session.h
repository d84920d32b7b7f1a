// One agent connection: its exchanges, its keep-alive, its end. The Server owns it in a slot map.
#pragma once

#include <memory>
#include <vector>

#include "agent_side.h"
#include "exchange.h"
#include "inner_connection.h"
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
    // A connection within one, of the same agent.
    virtual void accept_inner(std::unique_ptr<net::Stream> stream) = 0;
    // Whether idle connections were ended where that mark is reached. No session with a request is
    // among them.
    virtual bool make_room(MemoryMark mark) = 0;

   protected:
    ~Owner() = default;
  };
  // `refusal`, when set, answers whatever the agent asks: it may not be here.
  Session(Worker& worker, Owner& owner, SlotId id, Place place, Door door,
          std::unique_ptr<net::Stream> stream, std::optional<Error> refusal);
  ~Session();

  // The answer under way is the last on this connection; on the ingress it ends where there is
  // none.
  void drain();
  // Since when it has been between two requests, where it would be the first to end if another had
  // to come: nothing of it is under way, and nothing is bound to it.
  std::optional<MonoTime> at_rest() const;
  // Nothing of a request is here. Asks the socket.
  bool is_quiet() const { return connection_.is_quiet(); }
  // Its agent is told that the connection ends here.
  void part();
  // Ends exchanges and connection now.
  void abort(const Error& error);
  // Cuts both off, without another word to the agent.
  void reset(const Error& error);
  // Its exchanges are over, but what they sent has not all left.
  bool is_owing() const;
  // Bytes that it and its exchanges keep, those for origins included.
  size_t held() const;
  // Forgets exchanges that are over. True: the session itself is.
  bool reap();
  // Where all that is left of it is a tunnel that nobody looks into: that, and the session is over.
  std::optional<Tunnel::Parts> splice();
  // Its place, for what it has become.
  Place leave() { return std::move(place_); }
  // Called now and then, every kSweepInterval at least: what is due happens.
  void sweep(MonoTime now);
  static constexpr Milliseconds kSweepInterval{1000};

 private:
  // More requests at a time than this are a crowd.
  static constexpr size_t kCrowd = 4;

  void wake(wire::Connection& connection) override;
  void dispatch(http::Event&& event);
  void begin(http::Head&& head, http::StreamId stream);
  void begin_inner(http::Head&& connect, http::StreamId stream);
  std::optional<Moment> take_asked_for(Nanoseconds idle);
  void refuse(http::StreamId stream, const Error& error);
  void look_at_opening();
  void lose_opener(semconv::Ending ending, const std::optional<Error>& error);
  Milliseconds patience() const;
  void on_timer();
  Exchange* find(http::StreamId stream);
  InnerConnection* find_inner(http::StreamId stream);
  bool is_idle() const { return exchanges_.empty() && inner_.empty(); }
  void changed();

  // AgentSide
  size_t send(http::Event&& event) override { return connection_.send(std::move(event)); }
  size_t send_head(http::StreamId stream, const http::Head& head) override {
    return connection_.send_head(stream, head);
  }
  size_t queued(http::StreamId stream) const override { return connection_.queued(stream); }
  size_t sendable(http::StreamId stream) const override { return connection_.sendable(stream); }
  bool crowded() const override { return exchanges_.size() > kCrowd; }
  Door door() const override { return door_; }
  const net::Address& peer() const override { return connection_.peer(); }
  void consumed(http::StreamId stream, size_t n) override { connection_.consumed(stream, n); }
  void tunnel(http::StreamId stream) override;
  void resume_http(http::StreamId stream, std::unique_ptr<Inside> inside, Chain first) override;
  void intercept(http::StreamId stream, std::unique_ptr<Inside> inside,
                 std::unique_ptr<tls::Engine> engine, const Chain& first) override;
  const Inside* inside() const override { return inside_.get(); }
  bool end_as_stale(http::StreamId stream) override;
  bool multiplexed() const override { return connection_.codec().multiplexed(); }
  bool is_here(const http::Authority& authority) const override;
  void close(http::StreamId stream) override;
  void take_no_more() override { connection_.drain(); }
  void call_at(MonoTime due) override;
  void exchange_over() override { changed(); }
  bool ending() const override { return connection_.codec().output_ended(); }
  void pin() override { pinned_ = true; }
  uint64_t pinned() const override {
    return pinned_ ? (uint64_t{id_.generation} << 32U) | id_.index : 0;
  }

  Worker& worker_;
  Owner& owner_;
  const SlotId id_;
  Place place_;
  const MemoryCharge charge_;
  wire::Connection connection_;
  // Few sessions have one of these, and most are idle.
  const std::unique_ptr<const Error> refusal_;
  std::unique_ptr<Inside> inside_;
  std::unique_ptr<Exchange> opener_;  // the CONNECT behind it, until a request came by TLS
  std::vector<std::unique_ptr<Exchange>> exchanges_;
  std::vector<std::unique_ptr<InnerConnection>> inner_;
  size_t found_ = 0;  // where the exchange was that an event was for last
  MonoTime due_;      // when something of the session or its exchanges may have to end
  // For what is due sooner than a sweep is sure to come: most connections never need one.
  std::unique_ptr<net::Timer> timer_;
  MonoTime idle_since_;     // or since the agent has its tunnel
  MonoTime owing_since_{};  // since when the agent has taken nothing of what is left of answers
  http::StreamId last_told_ = 0;     // streams begin in their order
  http::StreamId first_stream_ = 1;  // of HTTP/1; within a tunnel the first there
  const Door door_;
  bool pinned_ = false;
  bool changed_ = false;  // the owner was told, and has not reaped yet
};

}  // namespace sidespan::proxy
