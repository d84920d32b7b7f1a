#include "app/drain.h"

#include <algorithm>
#include <utility>

namespace sidespan::app {
namespace {

// A connection that has just been made, or closed, is seen by the second measurement at the latest.
constexpr uint64_t kLooksUntilSure = 2;
constexpr int kExportShare = 5;  // the fifth part
constexpr Milliseconds kExportTimeMax{5000};

}  // namespace

Drain::State Drain::look(MonoTime now, const Activity& activity) {
  if (!std::exchange(looked_, true)) first_looks_ = activity.looks;
  if (activity.busy > 0 || activity.requests != requests_) last_busy_ = now;
  requests_ = activity.requests;
  const bool sure = activity.looks >= first_looks_ + kLooksUntilSure;
  if (when_alone_ && sure && activity.busy == 0 && activity.connections == 0) return State::kQuiet;
  if (sure && activity.busy == 0 && now - last_busy_ >= quiet_) return State::kQuiet;
  return now >= ends_ ? State::kLate : State::kGoing;
}

DrainTimes drain_times(Milliseconds deadline) {
  return {deadline - std::min(deadline / kExportShare, kExportTimeMax), deadline};
}

}  // namespace sidespan::app
