// What an Exchange may do to the agent's connection; Session is what is behind it. On the ingress
// that is the connection of whoever asks the agent's own server.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "sidespan/base/clock.h"
#include "sidespan/base/error.h"
#include "sidespan/http/event.h"
#include "sidespan/http/uri.h"
#include "sidespan/lineage/resolver.h"
#include "sidespan/net/address.h"
#include "sidespan/proxy/ingress.h"
#include "sidespan/tls/engine.h"
#include "sidespan/wire/pool.h"
#include "sidespan/wire/read_room.h"

namespace sidespan::proxy {

// Where the requests of a tunnel go whose agent speaks HTTP in it, by TLS or plainly.
struct Inside {
  http::Authority authority;  // as they name it
  wire::PoolKey key;          // as it is dialled
  // What the origin showed: a request may name any host that it covers.
  tls::PeerCertificate certificate;
  // Why the origin cannot be reached, or not safely: what every request is told.
  std::optional<Error> failure;
  bool agent_h2 = false;                                      // what the agent speaks in it
  std::shared_ptr<const lineage::Execution> credential = {};  // that the tunnel was asked for with
  Moment asked_for = {};                                      // when, until the first request came

  std::string_view scheme() const { return key.secure ? "https" : "http"; }
  // Of that; empty: there was none.
  std::string_view execution() const {
    return credential ? std::string_view(credential->id) : std::string_view();
  }
};

class AgentSide {
 public:
  // Bytes now queued for the agent's socket.
  virtual size_t send(http::Event&& event) = 0;
  virtual size_t send_head(http::StreamId stream, const http::Head& head) = 0;
  virtual size_t queued(http::StreamId stream) const = 0;
  // wire::read_room() where `queued` bytes are for the stream; Drained tells when some have left.
  size_t room(http::StreamId stream, size_t queued, size_t queue_bytes_max) const {
    return wire::read_room(queued, sendable(stream), queue_bytes_max);
  }
  // Whether that is any.
  bool has_room(http::StreamId stream, size_t queued, size_t queue_bytes_max) const {
    return wire::has_read_room(queued, [&] { return sendable(stream); }, queue_bytes_max);
  }
  // Codec::sendable().
  virtual size_t sendable(http::StreamId stream) const = 0;
  // So many requests share the connection that little is read ahead for each.
  virtual bool crowded() const = 0;
  virtual Door door() const = 0;
  virtual const net::Address& peer() const = 0;
  virtual void consumed(http::StreamId stream, size_t n) = 0;
  virtual void tunnel(http::StreamId stream) = 0;
  // What was asked for as a tunnel carries plain HTTP: `first` and what follows are requests.
  virtual void resume_http(http::StreamId stream, std::unique_ptr<Inside> inside, Chain first) = 0;
  // The same by TLS, of which `first` came already. The exchange of the tunnel stays until a
  // request comes or none will.
  virtual void intercept(http::StreamId stream, std::unique_ptr<Inside> inside,
                         std::unique_ptr<tls::Engine> engine, const Chain& first) = 0;
  // nullptr when there is no such tunnel.
  virtual const Inside* inside() const = 0;
  // Its requests share the connection, and end one by one.
  virtual bool multiplexed() const = 0;
  // Whether that is where this connection leads to itself.
  virtual bool is_here(const http::Authority& authority) const = 0;
  // Closes without an answer to the request of `stream`, so that the agent's own handling of stale
  // connections works. False, and nothing is done, where that would not look stale: streams share
  // the connection, no answer came by it before, or earlier ones are still due.
  virtual bool end_as_stale(http::StreamId stream) = 0;
  // Ends the stream after what was said, which may take the connection along; what the agent still
  // sends is not read as a message.
  virtual void close(http::StreamId stream) = 0;
  // on_timer() of the exchange comes then, or before: it looks by itself whether it is time.
  virtual void call_at(MonoTime due) = 0;
  // Tells the agent that its next request needs another connection.
  virtual void take_no_more() = 0;
  // The exchange is over and may be forgotten once this turn has ended.
  virtual void exchange_over() = 0;
  // No further request will be read from this connection.
  virtual bool ending() const = 0;
  // Authentication was bound to this connection: from now on its requests share no origin
  // connection with those of other agents.
  virtual void pin() = 0;
  // What tells it apart from every other connection of the worker once it is pinned; 0 before.
  virtual uint64_t pinned() const = 0;

 protected:
  ~AgentSide() = default;
};

}  // namespace sidespan::proxy
