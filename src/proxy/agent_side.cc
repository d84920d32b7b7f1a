#include "agent_side.h"

#include <algorithm>

#include "sidespan/net/stream.h"

namespace sidespan::proxy {

size_t answer_room(size_t queued, size_t sendable, size_t queue_bytes_max) {
  const size_t leaves = std::min(queue_bytes_max, sendable);
  const size_t most = std::min(queue_bytes_max, std::max(net::kReadAheadBytes, queued + leaves));
  const size_t room = most - std::min(most, queued);
  return room < std::min(most / 4, 2 * net::kReadAheadBytes) ? 0 : room;
}

}  // namespace sidespan::proxy
