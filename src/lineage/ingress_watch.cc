#include "sidespan/lineage/ingress_watch.h"

#include <algorithm>

namespace sidespan::lineage {

IngressWatch::InFlight IngressWatch::begin(Request request, MonoTime now) {
  const std::scoped_lock lock(mutex_);
  const uint64_t number = ++begun_;
  if (requests_ + settled_ == 0) worked_ = false;
  if (requests_ == 0 && settled_ == 0 && work_ == 0 && now >= suspect_until_) {
    first_ = std::move(request);
    first_number_ = number;
    mixed_ = false;
  }
  ++requests_;
  return {*this, number};
}

IngressWatch::InFlight IngressWatch::begin_probe() {
  const std::scoped_lock lock(mutex_);
  ++probes_;
  return {*this, 0};
}

IngressWatch::Work IngressWatch::begin_work(MonoTime now) {
  const std::scoped_lock lock(mutex_);
  ++work_;
  if (requests_ > 1 || settled_ > 0) mixed_ = true;
  if (requests_ + settled_ > 0) worked_ = true;
  const bool sole = requests_ == 1 && probes_ == 0 && settled_ == 0 && !mixed_;
  const bool alone = requests_ == 0 && probes_ == 0;
  return {*this,
          sole ? first_ : nullptr,
          {.request = sole ? first_number_ : 0,
           .period = period_,
           .alone = alone,
           .is_rest = alone && now < rest_until_}};
}

void IngressWatch::end(uint64_t number, MonoTime now, bool goes_on) {
  Request ended;  // freed without the lock
  const std::scoped_lock lock(mutex_);
  if (goes_on && number == first_number_) {
    for (const ExecutionRef turn : first_turns_) keep(left_turns_, turn);
  }
  ended = leave(number);
  if (number == 0) return;
  rest_until_ = std::max(rest_until_, now + idle_);
  if (goes_on) suspect(now);
}

void IngressWatch::settle(uint64_t number) {
  Request ended;
  const std::scoped_lock lock(mutex_);
  ended = leave(number);
  ++settled_;
}

void IngressWatch::close(MonoTime now, bool goes_on) {
  const std::scoped_lock lock(mutex_);
  rest_until_ = std::max(rest_until_, now + idle_);
  if (goes_on && worked_) suspect(now);
  --settled_;
}

void IngressWatch::drop(uint64_t number, bool settled) {
  Request ended;
  const std::scoped_lock lock(mutex_);
  if (settled) {
    --settled_;
  } else {
    ended = leave(number);
  }
}

IngressWatch::Request IngressWatch::leave(uint64_t number) {
  if (number == 0) {
    --probes_;
    return nullptr;
  }
  if (--requests_ == 0) ++period_;
  if (number != first_number_) return nullptr;
  first_number_ = 0;
  first_turns_.clear();
  return std::exchange(first_, nullptr);
}

void IngressWatch::end_work(const Work::Begun& begun, MonoTime now, End how, ExecutionRef turn) {
  const std::scoped_lock lock(mutex_);
  --work_;
  const bool of_first = begun.request != 0 && begun.request == first_number_;
  const bool outlived = begun.period != period_ || (begun.request != 0 && !of_first) || begun.alone;
  bool goes_on = outlived && how == End::kOther && (turn || !begun.alone);
  if (begun.is_rest || std::ranges::find(left_turns_, turn) != left_turns_.end()) goes_on = true;
  if (goes_on) suspect(now);
  if (!turn) return;
  if (how == End::kLastWord) {
    std::erase(left_turns_, turn);
    std::erase(first_turns_, turn);
  } else if (goes_on) {
    keep(left_turns_, turn);
  } else if (of_first) {
    keep(first_turns_, turn);
  }
}

void IngressWatch::disown_work(MonoTime now) {
  const std::scoped_lock lock(mutex_);
  suspect(now);
}

void IngressWatch::settle_work() {
  const std::scoped_lock lock(mutex_);
  --work_;
}

void IngressWatch::suspect(MonoTime now) {
  suspect_until_ = std::max(suspect_until_, now + idle_);
  rest_until_ = std::max(rest_until_, suspect_until_);
  mixed_ = true;
}

// The latest; of those before them no call may come for long.
void IngressWatch::keep(std::vector<ExecutionRef>& turns, ExecutionRef turn) {
  if (std::ranges::find(turns, turn) != turns.end()) return;
  if (turns.size() == kTurnsMax) turns.erase(turns.begin());
  turns.push_back(turn);
}

}  // namespace sidespan::lineage
