#include "sidespan/http/eventstream.h"

#include <zlib.h>

#include <algorithm>

namespace sidespan::http {
namespace {

constexpr uint32_t kChecksumBytes = 4;
constexpr uint32_t kSumLength = 8;  // of the prelude, before its own checksum

uint32_t checksum(uint32_t before, const char* data, size_t size) {
  const auto* bytes = reinterpret_cast<const Bytef*>(data);
  return static_cast<uint32_t>(crc32_z(before, bytes, size));
}

// Types of a header's value, by their numbers.
constexpr uint32_t kBytes = 6;
constexpr uint32_t kString = 7;
// How long a value of each is, where that does not stand before it.
constexpr std::array<uint8_t, 10> kValueBytes = {0, 0, 1, 2, 4, 8, 0, 0, 8, 16};

}  // namespace

void EventStreamReader::feed(std::string_view bytes) {
  while (!bytes.empty() && !broken_) {
    bytes.remove_prefix(take(bytes));
    while (left_ == 0 && !broken_) next();
  }
}

// Returns how many bytes were read, all of this part.
size_t EventStreamReader::take(std::string_view bytes) {
  const std::string_view part = bytes.substr(0, left_);
  if (at_ != At::kPrelude && at_ != At::kChecksum) {
    checksum_ = checksum(checksum_, part.data(), part.size());
  }
  if (at_ == At::kPayload) {
    sink_.on_payload(part);
  } else if (at_ == At::kValue && header_ == Header::kText) {
    text_.append(part.substr(0, kTextBytesMax - text_.size()));
  } else {
    keep(part);
  }
  const auto size = static_cast<uint32_t>(part.size());
  if (in_headers()) headers_left_ -= size;
  left_ -= size;
  return size;
}

void EventStreamReader::keep(std::string_view part) {
  const size_t size = std::min(part.size(), kept_.size() - kept_size_);
  std::copy_n(part.begin(), size, kept_.begin() + kept_size_);
  kept_size_ += static_cast<uint8_t>(size);
}

// Big-endian.
uint32_t EventStreamReader::number(size_t from, size_t size) const {
  uint32_t out = 0;
  for (size_t i = from; i < from + size; ++i) out = out << 8U | static_cast<uint8_t>(kept_[i]);
  return out;
}

void EventStreamReader::enter(At at, uint32_t bytes) {
  at_ = at;
  left_ = bytes;
  kept_size_ = 0;
  if (in_headers() && bytes > headers_left_) fail();
}

void EventStreamReader::next() {
  switch (at_) {
    case At::kPrelude:
      return end_prelude();
    case At::kNameSize:
      return enter(At::kName, number(0, 1));
    case At::kName:
      return end_name();
    case At::kType:
      return end_type();
    case At::kValueSize:
      return enter(At::kValue, number(0, 2));
    case At::kValue:
      return end_value();
    case At::kPayload:
      return enter(At::kChecksum, kChecksumBytes);
    case At::kChecksum:
      return end_message();
  }
}

void EventStreamReader::end_prelude() {
  const uint32_t total = number(0, 4);
  headers_left_ = number(4, 4);
  checksum_ = checksum(0, kept_.data(), kPreludeBytes);
  const uint32_t around = kPreludeBytes + kChecksumBytes;
  if (number(kSumLength, kChecksumBytes) != checksum(0, kept_.data(), kSumLength) ||
      total > kMessageBytesMax || headers_left_ > kHeadersBytesMax ||
      total < around + headers_left_) {
    return fail();
  }
  payload_bytes_ = total - around - headers_left_;
  kind_ = EventStreamHead::Kind::kEvent;
  name_size_ = 0;
  text_.clear();
  next_header();
}

void EventStreamReader::next_header() {
  if (headers_left_ > 0) return enter(At::kNameSize, 1);
  in_message_ = true;
  sink_.on_message({kind_, {name_.data(), name_size_}, text_});
  enter(At::kPayload, payload_bytes_);
}

void EventStreamReader::end_name() {
  const std::string_view name(kept_.data(), kept_size_);
  header_ = Header::kOther;
  if (name == ":message-type") header_ = Header::kMessageType;
  if (name == ":event-type" || name == ":exception-type" || name == ":error-code") {
    header_ = Header::kName;
  }
  if (name == ":error-message") header_ = Header::kText;
  enter(At::kType, 1);
}

void EventStreamReader::end_type() {
  const uint32_t type = number(0, 1);
  if (type >= kValueBytes.size()) return fail();
  if (type != kString) header_ = Header::kOther;
  if (type == kString || type == kBytes) return enter(At::kValueSize, 2);
  enter(At::kValue, kValueBytes[type]);
}

void EventStreamReader::end_value() {
  const std::string_view value(kept_.data(), kept_size_);
  if (header_ == Header::kMessageType) {
    if (value == "exception") kind_ = EventStreamHead::Kind::kException;
    if (value == "error") kind_ = EventStreamHead::Kind::kError;
  } else if (header_ == Header::kName) {
    name_ = kept_;
    name_size_ = kept_size_;
  }
  next_header();
}

void EventStreamReader::end_message() {
  if (number(0, kChecksumBytes) != checksum_) return fail();
  in_message_ = false;
  sink_.on_message_end(true);
  enter(At::kPrelude, kPreludeBytes);
}

void EventStreamReader::finish() {
  if (in_message_) fail();
}

void EventStreamReader::fail() {
  broken_ = true;
  if (!in_message_) return;
  in_message_ = false;
  sink_.on_message_end(false);
}

}  // namespace sidespan::http
