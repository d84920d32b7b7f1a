// How much memory the kernel lets this process have: the limit of its control group (cgroup v2's
// memory.max, v1's memory.limit_in_bytes) or of one above it, whichever is least. From that,
// `auto` of the limits that take memory. Reads /proc and the cgroup file system; what they do not
// tell is no limit.
#pragma once

#include <cstddef>
#include <optional>
#include <string>

namespace sidespan::app {

// `root` stands before every path that is read.
std::optional<size_t> cgroup_memory_bytes(const std::string& root = "");

// What `auto` is. Under a limit of the kernel's all of them, and what of spans is on its way from
// two workers to the queue, leave a tenth to the program itself, however full they are.
struct MemoryShares {
  size_t traffic;         // limits.memory, bytes
  size_t export_queue;    // limits.export_queue_bytes
  size_t tail;            // limits.tail_bytes
  size_t lineage_values;  // limits.lineage_values, a number
};
MemoryShares memory_shares(std::optional<size_t> cgroup_bytes = cgroup_memory_bytes());

}  // namespace sidespan::app
