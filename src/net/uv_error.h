// libuv's status codes as Errors of the house, with a sentence that names the peer. Used by all of
// net; the side is the caller's to correct when it knows better.
#pragma once

#include "sidespan/base/error.h"
#include "sidespan/net/address.h"

namespace sidespan::net {

// A connection to `peer` that did not come to be. Always retryable: nothing was sent.
Error connect_error(int uv_status, const Address& peer);

// A connection to `peer` that died. Side kSelf: only its owner knows which side `peer` is.
Error stream_error(int uv_status, const Address& peer);

// "cannot WHAT: why", Code::kSystem, Side::kSelf.
Error system_error(int uv_status, std::string what);

}  // namespace sidespan::net
