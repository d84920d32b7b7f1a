// A connected byte stream (TCP): reads are handed up as they come, writes go out at once as far as
// the socket takes them. Who uses it: wire::Connection, which owns one, and wire::Splice. The
// reader's callbacks may do anything, destroying the stream included.
#pragma once

#include <cstddef>
#include <functional>
#include <limits>
#include <memory>
#include <string_view>

#include "sidespan/base/buffer.h"
#include "sidespan/base/error.h"
#include "sidespan/net/address.h"
#include "sidespan/net/loop.h"

namespace sidespan::net {

// Told what happens on a stream. Never called from inside a call that its owner made, except
// on_written from inside write(), for what the socket took there and then.
class StreamReader {
 public:
  // For this call only; what is to stay is copied or shared. May pause().
  virtual void on_bytes(const Chunk& read) = 0;
  // The most that is read at once; who wants nothing pauses.
  virtual size_t room() const { return std::numeric_limits<size_t>::max(); }
  virtual void on_end() = 0;                  // FIN: the peer will send nothing more
  virtual void on_failure(Error error) = 0;   // once: dead both ways; side is unset (kSelf)
  virtual void on_written(size_t bytes) = 0;  // so many have left for the socket

 protected:
  ~StreamReader() = default;
};

class Stream {
 public:
  // A TCP connection to `address`. `done` is called once, later, with the stream or the error;
  // destroying the returned handle cancels it silently. TCP_NODELAY is set.
  class Connecting {
   public:
    virtual ~Connecting() = default;
  };
  using OnConnect = std::move_only_function<void(Result<std::unique_ptr<Stream>>)>;
  static std::unique_ptr<Connecting> connect(Loop& loop, const Address& address, OnConnect done);

  ~Stream();  // close()
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  // Starts handing bytes to `reader`, which must live until close(). A second start() replaces it.
  void start(StreamReader& reader);
  // No more reading until resume(); the kernel's window then slows the peer.
  void pause();
  void resume();
  bool paused() const;

  // Writes as much of `bytes` as goes without waiting and takes over the rest; on_written reports
  // both. Empty `bytes` is fine. Not after shutdown(); after a failure or close() it does nothing.
  // A write that fails lets what the peer had sent before be read first, then comes on_failure.
  void write(Chain bytes);
  // What the socket takes of `bytes` there and then, of which nothing is kept or reported; none
  // while something waits. An error is met by the write() of the rest.
  size_t write_now(std::string_view bytes);
  // Accepted by write() and not yet taken by the socket.
  size_t pending() const;
  // Nothing waits to be read: no byte, no FIN, no error. One system call.
  bool is_quiet() const;
  // Reads what waits, if any byte does, as the loop would in its next turn.
  void read_now();
  // FIN after what is pending.
  void shutdown();
  // Drops everything and frees the handle; no callback comes after. `reset` makes it an RST, so
  // that the peer cannot mistake an unfinished message for a finished one.
  void close(bool reset = false);

  // Asks the system; no address after close().
  Address local() const;
  // Valid after close() too.
  const Address& peer() const;
  Loop& loop();

  // What one costs while nothing is pending, beside itself: for the memory ledger.
  static size_t idle_bytes();

 private:
  friend class Listener;
  struct Impl;
  explicit Stream(Impl* impl) : impl_(impl) {}
  Impl* impl_;  // freed when both this and libuv's handle are gone
};

}  // namespace sidespan::net
