#include "sidespan/http/sse.h"

#include <algorithm>

#include "http/scan.h"

namespace sidespan::http {
namespace {

constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";
constexpr std::string_view kData = "data";
constexpr std::string_view kEvent = "event";
constexpr std::string_view kId = "id";

// What a line may hold.
struct InLine {
  static constexpr scan::ByteTable kTable =
      scan::table_of([](char c) { return c != '\n' && c != '\r'; });
#if defined(__SSE2__)
  static unsigned doubts(scan::Sixteen bytes) {
    return scan::those(_mm_or_si128(scan::equal(bytes, '\n'), scan::equal(bytes, '\r')));
  }
#endif
};

}  // namespace

void SseReader::feed(std::string_view bytes) {
  while (!bytes.empty()) {
    const char c = bytes.front();
    if (at_ == At::kMark) {
      bytes.remove_prefix(match_mark(c));
    } else if (after_cr_) {
      after_cr_ = false;
      if (c == '\n') bytes.remove_prefix(1);
    } else if (c == '\n' || c == '\r') {
      after_cr_ = c == '\r';
      end_line();
      bytes.remove_prefix(1);
    } else {
      bytes.remove_prefix(step(bytes));
    }
  }
}

// In a line, at a byte that does not end it. Returns how many were read.
size_t SseReader::step(std::string_view bytes) {
  if (at_ == At::kLineStart || at_ == At::kField) return match_field(bytes);
  if (at_ == At::kBlank) {
    at_ = field_ == kData ? At::kData : At::kName;
    if (bytes.front() == ' ') return 1;
  }
  const size_t size = scan::end_of<InLine, '\n'>(bytes, 0);
  const std::string_view part = bytes.substr(0, size);
  if (at_ == At::kName) append_name(part);
  if (at_ == At::kData && sink_ != nullptr) sink_->on_data(part);
  return size;
}

size_t SseReader::match_mark(char c) {
  if (c == kByteOrderMark[matched_]) {
    if (++matched_ == kByteOrderMark.size()) at_ = At::kLineStart;
    return 1;
  }
  // A part of the mark begins an ordinary line.
  at_ = matched_ > 0 ? At::kIgnored : At::kLineStart;
  return 0;
}

size_t SseReader::match_field(std::string_view bytes) {
  if (at_ == At::kLineStart) {
    at_ = At::kField;
    field_ = bytes.front() == kData.front() ? kData : bytes.front() == kId.front() ? kId : kEvent;
    matched_ = 0;
  }
  const std::string_view expected = field_.substr(matched_);
  const size_t size = std::min(expected.size(), bytes.size());
  if (expected.substr(0, size) != bytes.substr(0, size)) {
    at_ = At::kIgnored;
    return 0;
  }
  matched_ += static_cast<uint8_t>(size);
  if (size > 0) return size;
  if (bytes.front() == ':') {
    begin_value();
  } else {
    at_ = At::kIgnored;
  }
  return 1;
}

void SseReader::begin_value() {
  at_ = At::kBlank;
  if (field_ == kId) {
    has_ids_ = true;
    at_ = At::kIgnored;
  } else if (field_ == kData) {
    begin_data();
  } else {
    name_size_ = 0;
  }
}

void SseReader::begin_data() {
  const bool first = !in_event_;
  in_event_ = true;
  if (sink_ == nullptr) return;
  if (first) {
    sink_->on_event({name_.data(), name_size_});
  } else {
    sink_->on_data("\n");
  }
}

void SseReader::append_name(std::string_view part) {
  const size_t size = std::min(part.size(), kNameBytesMax - name_size_);
  std::copy_n(part.begin(), size, name_.begin() + name_size_);
  name_size_ += static_cast<uint8_t>(size);
}

void SseReader::end_line() {
  if (at_ == At::kLineStart) {
    if (in_event_) end_event(true);
    name_size_ = 0;
  } else if (at_ == At::kField && matched_ == field_.size()) {
    begin_value();  // without a colon the whole line is the field's name
  }
  at_ = At::kLineStart;
}

void SseReader::end_event(bool whole) {
  in_event_ = false;
  if (whole) ++events_;
  if (sink_ != nullptr) sink_->on_event_end(whole);
}

void SseReader::finish() {
  if (in_event_) end_event(false);
}

}  // namespace sidespan::http
