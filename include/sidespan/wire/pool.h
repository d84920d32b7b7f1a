// Connections to origins, shared by everything one thread does: exchanges of a worker, exports of
// the telemetry thread. A stream is on a connection that takes one more (an idle one, or HTTP/2) or
// on a fresh one; letting go of the last gives the connection back when it is clean and closes it
// when it is not. To one origin there are only so many: who needs one more waits in line.
#pragma once

#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "sidespan/base/metrics.h"
#include "sidespan/base/slot_map.h"
#include "sidespan/http/codec.h"
#include "sidespan/http/event.h"
#include "sidespan/net/loop.h"
#include "sidespan/wire/dialer.h"

namespace sidespan::wire {

// What two requests must have in common to share a connection.
struct PoolKey {
  std::string host;  // lower case; no brackets
  uint16_t port = 0;
  // An agent connection's number where authentication is bound to it, else 0.
  uint64_t pinned_to = 0;
  bool secure = false;   // by TLS
  bool through = false;  // the second proxy's CONNECT
  bool own = false;      // the agent's own server: other checks of its address
  bool h2 = false;       // may be HTTP/2: by TLS where the origin takes it, plainly for sure
  bool tls13 = false;    // by TLS: nothing older will do
  // Then: whom the certificate must name, where that is not `host`, and which of ours is shown.
  std::string server_name = {};
  size_t certificate = 0;
  // Through the second proxy: how many sidespans the agent's request has passed.
  size_t sidespans = 0;

  std::string verified_name() const;  // without the root's dot
  tls::ClientTarget tls_target() const;
  bool operator==(const PoolKey&) const = default;
};

// One of the connections that may go to an origin, from when it is dialled until it is closed. The
// pool outlives it.
class OriginPlace {
 public:
  OriginPlace() = default;  // none
  OriginPlace(OriginPlace&& other) noexcept : site_(std::exchange(other.site_, nullptr)) {}
  OriginPlace& operator=(OriginPlace&& other) noexcept {
    std::swap(site_, other.site_);
    return *this;
  }
  ~OriginPlace();
  explicit operator bool() const { return site_ != nullptr; }

 private:
  friend class Pool;
  struct Site;
  explicit OriginPlace(Site& site);

  Site* site_ = nullptr;
};

class OriginStreamOwner {
 public:
  // Never called from inside a call the owner made. The owner may destroy the stream in it.
  virtual void on_origin_event(http::Event&& event) = 0;
  // How much of the answer it takes now; where that is none, reading goes on with consumed(). Asked
  // where the connection is the stream's alone.
  virtual size_t answer_room() const { return std::numeric_limits<size_t>::max(); }

 protected:
  ~OriginStreamOwner() = default;
};

// One request's half of a connection. Let go of it when the exchange is over.
class OriginStream {
 public:
  // Bytes now queued for the socket.
  virtual size_t send(http::Event&& event) = 0;
  virtual size_t send_head(const http::Head& head) = 0;
  virtual size_t queued() const = 0;
  virtual void consumed(size_t n) = 0;
  // Codec::read_ahead(), before send_head().
  virtual void read_ahead() = 0;
  virtual void tunnel() = 0;
  // The tunnel was not needed; the connection goes back as fresh as it is, if no byte has passed.
  virtual void resume_http() = 0;
  virtual void half_close() = 0;

  virtual bool reused() const = 0;  // the connection is older than it
  virtual const net::Address& peer() const = 0;
  virtual const DialPhases& phases() const = 0;   // empty after the first stream
  virtual std::string_view protocol() const = 0;  // "1.1", "2"
  virtual const tls::Engine* tls() const = 0;     // null: plain

 protected:
  ~OriginStream() = default;

 private:
  friend class Pool;
  friend struct ReleaseStream;
  virtual void release() = 0;
  // The connection itself and its place, for another use; then release() it.
  virtual std::pair<Dialled, OriginPlace> detach() = 0;
};

// The connection owns its streams; who lets go of one gives it back.
struct ReleaseStream {
  void operator()(OriginStream* stream) const { stream->release(); }
};
using OriginStreamPtr = std::unique_ptr<OriginStream, ReleaseStream>;

class Pool {
  struct Impl;
  struct Origin;

