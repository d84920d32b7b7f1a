// What a guard says of the bytes it was given: how far they have one reading. HeadGuard and
// ChunkGuard return it, H1Parser lets llhttp read that far and no further.
#pragma once

#include <cstddef>

namespace sidespan::http {

struct Guarded {
  size_t used = 0;        // bytes that may be read on; all of them while nothing ends
  bool complete = false;  // `used` ends behind the section's last byte
  bool faulty = false;    // the byte at `used` must not be read; the guard's error() says why
};

}  // namespace sidespan::http
