// Unix signals as events on the loop.
#pragma once

#include <functional>
#include <memory>

#include "sidespan/net/loop.h"

namespace sidespan::net {

class Signal {
 public:
  // Calls `on_signal` on the loop's thread for each delivery of `number` to the process. Does not
  // keep the loop alive.
  Signal(Loop& loop, int number, std::function<void()> on_signal);
  ~Signal();  // then the signal does again what it does by default, unless ignore() came first
  Signal(const Signal&) = delete;
  Signal& operator=(const Signal&) = delete;

  // From now on the process ignores it: for who has ended, and would be ended by it otherwise.
  void ignore();

 private:
  struct Impl;
  Impl* impl_;  // freed in libuv's close callback
};

}  // namespace sidespan::net
