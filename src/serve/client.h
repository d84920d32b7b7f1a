// One connection of an endpoint: reads a request, asks the handler, answers, and waits for the
// next. Owned by Endpoint, which sheds and reaps.
#pragma once

#include <memory>
#include <string>

#include "serve/request_head.h"
#include "sidespan/net/loop.h"
#include "sidespan/net/stream.h"
#include "sidespan/net/timer.h"
#include "sidespan/serve/endpoint.h"
#include "sidespan/wire/connection.h"

namespace sidespan::serve {

class ClientOwner {
 public:
  virtual const Endpoint::Options& options() const = 0;
  virtual Response handle(const Request& request) = 0;
  // Of answers that all clients together have not read.
  virtual size_t unread_bytes() const = 0;
  // Some client is done(); reap it when the turn ends.
  virtual void reap_later() = 0;

 protected:
  ~ClientOwner() = default;
};

class Client final : private wire::ConnectionOwner {
 public:
  // `welcome`: false answers whatever comes with 503.
  Client(ClientOwner& owner, net::Loop& loop, std::unique_ptr<net::Stream> stream, bool welcome);

  bool done() const { return done_; }
  // Waiting for a request; since when.
  bool idle() const { return state_ == State::kIdle; }
  MonoTime since() const { return since_; }
  // Of the last answer, as long as not all of it was.
  size_t unread_bytes() const { return connection_.has_unsent() ? answer_bytes_ : 0; }
  // Ends it now, to make room.
  void evict();

 private:
  enum class State : uint8_t {
    kIdle,
    kReading,   // a body follows the head
    kAnswered,  // the rest of the request is thrown away
    kEnding,
  };

  void wake(wire::Connection& connection) override;

  void on_event(http::Event event);
  void on_head(http::StreamId stream, http::Head head);
  void on_body(http::StreamId stream, const Chain& data);
  void on_end();
  void on_reset(http::StreamId stream, const Error& error);
  void on_time();
  void refuse(int status, std::string sentence);
  void answer(const Response& response, bool close);
  void wait(State state, Milliseconds time);

  ClientOwner& owner_;
  net::Loop& loop_;
  wire::Connection connection_;
  net::Timer timer_;
  const bool welcome_;
  bool done_ = false;
  State state_ = State::kIdle;
  MonoTime since_;
  http::StreamId stream_ = 0;  // of the request that is owed an answer; 0: none is
  http::Head head_;
  Target target_;
  std::string body_;
  size_t answer_bytes_ = 0;
};

}  // namespace sidespan::serve
