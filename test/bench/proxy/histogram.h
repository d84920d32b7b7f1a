// Times in nanoseconds, counted in buckets less than 1 % wide.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace sidespan::bench {

class Histogram {
 public:
  void add(int64_t nanoseconds) {
    const auto value = static_cast<uint64_t>(nanoseconds > 0 ? nanoseconds : 0);
    ++counts_[bucket_of(value)];
    ++total_;
  }
  uint64_t total() const { return total_; }

  // The lower end of the bucket below which that share of all times lies; 0 when there are none.
  double quantile_us(double share) const {
    const auto wanted = static_cast<uint64_t>(share * static_cast<double>(total_));
    uint64_t seen = 0;
    for (size_t i = 0; i < counts_.size(); ++i) {
      seen += counts_[i];
      if (seen > wanted) return static_cast<double>(lower_end(i)) / 1e3;
    }
    return 0;
  }

 private:
  static constexpr unsigned kFineBits = 7;  // buckets of each power of two
  static constexpr size_t kFine = size_t{1} << kFineBits;

  static size_t bucket_of(uint64_t value) {
    const auto width = static_cast<unsigned>(std::bit_width(value));
    if (width <= kFineBits) return value;
    const unsigned shift = width - kFineBits - 1;
    return (shift + 1) * kFine + ((value >> shift) - kFine);
  }
  static uint64_t lower_end(size_t bucket) {
    if (bucket < kFine) return bucket;
    const size_t shift = bucket / kFine - 1;
    return (kFine + bucket % kFine) << shift;
  }

  std::vector<uint64_t> counts_ = std::vector<uint64_t>(kFine * (65 - kFineBits));
  uint64_t total_ = 0;
};

}  // namespace sidespan::bench
