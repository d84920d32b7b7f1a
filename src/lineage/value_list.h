// Where gleaned values are put: a list of limited length, and what is beyond, or tells nothing of
// who carried it, goes to the overflow.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string_view>
#include <utility>

#include "sidespan/lineage/gleaner.h"
#include "sidespan/lineage/value.h"

namespace sidespan::lineage {

class ValueList {
 public:
  // `overflow` may be null: what is beyond is dropped.
  ValueList(const HashKey& key, Gleaned& out, Overflow* overflow, size_t values_max)
      : key_(key), out_(out), overflow_(overflow), values_max_(values_max) {}

  const HashKey& key() const { return key_; }
  void set_place(Place place) { place_ = place; }
  // Of what comes; returns what it was before.
  Extent set_extent(Extent extent) { return std::exchange(extent_, extent); }
  // From now on: what comes is evidence.
  void set_telling(bool telling) { telling_ = telling; }

  void add(std::string_view text, uint8_t weight, bool id = false) {
    if (weight > 0) add_hash(hash_of(key_, text), weight, text.size(), id);
  }
  void add_hash(uint64_t hash, uint8_t weight, size_t size, bool id = false) {
    if (telling_ && out_.values.size() < values_max_) {
      if (out_.values.capacity() == 0) out_.values.reserve(kValuesAtFirst);
      const auto told = static_cast<uint16_t>(std::min<size_t>(size, UINT16_MAX));
      out_.values.push_back({hash, weight, place_, id, extent_, told});
    } else if (overflow_ != nullptr) {
      overflow_->forget(hash);
    }
  }
  void add_asked(uint64_t arguments, bool url = false) {
    if (out_.asked.size() < kAskedMax) {
      out_.asked.push_back({.arguments = arguments, .url = url});
    } else if (overflow_ != nullptr) {
      overflow_->forget(arguments);
    }
  }

 private:
  static constexpr size_t kAskedMax = 256;  // at a time
  static constexpr size_t kValuesAtFirst = 8;

  const HashKey key_;
  Gleaned& out_;
  Overflow* const overflow_;
  const size_t values_max_;
  Place place_ = Place::kFixed;
  Extent extent_ = Extent::kText;
  bool telling_ = true;
};

}  // namespace sidespan::lineage
