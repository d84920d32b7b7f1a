// One request and its answer on an HTTP/2 connection, as the codec keeps it until both are over.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "h2_fields.h"
#include "sidespan/base/buffer.h"
#include "sidespan/http/event.h"

namespace sidespan::http {

struct H2Stream {
  StreamId id = 0;      // as events name it
  int32_t wire_id = 0;  // as frames do; 0: a client's that has sent nothing yet

  size_t unconsumed = 0;  // body bytes told and not consumed
  size_t consumed = 0;    // a client's, until its window is as large as it may be
  size_t window = 0;      // what the peer may send before any of it is consumed
  size_t interims = 0;

  Chain out;                        // body that waits for the peer's window
  size_t in_flight = 0;             // of it, in frames that have not left for the socket
  std::optional<Headers> trailers;  // to be sent behind it
  std::optional<uint32_t> cut;      // it is the last, and RST_STREAM with that code follows

  bool to_head = false;    // a server's: its answer has no body
  bool connect = false;    // a server's: it is to be a tunnel, or since its head was sent is one
  bool head_told = false;  // the peer's; an answer's final one
  bool input_ended = false;
  bool head_sent = false;  // ours; an answer's final one
  bool head_left = false;  // it is in a frame
  bool served = false;     // a server's: with more than a refusal
  bool has_body = false;   // DATA frames follow our head
  bool deferred = false;   // nghttp2 was told that there is none for now
  bool output_ended = false;
  bool end_sent = false;
  bool unread = false;  // nobody wants the rest of what the peer sends
  bool reset_by_peer = false;
  bool reset_by_us = false;

  // The end of what we send may be in a frame before anybody said so: the head of an answer that
  // can have no body.
  bool is_whole() const { return input_ended && (output_ended || end_sent); }
};

}  // namespace sidespan::http
