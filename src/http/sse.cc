#include "sidespan/http/sse.h"

#include <algorithm>

namespace sidespan::http {
namespace {

constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";
constexpr std::string_view kData = "data";
// matched_ beyond the four characters of kData.
constexpr uint8_t kDataLine = 5;
constexpr uint8_t kOtherLine = 6;

bool ends_line(char c) {
  return c == '\n' || c == '\r';
}

// How many bytes there are before the end of the line. A CR is looked for within the line only, so
// that a stream without any is not searched to its end once a line.
size_t rest_of_line(std::string_view bytes) {
  const std::string_view line = bytes.substr(0, bytes.find('\n'));
  return std::min(line.find('\r'), line.size());
}

}  // namespace

uint64_t SseCounter::feed(std::string_view bytes) {
  const uint64_t before = events_;
  while (!bytes.empty()) {
    const char c = bytes.front();
    size_t used = 1;
    if (mark_matched_ < kByteOrderMark.size()) {
      used = match_mark(c);
    } else if (after_cr_) {
      after_cr_ = false;
      used = c == '\n' ? 1 : 0;
    } else if (ends_line(c)) {
      after_cr_ = c == '\r';
      end_line();
    } else if (matched_ >= kDataLine) {
      used = rest_of_line(bytes);
    } else {
      match_data(c);
    }
    bytes.remove_prefix(used);
  }
  return events_ - before;
}

size_t SseCounter::match_mark(char c) {
  if (c == kByteOrderMark[mark_matched_]) {
    ++mark_matched_;
    return 1;
  }
  // A part of the mark begins an ordinary line.
  if (mark_matched_ > 0) {
    line_empty_ = false;
    matched_ = kOtherLine;
  }
  mark_matched_ = static_cast<uint8_t>(kByteOrderMark.size());
  return 0;
}

void SseCounter::match_data(char c) {
  line_empty_ = false;
  if (matched_ == kData.size()) {
    matched_ = c == ':' ? kDataLine : kOtherLine;
  } else {
    matched_ = c == kData[matched_] ? static_cast<uint8_t>(matched_ + 1) : kOtherLine;
  }
}

void SseCounter::end_line() {
  if (line_empty_) {
    if (block_has_data_) ++events_;
    block_has_data_ = false;
  } else if (matched_ == kData.size() || matched_ == kDataLine) {
    block_has_data_ = true;  // without a colon the whole line is the field's name
  }
  matched_ = 0;
  line_empty_ = true;
}

}  // namespace sidespan::http
