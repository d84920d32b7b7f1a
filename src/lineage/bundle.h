// All that a tool is asked for, as one value: a city and a day are nothing by themselves and nearly
// everything together. The names of the arguments and their order are left out, since a tool's call
// on the wire may have its own; an id that outlives the call (Member::kLasting) is one of them, and
// weighs nothing. Used for the arguments a model gives and for what a request sends.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "lineage/value_list.h"
#include "sidespan/base/text.h"
#include "sidespan/lineage/value.h"

namespace sidespan::lineage {

class Bundle {
 public:
  explicit Bundle(ValueList& values) : values_(values), part_(values.key()) {}

  void begin() {
    part_ = Hasher(values_.key());
    sum_ = 0;
    weight_ = size_ = digits_ = count_ = 0;
    active_ = true;
  }
  bool active() const { return active_; }
  void drop() { active_ = false; }
  // One of its texts, in any pieces.
  void feed(std::string_view piece) {
    part_.add(piece);
    size_ += piece.size();
    for (const char c : piece.substr(0, kLooksMax)) digits_ += text::is_digit(c) ? 1U : 0U;
  }
  void end_text(bool weighs = true) {
    if (size_ > 0) sum_ += part_.finish();
    if (size_ > 0 && weighs) {
      weight_ += std::min<size_t>(size_ + digits_ / 2, kPartWeightMax);
      ++count_;
    }
    part_ = Hasher(values_.key());
    size_ = digits_ = 0;
  }
  void add(std::string_view whole, bool weighs = true) {
    feed(whole);
    end_text(weighs);
  }
  void end() {
    end_asked();
    end_said();
  }
  // It is what a call asks for, and not said of one.
  void end_asked(bool url = false) {
    if (active_ && weight_ >= kAskedWeightMin) values_.add_asked(arguments_of(sum_), url);
  }
  // It is said of a call, and may not be what that asks for.
  void end_said() {
    if (active_ && count_ >= 2 && weight_ >= kEvidenceWeight) {
      Hasher all(values_.key());
      all.add("all of a call");
      all.add(sum_);
      // What several say all of is no constant of theirs.
      const size_t weight = std::clamp<size_t>(weight_, kHeavyWeight, 60);
      values_.add_sum(all.finish(), static_cast<uint8_t>(weight));
    }
    active_ = false;
  }

 private:
  // What is shorter in all is a flag, a page's number, a currency: jobs ask for the same.
  static constexpr size_t kAskedWeightMin = 8;
  // One text alone must not pass for its arguments, which others ask for, too.
  static uint64_t arguments_of(uint64_t sum) { return std::rotl(sum, 29) ^ 0x9e3779b97f4a7c15U; }

  static constexpr size_t kLooksMax = 16;
  static constexpr size_t kPartWeightMax = 8;

  ValueList& values_;
  Hasher part_;
  uint64_t sum_ = 0;
  size_t weight_ = 0;
  size_t size_ = 0;
  size_t digits_ = 0;
  size_t count_ = 0;
  bool active_ = false;
};

}  // namespace sidespan::lineage
