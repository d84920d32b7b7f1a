// The only currency between the agent's side and the origin's: what one codec says with next(), the
// other is told with send(). A stream is one request and its answer; ids are the codec's own.
#pragma once

#include <cstdint>
#include <variant>

#include "sidespan/base/buffer.h"
#include "sidespan/base/error.h"
#include "sidespan/http/message.h"

namespace sidespan::http {

using StreamId = uint32_t;  // 0 names no stream

struct Interim {  // 1xx, except 101
  Head head;
};
struct Body {  // after tunnel(): opaque bytes
  Chain data;
};
struct Trailers {
  Headers fields;
};
struct End {};  // the message is whole; after tunnel(): this direction's FIN
struct Reset {  // the stream is over, unfinished
  Error error;
};
// So many bytes of what send() queued have left. HTTP/1 tells none of a request without a body.
struct Drained {
  size_t bytes = 0;
};
struct HalfClosed {};  // the peer sent FIN but may still read: an answer is owed (h1 server)
struct Closing {       // no stream after this one will be answered here (h2 GOAWAY)
  StreamId last_stream = 0;
};

struct Event {
  StreamId stream = 0;
  std::variant<Interim, Head, Body, Trailers, End, Reset, Drained, HalfClosed, Closing> what;
};

}  // namespace sidespan::http
