// What a guard says of the bytes it was given: how far they have one reading. HeadGuard and
// ChunkGuard return it, H1Parser lets llhttp read that far and no further.
#pragma once

#include <cstddef>
#include <optional>

#include "sidespan/base/error.h"

namespace sidespan::http {

struct Guarded {
  size_t used = 0;             // bytes that may be read on; all of them while nothing ends
  bool complete = false;       // `used` ends behind the section's last byte
  std::optional<Error> error;  // why the byte at `used` must not be read; the guard is finished
};

}  // namespace sidespan::http