 public:
  struct Options {
    http::CodecLimits codec;
    // To one host and port: under way, in use or idle, by whatever key, and what was taken.
    size_t connections_per_origin_max = 1024;
    size_t idle_max = 256;               // in all; surplus goes first, then the longest idle
    size_t idle_per_origin_max = 32;     // more go in a second or two; 0: none stays
    Milliseconds idle_time_max{30'000};  // a shorter Keep-Alive: timeout of the origin is honoured
  };
  using OnDialled = std::move_only_function<void(Result<OriginStreamPtr>)>;
  class Waiting {
   public:
    virtual ~Waiting() = default;  // cancels, silently
  };

  // What the pool has by one key, for who asks for it again and again: looked up once. The pool
  // outlives it.
  class Known {
   public:
    Known() = default;
    ~Known();
    Known(const Known&) = delete;
    Known& operator=(const Known&) = delete;

   private:
    friend class Pool;
    std::pair<const PoolKey, Origin>* origin_ = nullptr;  // null: not asked yet
  };

  Pool(net::Loop& loop, Dialer& dialer, Options options);
  ~Pool();

  // A stream on a connection that is there; null where none takes one, or others wait for it.
  // Unless its owner can repeat what it sends, an idle connection is looked at just then, however
  // short ago it became idle.
  OriginStreamPtr acquire(const PoolKey& key, OriginStreamOwner& owner, bool repeatable);
  // The same; `known` is of this key and no other, and of this pool.
  OriginStreamPtr acquire(const PoolKey& key, Known& known, OriginStreamOwner& owner,
                          bool repeatable);
  // One on a connection that no request has used; `done` comes later. Where the origin has as many
  // as it may have, whoever comes waits in line for as long as connecting may take, then is told
  // kOverload; who does not insist (`fresh`) may get a stream on one that was used. Where the
  // origin is known to speak HTTP/2 whoever comes waits for what is under way, and is told, as soon
  // as that ends by being late, the same. Error side: kOrigin or kSelf.
  std::unique_ptr<Waiting> dial(const PoolKey& key, OriginStreamOwner& owner, OnDialled done,
                                bool fresh = false);
  // Who waited in vain for the connections of others.
  const metrics::Counter& refused() const;

  // What an origin showed of itself.
  struct Secured {
    net::Address peer;
    tls::PeerCertificate certificate;
    bool certificate_wanted = false;  // of ours, and there was none to show
    bool h2 = false;                  // what it took
  };
  // That of a connection by TLS that takes another stream, alive as far as can be told; nothing
  // where there is none.
  std::optional<Secured> secured(const PoolKey& key);
  using OnSecured = std::move_only_function<void(Result<Secured>)>;
  // TLS on the connection of `tunnel`, which was opened as one and carried no byte; then it is an
  // idle connection for `key`, unless the origin wants a certificate. `done` comes later.
  std::unique_ptr<Waiting> secure(OriginStreamPtr tunnel, const PoolKey& key, OnSecured done);

  // The connection of `tunnel`, which was opened as one, for other hands; it is no longer the
  // pool's, but keeps its place. Nothing may wait in it.
  struct Taken {
    std::unique_ptr<net::Stream> stream;
    OriginPlace place;
  };
  static Taken take(OriginStreamPtr tunnel);

  size_t idle() const;
  size_t busy() const;
  // Closes the connection that has been idle longest; false where none is. What it held is free.
  bool close_idle();
  // Closes what is idle; nothing is kept from now on.
  void drain();

  // Connections that no stream uses any more, while their last bytes wait for the socket.
  struct Leftover {
    SlotId id;
    size_t bytes;
  };
  std::vector<Leftover> leftovers() const;
  void reset(SlotId leftover);

 private:
  friend class OriginPlace;
  std::unique_ptr<Impl> impl_;
};

}  // namespace sidespan::wire
