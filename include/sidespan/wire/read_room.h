// How much to read for somebody else, so that what waits for him stays small. Who uses it: Splice,
// and proxy for answers.
#pragma once

#include <algorithm>
#include <cstddef>

namespace sidespan::wire {

// For whoever takes nothing for now.
inline constexpr size_t kReadAheadBytes = size_t{8} * 1024;

// Bytes to read at once where `queued` wait, of `queue_bytes_max`, and `sendable` more could leave:
// so many, or else a little. None where that is less than half of what may be queued, or a few
// bytes would keep a whole block, with a system call each; something is queued then, and it is
// asked again when some of that has left.
inline size_t read_room(size_t queued, size_t sendable, size_t queue_bytes_max) {
  const size_t leaves = std::min(queue_bytes_max, sendable);
  const size_t most = std::min(queue_bytes_max, std::max(kReadAheadBytes, queued + leaves));
  const size_t room = most - std::min(most, queued);
  return room < std::min(most / 2, 4 * kReadAheadBytes) ? 0 : room;
}

// Whether that is any: where little waits, whatever could leave, for which `sendable()` is asked
// only where it matters.
template <class Sendable>
bool has_read_room(size_t queued, const Sendable& sendable, size_t queue_bytes_max) {
  return queued <= std::min(queue_bytes_max, kReadAheadBytes) / 2 ||
         read_room(queued, sendable(), queue_bytes_max) > 0;
}

}  // namespace sidespan::wire
