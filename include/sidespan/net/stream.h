// A connected byte stream: reads are handed up as they come, writes go out at once as far as the
// socket takes them. TCP, or one end of a pair within a loop, whose "socket" is the other end's
// reader. Who uses it: wire::Connection, which owns one, and wire::Splice. The reader's callbacks
// may do anything, destroying the stream included.
#pragma once

#include <cstddef>
#include <functional>
#include <limits>
#include <memory>
#include <string_view>
#include <utility>

#include "sidespan/base/buffer.h"
#include "sidespan/base/error.h"
#include "sidespan/net/address.h"
#include "sidespan/net/loop.h"

namespace sidespan::net {

// Told what happens on a stream. Never called from inside a call that its owner made, but for
// on_bytes() from inside read_now() and on_failure() from inside look_for_reset().
class StreamReader {
 public:
  // For this call only; what is to stay is copied or shared. May pause().
  virtual void on_bytes(const Chunk& read) = 0;
  // The most that is read at once. 0: nothing, and the stream pauses as by pause(), that of a
  // socket when it is 0 in the next turn, too.
  virtual size_t room() const { return std::numeric_limits<size_t>::max(); }
  // After a write has failed: whether what the peer had sent before still counts although there is
  // no room for it now. Else it is thrown away, so that the connection comes to its end.
  virtual bool reads_on() const { return true; }
  virtual void on_end() = 0;                  // FIN: the peer will send nothing more
  virtual void on_failure(Error error) = 0;   // once: dead both ways; side is unset (kSelf)
  virtual void on_written(size_t bytes) = 0;  // so many have left for the socket since write()

 protected:
  ~StreamReader() = default;
};

class Stream {
 public:
  // A TCP connection to `address`. `done` is called once, later, with the stream or the error;
  // destroying the returned handle cancels it silently. TCP_NODELAY is set. Where it would take one
  // of the last `descriptors_kept` that the process may have, it fails as if there were none.
  class Connecting {
   public:
    virtual ~Connecting() = default;
  };
  using OnConnect = std::move_only_function<void(Result<std::unique_ptr<Stream>>)>;
  static std::unique_ptr<Connecting> connect(Loop& loop, const Address& address, OnConnect done,
                                             int descriptors_kept = 0);

  // Two ends without a socket: what one writes the other reads, at the end of the turn. Both say
  // `peer` is theirs, and know no local address.
  using Pair = std::pair<std::unique_ptr<Stream>, std::unique_ptr<Stream>>;
  static Pair pair(Loop& loop, const Address& peer);

  virtual ~Stream() = default;  // close()
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  // Starts handing bytes to `reader`, which must live until close(). A second start() replaces it.
  virtual void start(StreamReader& reader) = 0;
  // No more reading until resume(); the kernel's window then slows the peer.
  virtual void pause() = 0;
  virtual void resume() = 0;
  virtual bool paused() const = 0;

  // Writes as much of `bytes` as goes without waiting, returns how much that was, and takes over
  // the rest, which on_written reports; `bytes` are done with. Empty ones are fine. Not after
  // shutdown(); after a failure or close() it does nothing. A write that fails lets what the peer
  // had sent before be read first, unless the reader has no room, then comes on_failure.
  virtual size_t write(Chain&& bytes) = 0;
  // What the socket takes of `bytes` there and then, of which nothing is kept; none while something
  // waits. An error is met by the write() of the rest.
  virtual size_t write_now(std::string_view bytes) = 0;
  // Accepted by write() and not yet taken by the socket.
  virtual size_t pending() const = 0;
  // Taken by the socket, and not yet by the peer, as far as the system knows: less of it is
  // progress that nothing else tells of. One system call.
  virtual size_t unacknowledged() const { return 0; }
  // How much the other end would take now, what is pending included, as far as is known here.
  virtual size_t writable() const = 0;
  // Nothing waits to be read: no byte, no FIN, no error. One system call.
  virtual bool is_quiet() const = 0;
  // Reads what waits, as the loop would in its next turn. False: there was no byte, or no room.
  virtual bool read_now() = 0;
  // Nothing is heard of a stream that is paused: finds out whether the peer has reset it, or is no
  // longer there, which is then told by on_failure(). A FIN waits for resume().
  virtual void look_for_reset() {}
  // FIN after what is pending.
  virtual void shutdown() = 0;
  // Drops everything and frees the handle; no callback comes after. `reset` makes it an RST, so
  // that the peer cannot mistake an unfinished message for a finished one.
  virtual void close(bool reset = false) = 0;

  // Asks the system; no address after close().
  virtual Address local() const = 0;
  // Valid after close() too.
  virtual const Address& peer() const = 0;
  virtual Loop& loop() = 0;

  // What one costs while nothing is pending, beside itself: for the memory ledger.
  static size_t idle_bytes();

 protected:
  Stream() = default;

 private:
  friend class Listener;
  friend class SocketStream;
  struct Impl;
};

}  // namespace sidespan::net
