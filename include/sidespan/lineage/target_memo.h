// Targets that calls of nobody had lately: a program that asks for the same again and again says
// nothing new, and is not read each time. By hash, in a table of fixed size, where a new one takes
// the place of another. One for each worker; used while nobody is at work.
#pragma once

#include <array>
#include <cstdint>

#include "sidespan/base/clock.h"
#include "sidespan/lineage/gleaner.h"
#include "sidespan/lineage/value.h"

namespace sidespan::lineage {

class TargetMemo {
 public:
  // Whether `target` is to be read: it was not within `span`, as far as is known. From then on it
  // was, at `now`.
  bool is_due(const HashKey& key, const Target& target, MonoTime now, Nanoseconds span);

 private:
  struct Place {
    uint64_t hash = 0;
    MonoTime read = {};
  };

  std::array<Place, 1024> places_ = {};
};

}  // namespace sidespan::lineage
