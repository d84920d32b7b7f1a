// What a Stream is inside: libuv's handle and what is not yet written. Kept small, since most
// connections are idle: the write request exists only while the socket takes no more. Listener
// makes streams of accepted sockets by it. It outlives its Stream until libuv has given the handle
// back.
#pragma once

#include <uv.h>

#include <array>
#include <limits>
#include <memory>
#include <span>
#include <string_view>
#include <utility>

#include "sidespan/net/stream.h"

namespace sidespan::net {

struct Stream::Impl {
  struct Attempt;  // connect.cc
  class Handle;
  struct Outbox {
    uv_write_t request;
    size_t bytes = 0;  // at the front of `queue`, lent to libuv
  };

  // The handle without a socket yet; always ends by close() and release().
  explicit Impl(Loop& loop);
  // Takes over `fd`, connected and non-blocking; closes it on failure.
  static Result<std::unique_ptr<Stream>> adopt(Loop& loop, int fd, const Address& peer);
  static std::unique_ptr<Stream> make_stream(Impl* impl);

  uv_stream_t* stream() { return reinterpret_cast<uv_stream_t*>(&tcp); }
  uv_handle_t* handle() { return reinterpret_cast<uv_handle_t*>(&tcp); }
  Loop& loop() const { return *static_cast<Loop*>(tcp.loop->data); }
  // Takes over `socket`, non-blocking; closes it on failure. 0, or libuv's error.
  int open(int socket);

  void read();
  void pause();
  // Where what is read next goes; empty where the reader has no room.
  std::span<char> room() const;
  void on_readable();
  void on_no_room();
  // `status`: UV_EOF, or an error.
  void on_read_end(int status);
  size_t write(Chain&& bytes);
  // After `taken` of them; `full` when the socket takes no more for now or has failed.
  size_t write_rest(Chain&& bytes, size_t taken, bool full);
  // What the socket takes of `bytes` there and then.
  size_t send(Chain& bytes);
  // How much that was by what the system says, whose error is kept.
  size_t took(ssize_t sent);
  void lend_rest();
  void on_lent_written(int status);
  void write_failed(int status);
  void finish_writing();
  void report_failure(int status);
  void close(bool reset);
  void release();  // the owner is gone

  uv_tcp_t tcp;
  StreamReader* reader = nullptr;
  Chain queue;  // what waits: some of it only while there is an outbox
  std::unique_ptr<Outbox> outbox;
  Address peer;
  int fd = -1;           // libuv closes it
  int write_status = 0;  // the first error of a write
  bool paused = false;
  bool roomless = false;  // the reader had no room when it was asked last
  bool ended = false;     // the peer's FIN was read
  bool failed = false;    // reported, or to be when reading has come to its end
  bool forsaken = false;  // failed, and what still comes is thrown away
  bool fin_wanted = false;
  bool closed = false;
  bool handle_closed = false;
  bool released = false;
};

// A Stream by libuv.
class SocketStream final : public Stream {
 public:
  explicit SocketStream(Impl* impl) : impl_(impl) {}
  ~SocketStream() override;

  void start(StreamReader& reader) override;
  void pause() override { impl_->pause(); }
  void resume() override;
  bool paused() const override { return impl_->paused; }
  size_t write(Chain&& bytes) override { return impl_->write(std::move(bytes)); }
  size_t write_now(std::string_view bytes) override;
  size_t pending() const override { return impl_->queue.size(); }
  size_t unacknowledged() const override;
  size_t writable() const override { return std::numeric_limits<size_t>::max(); }
  bool is_quiet() const override;
  bool read_now() override;
  void look_for_reset() override;
  void shutdown() override;
  void close(bool reset) override { impl_->close(reset); }
  Address local() const override;
  const Address& peer() const override { return impl_->peer; }
  Loop& loop() override { return impl_->loop(); }

 private:
  friend struct Stream::Impl;
  Impl* impl_;  // freed when both this and libuv's handle are gone
};

// TCP_NODELAY (nothing here may wait for an ACK) and keepalive: a peer that vanished is found
// within two minutes. Accepted sockets inherit both from the listening one.
void set_tcp_options(int fd);

}  // namespace sidespan::net
