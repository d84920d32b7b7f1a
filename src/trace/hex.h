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

// Sixteen digits, most significant first, all at once: each gets a byte of its own, then its
// character.
inline void encode_hex(uint64_t value, char* out) {
  using Bytes [[gnu::vector_size(16)]] = int8_t;
  using Words [[gnu::vector_size(16)]] = uint64_t;
  constexpr uint64_t kLowDigits = 0x0f0f0f0f0f0f0f0fU;
  const uint64_t in_order = __builtin_bswap64(value);
  const auto high = reinterpret_cast<Bytes>(Words{(in_order >> 4U) & kLowDigits, 0});
  const auto low = reinterpret_cast<Bytes>(Words{in_order & kLowDigits, 0});
  const Bytes digits =
      __builtin_shufflevector(high, low, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
  const Bytes text = digits + '0' + ((digits > 9) & ('a' - '0' - 10));
  std::memcpy(out, &text, sizeof text);
}

// Two.
inline void encode_hex(uint8_t value, char* out) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  out[0] = kDigits[value >> 4U];
  out[1] = kDigits[value & 0xfU];
}

}  // namespace sidespan::trace
