// The parts of a text between separators, in place: lists are walked several times for every
// request. A text without a separator, an empty one too, is one part. Used by tracestate, baggage,
// sampler.
#pragma once

#include <cstddef>
#include <cstring>
#include <string_view>

namespace sidespan::trace {

class Split {
 public:
  Split(std::string_view text, char separator)
      : begin_(text.data()), end_(text.data() + text.size()), separator_(separator) {}

  // False when there is no further part.
  bool next(std::string_view& part) {
    if (done_) return false;
    const char* end = find_separator();
    done_ = end == nullptr;
    if (done_) end = end_;
    part = std::string_view(begin_, end);
    if (!done_) begin_ = end + 1;
    return true;
  }

 private:
  // memchr may not see a null pointer, which an empty view may hold.
  const char* find_separator() const {
    if (begin_ == end_) return nullptr;
    const auto size = static_cast<size_t>(end_ - begin_);
    return static_cast<const char*>(std::memchr(begin_, separator_, size));
  }

  const char* begin_;
  const char* end_;
  char separator_;
  bool done_ = false;
};

}  // namespace sidespan::trace
