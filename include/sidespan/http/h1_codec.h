// HTTP/1.0 and 1.1 (RFC 9112) over llhttp, both roles. Heads, trailers and chunk lines are read by
// a guard of our own before llhttp sees them, and heads judged as a whole after: any doubt is a
// Reset with kMalformed, never a guess. Heads are written from parsed fields only. A server reads
// one request ahead of its answer, never more: the rest waits inside. A connection that begins as
// HTTP/2 does goes on with a codec for that, its successor().
#pragma once

#include <memory>
#include <string_view>

#include "sidespan/http/codec.h"

namespace sidespan::http {

// In ALPN (RFC 7301).
inline constexpr std::string_view kH1Alpn = "http/1.1";

// For a server the agent is the peer, for a client the origin: Errors carry that side.
std::unique_ptr<Codec> make_h1_server(CodecLimits limits);
std::unique_ptr<Codec> make_h1_client(CodecLimits limits);

// The version of the linked llhttp, "8.1.0".
std::string_view llhttp_version();

}  // namespace sidespan::http
