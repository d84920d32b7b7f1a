// When a drain is over: no exchange has been under way for `quiet`, or the time is up. Workers
// publish what they do, the command's main thread looks. Pure values. Contract section 5.
#pragma once

#include <cstddef>
#include <cstdint>

#include "sidespan/base/clock.h"

namespace sidespan::app {

// What workers do, summed over them.
struct Activity {
  size_t busy = 0;         // exchanges under way
  size_t connections = 0;  // of agents
  uint64_t requests = 0;   // ended so far: one may begin and end between two looks
  uint64_t looks = 0;      // how often this was measured
};

class Drain {
 public:
  enum class State : uint8_t {
    kGoing,
    kQuiet,  // nothing has happened for long enough
    kLate,   // something is still going on
  };

  // `when_alone`: also over at once where no agent is connected any more (a run whose command has
  // ended; in a container the agent may come back for its last call).
  Drain(MonoTime began, Milliseconds quiet, Milliseconds time_max, bool when_alone)
      : quiet_(quiet), ends_(began + time_max), last_busy_(began), when_alone_(when_alone) {}

  State look(MonoTime now, const Activity& activity);

 private:
  Milliseconds quiet_;
  MonoTime ends_;
  MonoTime last_busy_;
  bool when_alone_;
  bool looked_ = false;
  uint64_t requests_ = 0;
  uint64_t first_looks_ = 0;
};

// A drain's time, parted: spans that come from the last exchange need time to be exported.
struct DrainTimes {
  Milliseconds serving;
  Milliseconds all;
};
DrainTimes drain_times(Milliseconds deadline);

}  // namespace sidespan::app
