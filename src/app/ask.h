// One short question to a listener of a sidecar's own, over blocking sockets and without a loop:
// what `health` and `doctor` need. Not for anybody else's server: what it reads of HTTP is what
// serve writes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "sidespan/base/clock.h"
#include "sidespan/base/error.h"
#include "sidespan/net/address.h"

namespace sidespan::app {

struct Answered {
  uint64_t status = 0;
  std::string body;  // as far as it was read
};

// GET `path`. Reads `bytes_max` at most, head included. Error side kSelf: nobody is there, or what
// answers is no HTTP.
Result<Answered> ask(const net::Address& address, std::string_view path, size_t bytes_max,
                     MonoTime deadline);
// Whether somebody takes a connection there. The same of errors.
Result<void> try_to_connect(const net::Address& address, MonoTime deadline);

}  // namespace sidespan::app
