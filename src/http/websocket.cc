#include "sidespan/http/websocket.h"

#include <algorithm>

namespace sidespan::http {
namespace {

// Opcodes (section 5.2).
constexpr uint8_t kContinuation = 0;
constexpr uint8_t kText = 1;
constexpr uint8_t kBinary = 2;
constexpr uint8_t kClose = 8;
constexpr uint8_t kPong = 10;

// What the short length says of itself (section 5.2), and its limit for control frames (5.5).
constexpr uint8_t kLengthBits = 0x7f;
constexpr uint8_t kLengthIn16 = 126;
constexpr uint8_t kLengthIn64 = 127;
constexpr size_t kShortBytes = 2;
constexpr size_t kMaskBytes = 4;
constexpr uint8_t kPackedBit = 0x40;
constexpr size_t kPieceBytes = 4096;
constexpr uint64_t kTopBit = uint64_t{1} << 63U;

bool is_control(uint8_t opcode) {
  return opcode >= kClose;
}

size_t length_bytes(uint8_t length) {
  return length == kLengthIn16 ? 2 : length == kLengthIn64 ? 8 : 0;
}

// The smallest length that is to be written so (section 5.2: the shortest form, always).
uint64_t smallest(uint8_t length) {
  return length == kLengthIn16 ? kLengthIn16 : length == kLengthIn64 ? uint64_t{1} << 16U : 0;
}

}  // namespace

void WebSocketReader::feed(std::string_view bytes) {
  while (!bytes.empty()) {
    switch (state_) {
      case State::kHeader:
        read_header(bytes.front());
        bytes.remove_prefix(1);
        break;
      case State::kPayload:
        bytes.remove_prefix(read_payload(bytes));
        break;
      case State::kClosed:
      case State::kLost:
        return;
    }
  }
}

void WebSocketReader::read_header(char c) {
  header_[got_++] = c;
  if (got_ < kShortBytes || got_ < header_size()) return;
  if (!begin_frame()) {
    state_ = State::kLost;
    return;
  }
  got_ = 0;
  state_ = State::kPayload;
  if (left_ == 0) end_frame();
}

size_t WebSocketReader::header_size() const {
  return kShortBytes + length_bytes(byte(1) & kLengthBits) + (is_masked() ? kMaskBytes : 0);
}

// False: this is no frame, or none that may come here.
bool WebSocketReader::begin_frame() {
  const uint8_t length = byte(1) & kLengthBits;
  const size_t wide = length_bytes(length);
  size_ = wide == 0 ? length : 0;
  for (size_t i = 0; i < wide; ++i) size_ = (size_ << 8U) | byte(kShortBytes + i);
  left_ = size_;
  if (size_ < smallest(length) || (size_ & kTopBit) != 0) return false;
  if (is_control(opcode())) return opcode() <= kPong && is_final() && wide == 0;
  if (!may_follow()) return false;
  const bool begins = opcode() != kContinuation;
  if (begins && sink_ != nullptr) sink_->on_message(opcode() == kText, (byte(0) & kPackedBit) != 0);
  return true;
}

// Fragments of two messages never mix (section 5.4).
bool WebSocketReader::may_follow() const {
  if (opcode() > kBinary) return false;
  return (opcode() == kContinuation) == in_message_;
}

size_t WebSocketReader::read_payload(std::string_view bytes) {
  size_t used = 1;
  if (opcode() == kClose) {
    read_close(bytes.front());
  } else {
    used = static_cast<size_t>(std::min<uint64_t>(left_, bytes.size()));
    if (sink_ != nullptr && !is_control(opcode())) tell_payload(bytes.substr(0, used));
  }
  left_ -= used;
  if (left_ == 0) end_frame();
  return used;
}

void WebSocketReader::tell_payload(std::string_view bytes) {
  if (!is_masked()) return sink_->on_payload(bytes);
  const size_t mask = header_size() - kMaskBytes;
  std::array<char, kPieceBytes> plain;
  uint64_t at = size_ - left_;
  while (!bytes.empty()) {
    const size_t piece = std::min(bytes.size(), plain.size());
    for (size_t i = 0; i < piece; ++i, ++at) {
      const auto masked = static_cast<uint8_t>(bytes[i]);
      plain[i] = static_cast<char>(masked ^ byte(mask + at % kMaskBytes));
    }
    sink_->on_payload({plain.data(), piece});
    bytes.remove_prefix(piece);
  }
}

// The first two bytes of its payload (section 5.5.1), without their mask (5.3).
void WebSocketReader::read_close(char c) {
  const uint64_t at = size_ - left_;
  if (at > 1) return;
  const uint8_t mask = is_masked() ? byte(kShortBytes + at) : 0;
  const auto plain = static_cast<uint8_t>(static_cast<uint8_t>(c) ^ mask);
  if (at == 0) {
    code_begun_ = plain;
  } else {
    close_code_ = static_cast<uint16_t>(code_begun_ << 8U | plain);
  }
}

void WebSocketReader::end_frame() {
  state_ = State::kHeader;
  if (opcode() == kClose) {
    state_ = State::kClosed;
    return;
  }
  if (is_control(opcode())) return;
  in_message_ = !is_final();
  if (in_message_) return;
  ++messages_;
  if (sink_ != nullptr) sink_->on_message_end();
}

}  // namespace sidespan::http
