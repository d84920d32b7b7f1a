// Of the descriptors that a process may have, the last few can be left to what must always get one.
#pragma once

#include <sys/resource.h>

namespace sidespan::net {

// Whether `descriptor`, which was just given, is one of the last `kept`: the system gives the
// lowest number that is free.
inline bool is_kept(int descriptor, int kept) {
  rlimit limit{};
  if (kept == 0 || ::getrlimit(RLIMIT_NOFILE, &limit) != 0) return false;
  return static_cast<rlim_t>(descriptor) + static_cast<rlim_t>(kept) >= limit.rlim_cur;
}

}  // namespace sidespan::net
