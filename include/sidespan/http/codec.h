// One HTTP connection's protocol as a pure machine: bytes in, events out, and back. The same verbs
// for HTTP/1 and HTTP/2, server and client. No sockets, no clock: wire::Connection moves the bytes
// and brings `now`. An unparsed rest is kept inside, so feed() always takes everything.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string_view>

#include "sidespan/base/buffer.h"
#include "sidespan/base/clock.h"
#include "sidespan/http/event.h"

namespace sidespan::http {

// How the peer's bytes ended.
enum class InputEnd : uint8_t {
  kClean,      // FIN (over TLS: close_notify)
  kTruncated,  // FIN without close_notify: what close delimits is incomplete
};

struct CodecLimits {
  size_t head_bytes_max = size_t{64} * 1024;
  size_t target_bytes_max = size_t{16} * 1024;
  size_t fields_max = 128;
  size_t interims_max = 64;  // answers to one request before the final one
  // Body bytes handed out and not yet consumed() before input stops.
  size_t window_bytes = size_t{64} * 1024;
  // Server: from the first byte of a head to its end. HTTP/2 client: until its peer's SETTINGS
  // come.
  Milliseconds head_time_max{10'000};
  // HTTP/2: streams at a time, body bytes that a peer may send of one before any of them is
  // consumed(), and those of all together that may be on their way here.
  size_t streams_max = 100;
  size_t stream_window_bytes = size_t{256} * 1024;
  size_t connection_window_bytes = size_t{1024} * 1024;
  // HTTP/2 server: in a drain a peer that had streams under way for so long, without a moment's
  // pause, is told to begin no more.
  Milliseconds drain_time{10'000};
  // HTTP/2 client, while streams are under way: a peer that was silent for so long is sent a PING,
  // and is gone if it then says nothing for so long.
  Milliseconds ping_time{60'000};
  Milliseconds ping_answer_time{20'000};
};

class Codec {
 public:
  virtual ~Codec() = default;
  Codec(const Codec&) = delete;
  Codec& operator=(const Codec&) = delete;

  // Bytes from the peer.
  virtual void feed(std::string_view bytes, MonoTime now) = 0;
  // The same, in the chunk they were read into, which a large body then shares.
  virtual void feed(const Chunk& read, MonoTime now) = 0;
  virtual void eof(InputEnd how) = 0;
  // The next thing to know, oldest first; nothing when all has been told. A Reset on stream 0 says
  // that the connection itself is unusable. A server may still answer a stream that was Reset, if
  // it has not yet; a client's stream is over.
  virtual std::optional<Event> next() = 0;
  virtual bool has_events() const = 0;

  // Client: names a new stream; 0 when this connection cannot take one (now, or any more).
  virtual StreamId open() = 0;
  // Says something to the peer. Server: Interim, Head, Body, Trailers, End answer the stream of a
  // request Head. Client: the same on a stream from open(). Reset ends the stream as the protocol
  // can (h1: by ending the connection). Returns queued(). A body longer than its head said is cut,
  // one that ends short of it ends the connection.
  virtual size_t send(Event&& event) = 0;
  // The same for a Head, which is only read.
  virtual size_t send_head(StreamId stream, const Head& head) = 0;
  // Bytes sent on the stream that have not left for the socket; 0 for a stream that is over.
  virtual size_t queued(StreamId stream) const = 0;
  // Body bytes that could leave at once beside those that are queued on the stream: there is a
  // window for them, and nothing before them that waits for the socket.
  virtual size_t sendable(StreamId) const { return std::numeric_limits<size_t>::max(); }
  // Client, HTTP/2: the answer is wanted so far before any of it is consumed(); else little of it
  // is let come, and twice as much each time that half of that was consumed.
  virtual void read_ahead(StreamId) {}
  // What is to be written, in order; what was taken counts as queued until written().
  virtual Chain take_output() = 0;
  virtual bool has_output() const = 0;
  // `n` bytes of taken output have left for the socket; yields Drained events.
  virtual void written(size_t n) = 0;

  // `n` body bytes of the stream have gone where they should; makes room for more input.
  virtual void consumed(StreamId stream, size_t n) = 0;
  // False while input must wait (back-pressure, a full rest); the connection stops reading.
  virtual bool wants_input() const = 0;
  // Where input is wanted, the most to feed at once, so that what waits stays within its bounds.
  virtual size_t room() const { return std::numeric_limits<size_t>::max(); }
  // Kept of what was fed and waits: a section that is not whole yet, messages behind the one under
  // way. The memory ledger has it counted.
  virtual size_t memory_bytes() const = 0;
  // From now on the stream carries opaque bytes both ways: after 2xx to CONNECT, after 101 (which a
  // client's codec lets through only when it was asked for and the request has ended). Bytes that
  // came early are told first. A client may do it first thing on a fresh connection. End is then
  // one direction's FIN.
  virtual void tunnel(StreamId stream) = 0;
  // The tunnel turned out to carry HTTP after all. Server: the stream is over without another word,
  // and `first` with what was not told yet behind it is parsed as the next request. Client (`first`
  // empty): the connection is as fresh; only while no byte has passed.
  virtual void resume_http(StreamId stream, Chain first) = 0;
  // The other side's FIN came while an answer is owed: pass it on (h1: FIN after the output; the
  // connection is not reused). Client only.
  virtual void half_close(StreamId stream) = 0;

  // No new streams; those under way finish (h1 server: the next answer says Connection: close).
  virtual void drain() = 0;
  // Streams under way, requests not yet fully answered. 0: idle.
  virtual size_t streams() const = 0;
  // No output will follow what is queued: FIN goes after it. Input may still come.
  virtual bool output_ended() const = 0;
  // Nothing more will come or go once the output is written; the connection may be closed.
  virtual bool done() const = 0;
  // The output breaks off, and only a connection reset tells the peer: it would take FIN for the
  // message's end (h1 server) or for a half-close, and go on working (h1 client).
  virtual bool ends_abruptly() const = 0;
  // Server, before its first request: what came is the beginning of another protocol, which this
  // codec goes on with. Null: it is not.
  virtual std::unique_ptr<Codec> successor(MonoTime) { return nullptr; }
  // Many streams at a time, which end one by one: nothing that ends one needs to end the
  // connection.
  bool multiplexed() const { return multiplexed_; }
  // Client: another stream may be opened later, the connection is clean; of HTTP/2 not while its
  // peer owes a PING's answer, and again behind that. Server: another request may come.
  virtual bool reusable() const = 0;
  // HTTP/2 client: false until the peer has said how many streams it takes.
  virtual bool greeted() const { return true; }
  // Of an HTTP/1 client whose last answer is over.
  struct AtRest {
    std::optional<Milliseconds> keep_alive;  // so long the peer keeps it (Keep-Alive: timeout)
    // The answer announced a body that it does not have (to HEAD, 304); an origin in error may send
    // one all the same.
    bool may_say_more = false;
  };
  virtual AtRest at_rest() const { return {}; }

  // HTTP/2: what is to be waited for since what was said last, is so from `now` on.
  virtual void wait_from(MonoTime) {}
  // When on_time() wants to be called, if nothing happens before. A head that waited behind another
  // request has its time from the first bytes that come after its turn; before, it is idle.
  virtual std::optional<MonoTime> deadline() const = 0;
  virtual void on_time(MonoTime now) = 0;

 protected:
  explicit Codec(bool multiplexed) : multiplexed_(multiplexed) {}

 private:
  const bool multiplexed_;  // asked in many places, each time something passes
};

}  // namespace sidespan::http
