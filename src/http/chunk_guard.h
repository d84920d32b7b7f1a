// Reads the chunked coding before llhttp does (RFC 9112 section 7.1), because llhttp's patience
// with its lines differs from version to version, and with it where a body ends. What passes here
// has one reading: a size of hex digits, extensions to the letter of the grammar and bounded, CRLF
// after every line and after the data. Counts the data, so that the two readers can be compared.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "guarded.h"
#include "sidespan/base/error.h"

namespace sidespan::http {

class ChunkGuard {
 public:
  // Errors carry `side`: who sends this body.
  explicit ChunkGuard(Side side) : side_(side) {}

  // Reads up to the end of the last chunk's line (`complete`) at most; trailers follow.
  Guarded feed(std::string_view bytes);
  // Once what was fed is faulty.
  Error error() const { return {Code::kMalformed, side_, false, fault_}; }
  // Bytes of content read so far.
  uint64_t content_bytes() const { return content_bytes_; }

 private:
  enum class State : uint8_t {
    kSize,
    kNameStart,  // after ';'
    kName,
    kValueStart,  // after '='
    kValue,
    kQuoted,
    kQuotedPair,
    kAfterQuote,
    kLf,
    kData,
    kDataLf,
    kDone,
  };

  // Why a byte may not stand where it does; nothing wrong: nullptr.
  using Fault = const char*;
  Fault take(char c);
  Fault take_size(char c);
  Fault take_extension(char c);
  Fault end_piece(char c);
  Fault end_line(char c);
  Fault move_on(bool good, State next, Fault otherwise);

  uint64_t size_ = 0;  // of this chunk; what is left of it while data is read
  uint64_t content_bytes_ = 0;
  size_t extension_bytes_ = 0;
  Fault fault_ = nullptr;
  State state_ = State::kSize;
  Side side_;
  uint8_t digits_ = 0;
};

}  // namespace sidespan::http
