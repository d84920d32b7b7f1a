// Lower-case hex of fixed width, in and out, straight on characters: ids are read and written for
// every request. Used by context and w3c; text::parse_hex serves the rest of the house.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace sidespan::trace {

inline constexpr uint8_t kNotHex = 0xff;

inline constexpr std::array<uint8_t, 256> kHexDigitValues = [] {
  std::array<uint8_t, 256> table{};
  table.fill(kNotHex);
  for (uint8_t i = 0; i < 10; ++i) table['0' + i] = i;
  for (uint8_t i = 0; i < 6; ++i) table['a' + i] = static_cast<uint8_t>(10 + i);
  return table;
}();

// The value of `digits` <= 16 characters from `begin` on, which must be there; false when one of
// them is no lower-case hex digit.
inline bool decode_hex(std::string_view text, size_t begin, size_t digits, uint64_t& value) {
  uint64_t result = 0;
  uint8_t seen = 0;
  for (size_t i = 0; i < digits; ++i) {
    const uint8_t digit = kHexDigitValues[static_cast<unsigned char>(text[begin + i])];
    seen |= digit;
    result = (result << 4U) | (digit & 0xfU);
  }
  value = result;
  return (seen & 0xf0U) == 0;
}

// Two digits a byte.
inline constexpr std::array<std::array<char, 2>, 256> kHexPairs = [] {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::array<std::array<char, 2>, 256> pairs{};
  for (size_t i = 0; i < pairs.size(); ++i) pairs[i] = {kDigits[i >> 4U], kDigits[i & 0xfU]};
  return pairs;
}();

// The low `digits` hex digits of `value`, an even number of them, most significant first.
inline void encode_hex(uint64_t value, size_t digits, char* out) {
  for (size_t i = digits; i > 0; i -= 2) {
    std::memcpy(out + i - 2, kHexPairs[value & 0xffU].data(), 2);
    value >>= 8U;
  }
}

}  // namespace sidespan::trace
