// One deadline. Cheap to restart: callers move it on each progress. Fires once, on the loop's
// thread.
#pragma once

#include <functional>
#include <memory>

#include "sidespan/base/clock.h"
#include "sidespan/net/loop.h"

namespace sidespan::net {

class Timer {
 public:
  Timer(Loop& loop, std::function<void()> on_time);
  ~Timer();  // stops it
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;

  // Replaces what was set before. Does not keep the loop alive when `background`.
  void start(Milliseconds delay, bool background = false);
  void stop();
  bool active() const;

 private:
  struct Impl;
  Impl* impl_;  // freed in libuv's close callback
};

}  // namespace sidespan::net
