#include "sidespan/base/clock.h"

namespace sidespan {

Moment SystemClock::now() const {
  return {std::chrono::steady_clock::now(),
          std::chrono::time_point_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now())};
}

}  // namespace sidespan
