// One connection: a socket, TLS where there is any, a codec, and the one pump between them. Bytes
// that come are fed to the codec; then the owner is woken, without data, and pulls events. What the
// owner sends is written once, at the end of the turn. Who uses it: proxy sessions and serve (agent
// side), Pool (origin side).
#pragma once

#include <limits>
#include <memory>
#include <optional>

#include "sidespan/http/codec.h"
#include "sidespan/net/loop.h"
#include "sidespan/net/stream.h"
#include "sidespan/net/timer.h"
#include "sidespan/tls/engine.h"

namespace sidespan::wire {

class Connection;
class TlsLayer;

class ConnectionOwner {
 public:
  // There may be events to pull, or the connection closed. Never called from inside a call the
  // owner made, but for catch_up() and look_for_reset(). The owner may destroy the connection in
  // it.
  virtual void wake(Connection& connection) = 0;
  // The most that is wanted of the peer's bytes now; where that is none, reading goes on with
  // consumed().
  virtual size_t room(const Connection&) const { return std::numeric_limits<size_t>::max(); }
  // See net::StreamReader: requests of an agent that is gone do not count, an origin's answer does.
  virtual bool reads_on() const { return false; }

 protected:
  ~ConnectionOwner() = default;
};

class Connection final : private net::StreamReader, private net::TurnEnd {
 public:
  // `engine`, when given, is established.
  Connection(std::unique_ptr<net::Stream> stream, std::unique_ptr<tls::Engine> engine,
             std::unique_ptr<http::Codec> codec, ConnectionOwner& owner);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // The codec's verbs, with the pump behind them.
  std::optional<http::Event> next() { return codec_->next(); }
  http::StreamId open() { return codec_->open(); }
  size_t send(http::Event&& event);
  size_t send_head(http::StreamId stream, const http::Head& head);
  size_t queued(http::StreamId stream) const { return codec_->queued(stream); }
  // What of a body could leave at once, as far as is known here.
  size_t sendable(http::StreamId stream) const;
  void read_ahead(http::StreamId stream) { codec_->read_ahead(stream); }
  void consumed(http::StreamId stream, size_t n);
  // Where reading has paused, whether it may go on is looked at again.
  void read_on() {
    if (stream_ && stream_->paused()) update_reading();
  }
  void tunnel(http::StreamId stream);
  void resume_http(http::StreamId stream, Chain first);
  void half_close(http::StreamId stream);
  void drain();
  const http::Codec& codec() const { return *codec_; }

  // From now on the peer speaks TLS, of which `first` came already, and `codec` reads what is
  // inside it.
  void secure(std::unique_ptr<tls::Engine> engine, std::unique_ptr<http::Codec> codec,
              const Chain& first);
  // Null without TLS.
  const tls::Engine* tls() const;
  // What the peer said before there was this connection.
  void read_early(const Chain& bytes);
  // Its stream, for another use; what is left is closed().
  std::unique_ptr<net::Stream> detach();

  // Ends it after what is queued: FIN, then a short lingering read, so that the peer gets the last
  // answer instead of a reset. `closed()` follows, also when the peer takes nothing any more. What
  // the socket can take goes out even when the connection is destroyed in the same turn.
  void finish();
  // Ends it now; the peer sees a reset.
  void abort();
  // How long the peer may take nothing of what is left to write once it is finishing; half a minute
  // where nobody says.
  void set_stall_time(Milliseconds time) { stall_time_ = time; }
  // Something that was sent has not left for the socket yet.
  bool has_unsent() const;
  // The peer has taken some of what was sent since this was asked before. Asks the system.
  bool has_moved();
  // Bytes that it keeps: read and not handled yet, or waiting for the socket.
  size_t held() const;
  // Nothing waits to be read: neither bytes nor the peer's end. Asks the socket.
  bool is_quiet() const { return stream_ && stream_->is_quiet(); }
  // What waits may belong to the connection alone (TLS tickets, HTTP/2 settings): one read of it is
  // done now. False: there was nothing to read, or no such thing can come here.
  bool catch_up() { return stream_ && (tls_ || codec_->multiplexed()) && stream_->read_now(); }
  // Where it is not read for now: see net::Stream.
  void look_for_reset() {
    if (stream_) stream_->look_for_reset();
  }
  // finish() was called.
  bool finishing() const { return finishing_; }
  // The socket is gone; only destruction is left.
  bool closed() const { return stream_ == nullptr; }

  const net::Address& peer() const { return peer_; }
  // Of this end; none once it is closed.
  net::Address local() const { return stream_ ? stream_->local() : net::Address(); }

 private:
  // net::StreamReader
  void on_bytes(const Chunk& read) override;
  size_t room() const override;
  bool reads_on() const override { return owner_.reads_on(); }
  void on_end() override;
  void on_failure(Error error) override;
  void on_written(size_t bytes) override;
  // net::TurnEnd
  void on_turn_end() override;

  void feed(const Chunk& read);
  void feed_cipher(std::string_view bytes);
  void look_for_successor();
  bool says_something() const;
  void flush();
  void write_out();
  void write_by_tls();
  void write_cipher(Chain&& cipher);
  void end_output();
  void wake() { owner_.wake(*this); }
  bool wants_input() const;
  void update_reading();
  void arm_deadline();
  void on_deadline();
  void linger();
  void end_after(Milliseconds time);
  void on_end_time();
  void close(bool reset);
  void flush_later();

  net::Loop& loop_;
  std::unique_ptr<net::Stream> stream_;
  std::unique_ptr<TlsLayer> tls_;
  std::unique_ptr<http::Codec> codec_;
  ConnectionOwner& owner_;
  std::unique_ptr<net::Timer> timer_;  // made when first needed
  std::optional<MonoTime> armed_for_;
  net::Address peer_;
  Milliseconds stall_time_{30'000};
  size_t untaken_ = 0;    // by the peer, when has_moved() was asked
  size_t lingered_ = 0;   // bytes read and thrown away
  bool settled_ = false;  // what was told is the codec's protocol: no other codec goes on
  bool input_ended_ = false;
  bool output_ended_ = false;
  bool finishing_ = false;
  bool lingering_ = false;
  bool moved_ = false;          // something left for the socket
  bool ends_by_timer_ = false;  // the timer is that of the end, no longer the codec's
};

}  // namespace sidespan::wire
