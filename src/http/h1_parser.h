// One HTTP/1 message out of bytes that come in any pieces. Two readers one after the other: a guard
// (heads and trailers HeadGuard, chunks ChunkGuard) goes first, llhttp reads what passed, a head or
// trailer section only when it is whole, of a head the lines that can mean something to it
// (shown.h), and where they disagree the message is refused. Bytes that the two have agreed on how
// many there are need no reader. Knows nothing of connections, keep-alive or answers; the codecs
// make one a message.
#pragma once

#include <llhttp.h>

#include <cstdint>
#include <optional>
#include <string_view>

#include "agreement.h"
#include "chunk_guard.h"
#include "head_guard.h"
#include "sidespan/base/spares.h"
#include "sidespan/http/codec.h"
#include "sidespan/http/message.h"

namespace sidespan::http {

// Told what the message consists of, in order. Called from inside feed().
class MessageSink {
 public:
  virtual void on_head(Head&& head) = 0;
  virtual void on_body(std::string_view bytes) = 0;
  virtual void on_trailers(Headers fields) = 0;

 protected:
  ~MessageSink() = default;
};

// Made for each message, of memory that comes again.
class H1Parser final : public Recycled<H1Parser, 16> {
 public:
  enum class Kind : uint8_t {
    kRequest,
    kAnswer,
    kAnswerToHead,     // has no body, whatever its fields say
    kAnswerToConnect,  // a 2xx has none
  };
  // `limits` and `sink` outlive the parser. `side` is who sends the message.
  H1Parser(Kind kind, Side side, const CodecLimits& limits, MessageSink& sink);
  H1Parser(const H1Parser&) = delete;
  H1Parser& operator=(const H1Parser&) = delete;

  // Reads up to the end of the message at most; returns how much was read. Once it has failed the
  // parser is of no use.
  size_t feed(std::string_view bytes);
  bool failed() const { return error_.has_value(); }
  const Error& error() const { return *error_; }
  // The peer will send nothing more; an error where that leaves the message incomplete.
  Result<void> eof(InputEnd how);

  size_t memory_bytes() const { return head_.headers.memory_bytes() + trailers_.memory_bytes(); }
  bool complete() const { return phase_ == Phase::kComplete; }
  bool started() const { return head_done() || guard_.started(); }
  bool head_done() const { return phase_ != Phase::kHead; }

 private:
  enum class Phase : uint8_t { kHead, kBody, kChunks, kTrailers, kComplete };

  static const llhttp_settings_t& settings();
  static H1Parser& self(llhttp_t* parser) { return *static_cast<H1Parser*>(parser->data); }

  // Each reads on in its phase, up to the phase's end at most; returns how much it took, which
  // counts unless it failed.
  size_t feed_section(std::string_view bytes);
  size_t feed_body(std::string_view bytes);
  size_t feed_chunks(std::string_view bytes);
  // Runs llhttp over `bytes`; how far it came.
  size_t run(std::string_view bytes);
  // Whether it reads the section as the guard did.
  bool is_read_the_same();
  // Has llhttp read a head's start line, or go on as it did behind the same one.
  bool read_start(std::string_view line);
  void finish_head();
  // Whether llhttp sees the body end where the head says.
  bool agrees_on_body(bool chunked) const;
  void finish_trailers();
  bool has_foreign_method() const;
  bool bodyless() const;
  void fail_unless(bool agreed) {
    if (!agreed) [[unlikely]]
      fail_for_two_readings();
  }
  [[gnu::noinline]] void fail_for_two_readings();
  // Out of line, for its rareness and its frame.
  [[gnu::noinline]] void refuse(llhttp_errno_t code);
  Error error_of(llhttp_errno_t code) const;
  int on_headers_complete();
  // Takes the start line from the guard.
  void name_start();

  llhttp_t parser_;
  HeadGuard guard_;
  ChunkGuard chunks_;
  const CodecLimits& limits_;
  MessageSink& sink_;
  Head head_;         // while the head is read
  Headers trailers_;  // while trailers are read
  std::optional<Error> error_;
  Headers* fields_ = &head_.headers;
  Agreement second_;            // llhttp's reading of them
  uint64_t content_bytes_ = 0;  // of chunks, as llhttp counts them
  uint64_t body_left_ = 0;      // of a body without chunks
  Kind kind_;
  Side side_;
  Phase phase_ = Phase::kHead;
  bool last_chunk_ = false;
  bool message_ended_ = false;
  bool until_close_ = false;  // that body ends with the connection
};

}  // namespace sidespan::http
