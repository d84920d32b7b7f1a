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
  // Of what comes; each returns what it was before.
  Place set_place(Place place) { return std::exchange(place_, place); }
  Extent set_extent(Extent extent) { return std::exchange(extent_, extent); }
  // From now on: what comes is evidence.
  void set_telling(bool telling) { telling_ = telling; }

  void add(std::string_view text, uint8_t weight, bool id = false) {
    if (weight > 0) add_hashed(text, hash_of(key_, text), weight, id);
  }
  void add_hashed(std::string_view text, uint64_t hash, uint8_t weight, bool id = false) {
    const bool whole = extent_ == Extent::kText;
    const bool name = (whole || extent_ == Extent::kPart) && is_name(text);
    put(hash, weight, text.size(), id, !name ? extent_ : whole ? Extent::kName : Extent::kWord);
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

  // One word, or what is as short as an address and has an "@". Some languages have no blanks, but
  // letters beyond ASCII.
  static bool is_name(std::string_view text) {
    constexpr size_t kAddressBytesMax = 80;
    const bool word = std::ranges::none_of(
        text, [](char c) { return c == ' ' || c == '\t' || static_cast<unsigned char>(c) > 0x7f; });
    return word || (text.size() <= kAddressBytesMax && text.contains('@'));
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
