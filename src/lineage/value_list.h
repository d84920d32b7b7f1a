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
    if (weight > 0) add_hashed(text, hash_of(key_, text), weight, id);
  }
  void add_hashed(std::string_view text, uint64_t hash, uint8_t weight, bool id = false) {
    const bool name = extent_ == Extent::kText && is_name(text);
    put(hash, weight, text.size(), id, name ? Extent::kName : extent_);
  }
  // Of several texts together.
  void add_sum(uint64_t hash, uint8_t weight) { put(hash, weight, 0, false, extent_); }
  void add_asked(uint64_t arguments, bool url = false) {
    if (out_.asked.size() < kAskedMax) {
      out_.asked.push_back({.arguments = arguments, .url = url});
    } else if (overflow_ != nullptr) {
      overflow_->forget(arguments);
    }
  }

 private:
  static constexpr size_t kAskedMax = 256;  // at a time

  // Some languages have no blanks, but letters beyond ASCII.
  static bool is_name(std::string_view text) {
    return std::ranges::none_of(
        text, [](char c) { return c == ' ' || c == '\t' || static_cast<unsigned char>(c) > 0x7f; });
  }
  void put(uint64_t hash, uint8_t weight, size_t size, bool id, Extent extent) {
    if (telling_ && out_.values.size() < values_max_) {
      if (out_.values.capacity() == 0) out_.values.reserve(kValuesAtFirst);
      const auto told = static_cast<uint16_t>(std::min<size_t>(size, UINT16_MAX));
      out_.values.push_back({hash, weight, place_, id, extent, told});
    } else if (overflow_ != nullptr) {
      overflow_->forget(hash);
    }
  }

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
