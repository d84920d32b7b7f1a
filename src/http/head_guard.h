// Reads heads and trailer sections line by line before llhttp does, because every llhttp from 8.1.0
// on lets something through that another reader takes differently: folded lines, empty names, bare
// CR, odd request lines. What passes here has one reading (RFC 9112 sections 3 to 5): CR only
// before LF, LF only after CR, token names with the colon at once, values of visible characters,
// blanks and obs-text, no white space at a line's start. Counts bytes and lines against the limits
// on the way, and notes where everything is. Bytes may come in any pieces.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "guarded.h"
#include "sidespan/http/codec.h"
#include "sidespan/http/message.h"

namespace sidespan::http {

// By offset from the section's first byte.
struct StartLine {
  Range method;  // of a request
  Range target;
  Range reason;  // of an answer
  int status = 0;
  int minor_version = 0;
};

class HeadGuard {
 public:
  enum class Section : uint8_t { kRequest, kResponse, kTrailers };
  // `limits` and `lines` outlive the guard. Errors carry `side`: who sends this section. Its lines
  // are added to `lines`, the bytes are not.
  HeadGuard(Section section, Side side, const CodecLimits& limits, Headers& lines);

  // Reads up to the end of the section at most.
  Guarded feed(std::string_view bytes);
  // Once what was fed is faulty.
  Error error() const;
  // Whether any byte of the section proper (not an empty line before it) has been read.
  bool started() const {
    return section_ == Section::kRequest ? state_ > State::kEmptyLf : bytes_ > 0;
  }
  // Some line was not whole when it came, and so is not classified.
  bool in_pieces() const { return in_pieces_; }
  // Of a head that is complete.
  const StartLine& start_line() const { return start_; }

 private:
  enum class State : uint8_t {
    kBeforeStart,  // empty lines before a request line
    kEmptyLf,
    kMethod,
    kTarget,
    kVersion,
    kStatus,
    kReason,
    kLineStart,
    kName,
    kValue,
    kLf,      // after the CR of a line with content
    kLastLf,  // after the CR of the empty line
    kDone,
  };
  // Why a byte may not stand where it does; nothing wrong: nullptr.
  using Fault = const char*;

  Fault step(std::string_view bytes, size_t& at);
  bool skip_request_line(std::string_view bytes, size_t& at);
  bool skip_status_line(std::string_view bytes, size_t& at);
  bool skip_lines(std::string_view bytes, size_t& at);
  size_t skip_line(std::string_view bytes, size_t at);
  void skip_value(std::string_view bytes, size_t& at);
  Fault skip_target(std::string_view bytes, size_t& at);
  // `offset` is the byte's from the section's first.
  Fault take(char c, uint32_t offset);
  Fault take_first(char c, uint32_t offset);
  Fault take_version(char c);
  Fault take_status(char c);
  Fault take_line_start(char c, uint32_t offset);
  Fault move_on(bool good, State next, Fault otherwise);
  // The same, and `part` ends before the byte.
  Fault end_part(Range& part, uint32_t offset, bool good, State next, Fault otherwise);
  Fault pass_limit(Code code, size_t limit, Fault what);
  // A part of what is fed now, as a part of the section.
  Range range(size_t begin, size_t end) const {
    const auto from = static_cast<uint32_t>(begin);
    return {static_cast<uint32_t>(bytes_) + from, static_cast<uint32_t>(end) - from};
  }

  const CodecLimits* limits_;
  Headers* lines_;
  StartLine start_;
  Range name_;  // of a line that comes in pieces
  Range value_;
  size_t bytes_ = 0;
  size_t target_bytes_ = 0;
  size_t fields_ = 0;
  Fault fault_ = nullptr;
  size_t passed_limit_ = 0;  // of the fault, 0: none
  Code fault_code_ = Code::kMalformed;
  Section section_;
  State state_;
  Side side_;
  uint8_t matched_ = 0;  // characters of a fixed piece ("HTTP/1.1", three digits) read so far
  uint8_t empty_lines_ = 0;
  bool in_pieces_ = false;
};

}  // namespace sidespan::http
