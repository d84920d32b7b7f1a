#include "semconv/form_reader.h"

#include "sidespan/base/text.h"

namespace sidespan::semconv {

void FormReader::feed(std::string_view bytes) {
  for (const char c : bytes) take(c);
}

void FormReader::finish(bool whole) {
  if (whole) end_pair();
}

void FormReader::take(char c) {
  if (escape_size_ >= 0) {
    const std::string_view digit(&c, 1);
    if (text::parse_hex(digit, true)) {
      escape_[escape_size_++] = c;
      if (escape_size_ < 2) return;
      escape_size_ = -1;
      append(static_cast<char>(*text::parse_hex({escape_, 2}, true)));
      return;
    }
    // What begins no pair stays as it is.
    const int8_t seen = escape_size_;
    escape_size_ = -1;
    append('%');
    if (seen == 1) append(escape_[0]);
  }
  if (c == '&') {
    end_pair();
  } else if (c == '=' && !in_value_) {
    in_value_ = true;
  } else if (c == '%') {
    escape_size_ = 0;
  } else {
    append(c == '+' ? ' ' : c);
  }
}

void FormReader::append(char c) {
  std::string& to = in_value_ ? value_ : name_;
  if (to.size() < (in_value_ ? kValueBytesMax : kNameBytesMax)) {
    to.push_back(c);
  } else {
    cut_ = true;
  }
}

void FormReader::end_pair() {
  if (escape_size_ >= 0) {
    const int8_t seen = escape_size_;
    escape_size_ = -1;
    append('%');
    if (seen == 1) append(escape_[0]);
  }
  if (!name_.empty()) on_pair_({name_, value_, cut_});
  name_.clear();
  value_.clear();
  in_value_ = false;
  cut_ = false;
}

}  // namespace sidespan::semconv
