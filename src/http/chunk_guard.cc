#include "chunk_guard.h"

#include <algorithm>
#include <string>

#include "sidespan/base/text.h"

namespace sidespan::http {
namespace {

constexpr uint8_t kSizeDigitsMax = 16;
// Extensions are read and thrown away; more than this on one line is an attack.
constexpr size_t kExtensionBytesMax = 1024;

constexpr int hex_value(char c) {
  if (text::is_digit(c)) return c - '0';
  const char lower = text::to_lower(c);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

// RFC 9110 section 5.6.4: what quotes may hold, the quote itself aside.
bool is_quotable(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte == '\t' || (byte >= 0x20 && byte != 0x7f);
}

}  // namespace

Guarded ChunkGuard::feed(std::string_view bytes) {
  size_t at = 0;
  while (at < bytes.size() && state_ != State::kDone) {
    if (state_ == State::kData && size_ > 0) {
      const auto n = static_cast<size_t>(std::min<uint64_t>(size_, bytes.size() - at));
      size_ -= n;
      content_bytes_ += n;
      at += n;
      continue;
    }
    fault_ = take(bytes[at]);
    if (fault_ != nullptr) return {at, false, true};
    ++at;
  }
  return {at, state_ == State::kDone, false};
}

ChunkGuard::Fault ChunkGuard::move_on(bool good, State next, Fault otherwise) {
  if (!good) return otherwise;
  state_ = next;
  return nullptr;
}

ChunkGuard::Fault ChunkGuard::take(char c) {
  constexpr Fault kNoCrlf = "a chunk's data is not followed by CRLF";
  switch (state_) {
    case State::kSize:
      return take_size(c);
    case State::kLf:
      return end_line(c);
    case State::kData:
      return move_on(c == '\r', State::kDataLf, kNoCrlf);
    case State::kDataLf:
      return move_on(c == '\n', State::kSize, kNoCrlf);
    case State::kDone:
      return nullptr;
    default:
      if (++extension_bytes_ > kExtensionBytesMax) return "a chunk's extensions are too long";
      return take_extension(c);
  }
}

ChunkGuard::Fault ChunkGuard::take_size(char c) {
  if (const int value = hex_value(c); value >= 0) {
    if (++digits_ > kSizeDigitsMax) return "a chunk's size has too many digits";
    size_ = size_ << 4U | static_cast<unsigned>(value);
    return nullptr;
  }
  return digits_ > 0 ? end_piece(c) : "a chunk's size is missing";
}

// What may follow a size, or a whole extension.
ChunkGuard::Fault ChunkGuard::end_piece(char c) {
  return move_on(c == ';' || c == '\r', c == ';' ? State::kNameStart : State::kLf,
                 "a chunk's size or extension is not well-formed");
}

ChunkGuard::Fault ChunkGuard::take_extension(char c) {
  constexpr Fault kBad = "a chunk's extension is not well-formed";
  const bool token = text::is_token_char(c);
  switch (state_) {
    case State::kNameStart:
      return move_on(token, State::kName, kBad);
    case State::kName:
      if (c == '=') return move_on(true, State::kValueStart, nullptr);
      return token ? nullptr : end_piece(c);
    case State::kValueStart:
      if (c == '"') return move_on(true, State::kQuoted, nullptr);
      return move_on(token, State::kValue, kBad);
    case State::kValue:
      return token ? nullptr : end_piece(c);
    case State::kQuoted:
      if (c == '"') return move_on(true, State::kAfterQuote, nullptr);
      return move_on(is_quotable(c), c == '\\' ? State::kQuotedPair : State::kQuoted, kBad);
    case State::kQuotedPair:
      return move_on(is_quotable(c), State::kQuoted, kBad);
    default:
      return end_piece(c);
  }
}

ChunkGuard::Fault ChunkGuard::end_line(char c) {
  digits_ = 0;
  extension_bytes_ = 0;
  return move_on(c == '\n', size_ == 0 ? State::kDone : State::kData,
                 "a chunk's line does not end with CRLF");
}

}  // namespace sidespan::http
