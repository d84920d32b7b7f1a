// Reads the JSON documents of a body as it passes, in any pieces: undoes the Content-Encoding,
// finds the documents in it by its media type (one JSON text, server-sent events, lines, an array
// told element by element), and hands each to whoever the sink names. Pure and bounded: nothing of
// the body is kept; beyond its limits, or where the body is not what it says, it reads no more.
// Used by observers of model and tool calls, which decide what in a document is of interest.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "sidespan/http/inflate.h"
#include "sidespan/http/message.h"
#include "sidespan/json/reader.h"

namespace sidespan::semconv {

enum class BodyFraming : uint8_t {
  kJson,      // one text
  kTexts,     // one text or several in a row, as some answers have that say they are one
  kElements,  // one text; of an array the elements are documents
  kLines,     // a text a line
  kEvents,    // server-sent events, a text in each one's data
  kMessages,  // AWS event stream, a text in each message's payload; an exception's has its name,
              // an error is none
};

// Of a Content-Type's value: `kJson` for application/json and what ends in +json, `kLines` for the
// names that lines of JSON go by, `kEvents` for text/event-stream, `kMessages` for
// application/vnd.amazon.eventstream. Nothing: another one.
std::optional<BodyFraming> framing_of(std::string_view content_type);

class BodySink {
 public:
  // A document begins. `event_name` is an event's, for this call, else empty. The handler must live
  // until the document's end; null: it is of no interest, and has no end either.
  virtual json::Handler* begin_document(std::string_view event_name) = 0;
  // `whole`: it was one well-formed text. Called with its last byte, where that is told apart.
  virtual void end_document(bool whole) = 0;
  // The stream says by a message of its own that it failed (`:message-type: error`): in no
  // document. For this call.
  virtual void on_stream_error(std::string_view /*code*/, std::string_view /*text*/) {}

 protected:
  ~BodySink() = default;
};

struct BodyLimits {
  uint64_t plain_bytes_max = uint64_t{64} << 20;  // that are read of a body, decoded
  http::InflateLimits inflate = {};               // its own plain_bytes_max is not looked at
  json::ReaderLimits json = {};
};

// Holds less than 1 KiB, what the nesting of a text takes, and the decoders, of which inflate.h
// tells, as it does of how many plain bytes are read within a call at most.
class BodyReader {
 public:
  enum class State : uint8_t {
    kReading,
    kBroken,  // the coding or the framing is not what it should be
    kLimit,   // longer than a limit allows
  };

  // `sink` must outlive this, and not destroy it from within a call.
  BodyReader(BodyFraming framing, const http::Codings& codings, const BodyLimits& limits,
             BodySink& sink);
  ~BodyReader();
  BodyReader(const BodyReader&) = delete;
  BodyReader& operator=(const BodyReader&) = delete;

  void feed(std::string_view bytes);
  // Nothing more comes. `clean`: the body ended as its framing says; a number at the end of one
  // that did not is no document.
  void finish(bool clean);
  // Once it is not kReading, nothing is read, and a document that was open has ended.
  State state() const;
  // Some of its events had ids (http/sse.h).
  bool has_event_ids() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// Of a head with such a Content-Type, or with `framing` where the caller knows better. Null:
// nothing to read there, or packed in a way that is not known.
std::unique_ptr<BodyReader> make_body_reader(const http::Headers& headers, const BodyLimits& limits,
                                             BodySink& sink,
                                             std::optional<BodyFraming> framing = {});

}  // namespace sidespan::semconv
