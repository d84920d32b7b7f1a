// How much memory the kernel lets this process have: the limit of its control group (cgroup v2's
// memory.max, v1's memory.limit_in_bytes) or of one above it, whichever is least. From that,
// `limits.memory: auto`. Reads /proc and the cgroup file system; what they do not tell is no limit.
#pragma once

#include <cstddef>
#include <optional>
#include <string>

namespace sidespan::app {

// `root` stands before every path that is read.
std::optional<size_t> cgroup_memory_bytes(const std::string& root = "");

// What `auto` is where the kernel's limit is that: 60 % of it, the rest being for all that is no
// traffic, and no more than 128 MiB.
size_t default_memory_bytes(std::optional<size_t> cgroup_bytes);

}  // namespace sidespan::app
