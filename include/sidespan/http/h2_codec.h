// HTTP/2 (RFC 9113) over nghttp2, both roles, with the verbs of every codec: a connection carries
// many streams, each with its own queue, and what is consumed() opens the peer's window. nghttp2
// judges frames, HPACK and pseudo-header fields; limits, the form of targets and the count of what
// a peer does for nothing are ours. A request's target is absolute-form, its :authority also the
// first field, Host: what is said to an Exchange does not depend on the protocol.
#pragma once

#include <memory>
#include <string_view>

#include "sidespan/http/codec.h"

namespace sidespan::http {

// In ALPN, and what a client begins with (RFC 9113 section 3.4).
inline constexpr std::string_view kH2Alpn = "h2";
inline constexpr std::string_view kH2Preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

// For a server the agent is the peer, for a client the origin: Errors carry that side. `scheme` is
// what a client's requests say: "http" or "https".
std::unique_ptr<Codec> make_h2_server(const CodecLimits& limits);
std::unique_ptr<Codec> make_h2_client(const CodecLimits& limits, std::string_view scheme);

// The version of the linked nghttp2, "1.52.0".
std::string_view nghttp2_version();

}  // namespace sidespan::http
