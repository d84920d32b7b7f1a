#include "sidespan/lineage/ingress_watch.h"

namespace sidespan::lineage {

IngressWatch::InFlight IngressWatch::begin(Request request) {
  const std::scoped_lock lock(mutex_);
  const uint64_t number = ++begun_;
  if (requests_ == 0 && work_ == 0) {
    first_ = std::move(request);
    first_number_ = number;
    mixed_ = false;
  }
  ++requests_;
  return {*this, number};
}

IngressWatch::Work IngressWatch::begin_work() {
  const std::scoped_lock lock(mutex_);
  ++work_;
  if (requests_ > 1) mixed_ = true;
  const bool sole = requests_ == 1 && !mixed_;
  return {*this, sole ? first_ : nullptr};
}

void IngressWatch::end(uint64_t number) {
  Request ended;  // freed without the lock
  const std::scoped_lock lock(mutex_);
  --requests_;
  if (number == first_number_) ended.swap(first_);
}

void IngressWatch::end_work() {
  const std::scoped_lock lock(mutex_);
  --work_;
}

}  // namespace sidespan::lineage
