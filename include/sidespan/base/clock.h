// Time as values. Code below `net` never asks for the time: it is given `now`, so tests decide it.
// Durations come from the monotonic clock; the wall clock only stamps a span's start.
#pragma once

#include <chrono>
#include <cstdint>

namespace sidespan {

using MonoTime = std::chrono::steady_clock::time_point;
using WallTime = std::chrono::sys_time<std::chrono::nanoseconds>;
using Nanoseconds = std::chrono::nanoseconds;
using Milliseconds = std::chrono::milliseconds;

// One moment on both clocks, read together.
struct Moment {
  MonoTime mono{};
  WallTime wall{};
};

class Clock {
 public:
  virtual ~Clock() = default;
  virtual Moment now() const = 0;
};

// CLOCK_MONOTONIC and CLOCK_REALTIME of this machine.
class SystemClock final : public Clock {
 public:
  Moment now() const override;
};

// Seconds as OpenTelemetry writes durations.
inline double to_seconds(Nanoseconds duration) {
  return std::chrono::duration<double>(duration).count();
}

}  // namespace sidespan
