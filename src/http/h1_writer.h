// Heads, chunks and trailers as HTTP/1.1 bytes (RFC 9112), from parsed fields only. Framing fields
// are written from the BodyLength and never copied, but for the Content-Length of a body that is
// not sent (HEAD, 304). Nothing that ends a line gets through.
#pragma once

#include <cstdint>
#include <string_view>

#include "sidespan/base/buffer.h"
#include "sidespan/http/message.h"

namespace sidespan::http {

enum class Framing : uint8_t {
  kNone,    // no body follows
  kSwitch,  // nor any HTTP: the answer opens a tunnel
  kLength,
  kChunked,
  kUntilClose,
};

void write_request_head(Chain& out, const Head& head, Framing framing);
// `connection` is the value of the Connection field, empty: none. The head's own counts only in an
// answer that opens a tunnel.
void write_response_head(Chain& out, const Head& head, Framing framing,
                         std::string_view connection);
// A part of a body whose length the head has said.
void write_known(Chain& out, Chain&& data);
void write_chunk(Chain& out, Chain data);
void write_last_chunk(Chain& out, const Headers& trailers);

}  // namespace sidespan::http
