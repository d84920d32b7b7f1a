// Escapes of half a surrogate pair ("\ud83d" alone), which writers make of a text that was cut in
// the middle of a character: RFC 8259 section 8.2 lets them stand, most readers take them, and
// Boost.JSON's does not. Finds them in texts that come in pieces. Private to json.
#pragma once

#include <cstddef>
#include <string_view>

namespace sidespan::json {

// What is read in the place of one: U+FFFD.
inline constexpr std::string_view kNoCharacter = "\\ufffd";
inline constexpr size_t kEscapeBytes = 6;

enum class Escape : uint8_t {
  kOther,
  kPair,        // the first half of one
  kHalf,        // its other half is not there
  kUnfinished,  // more bytes tell
};
// Of a text that begins with a backslash, or with anything else, which is kOther. One is told by
// ten bytes at most.
Escape escape_of(std::string_view text);

struct FoundHalf {
  size_t at;  // its size: there is none
  Escape what = Escape::kOther;
};
// The first kHalf or kUnfinished in `text`, which begins outside of an escape.
FoundHalf find_half(std::string_view text);

}  // namespace sidespan::json
