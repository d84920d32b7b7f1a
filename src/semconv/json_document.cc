#include "semconv/json_document.h"

#include <algorithm>

namespace sidespan::semconv {
namespace {

constexpr std::string_view kDone = "[DONE]";
constexpr std::string_view kBlanks = " \t\r\n";

}  // namespace

void JsonDocument::begin(std::string_view event_name, bool read_all, bool done_mark) {
  at_ = At::kBefore;
  read_all_ = read_all;
  done_mark_ = done_mark;
  broken_ = false;
  marked_ = 0;
  name_size_ = static_cast<uint8_t>(std::min(event_name.size(), kNameBytesMax));
  std::copy_n(event_name.begin(), name_size_, name_.begin());
}

size_t JsonDocument::feed(std::string_view bytes) {
  size_t used = 0;
  while (used < bytes.size() && at_ != At::kOver) {
    const std::string_view rest = bytes.substr(used);
    if (at_ == At::kReading) {
      used += read(rest);
    } else if (at_ == At::kMark) {
      used += match_mark(rest);
    } else {
      used += std::min(rest.find_first_not_of(kBlanks), rest.size());
      if (used == bytes.size()) break;
      if (done_mark_ && bytes[used] == kDone.front()) {
        at_ = At::kMark;
      } else {
        start();
      }
    }
  }
  return used;
}

size_t JsonDocument::match_mark(std::string_view bytes) {
  if (marked_ < kDone.size() && bytes.front() == kDone[marked_]) {
    ++marked_;
    return 1;
  }
  if (marked_ == kDone.size()) {
    at_ = At::kOver;
    return 0;
  }
  start();
  if (at_ == At::kReading) read(kDone.substr(0, marked_));
  return 0;
}

void JsonDocument::start() {
  handler_ = sink_.begin_document({name_.data(), name_size_});
  if (handler_ == nullptr && !read_all_) {
    at_ = At::kOver;
    return;
  }
  at_ = At::kReading;
  json::Handler* const reads = handler_ != nullptr ? handler_ : &idle_;
  if (read_by_ == reads) {
    reader_->reset();
  } else {
    reader_.emplace(*reads, limits_);
    read_by_ = reads;
  }
}

size_t JsonDocument::read(std::string_view bytes) {
  const size_t used = reader_->feed(bytes);
  if (reader_->state() != json::Reader::State::kReading) {
    close(reader_->state() == json::Reader::State::kComplete);
  }
  return used;
}

void JsonDocument::end(bool clean) {
  if (at_ == At::kMark && marked_ < kDone.size()) {
    start();
    if (at_ == At::kReading) read(kDone.substr(0, marked_));
  }
  if (at_ == At::kReading) {
    close(clean && reader_->finish() == json::Reader::State::kComplete);
  }
  at_ = At::kOver;
}

void JsonDocument::close(bool whole) {
  at_ = At::kOver;
  broken_ = !whole;
  if (handler_ != nullptr) sink_.end_document(whole);
}

}  // namespace sidespan::semconv
