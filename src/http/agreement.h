// The second reading of a section against the first: llhttp names each text of what it is shown as
// it comes by it, and each must lie where the guard has found it. What the two read differently,
// two servers may read differently, too.
#pragma once

#include <cstddef>
#include <string_view>

#include "sidespan/base/text.h"
#include "sidespan/http/message.h"

namespace sidespan::http {

class Agreement {
 public:
  // `start` is the target or the reason. `lines` outlives this, and does not change.
  void begin(const Headers& lines, std::string_view start) {
    *this = Agreement();
    block_ = lines.block().data();
    next_ = lines.table().begin();
    end_ = lines.table().end();
    start_ = start;
    owes_ = !start.empty();
  }

  void see(bool same) { agrees_ &= same; }
  void see_start(std::string_view text) {
    see(text.size() == start_.size() && (text.data() == start_.data() || text.empty()));
    owes_ = false;
  }
  void see_name(std::string_view name) {
    if (owes_ || next_ == end_) return see(false);
    const FieldLine& line = *next_++;
    see(is_at(name, line.name));
    value_ = line.value;
    owes_ = value_.size > 0;
  }
  // With the blanks behind it, and whether or not there is anything.
  void see_value(std::string_view value) {
    if (!is_at(value, value_)) {
      value = text::trim(value);
      see(is_at(value, value_) || (value.empty() && value_.size == 0));
    }
    owes_ = false;
  }
  // So many lines will not be named. False where that cannot be.
  bool pass(size_t lines) {
    if (owes_ || lines > static_cast<size_t>(end_ - next_)) return false;
    next_ += static_cast<ptrdiff_t>(lines);
    return true;
  }
  // Whether what was to be named so far was, and rightly.
  bool holds_so_far() const { return agrees_ && !owes_; }
  // Whether all else was named, and rightly.
  bool holds() const { return holds_so_far() && next_ == end_; }

 private:
  // The very same bytes.
  bool is_at(std::string_view text, Range range) const {
    return text.data() == block_ + range.begin && text.size() == range.size;
  }

  const char* block_ = nullptr;
  std::string_view start_;
  Range value_;               // of the line named last
  LineTable::Iterator next_;  // of the lines, to be named
  LineTable::Iterator end_;
  bool agrees_ = true;
  bool owes_ = false;  // there is a text that has not been named
};

}  // namespace sidespan::http
