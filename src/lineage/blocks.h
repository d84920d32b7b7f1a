// Sixteen bytes of a text in one go, in the compilers' own vectors: most of what is read for
// lineage is letters and blanks, of which nothing has to be said one by one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace sidespan::lineage {

using Block [[gnu::vector_size(16)]] = uint8_t;
using Mask [[gnu::vector_size(16)]] = int8_t;  // of each byte: 0, or -1 where something is true

inline Block block_at(const char* at) {
  Block block;
  std::memcpy(&block, at, sizeof block);
  return block;
}

// The first of `text`, less than sixteen of them; zeros behind.
inline Block block_of(std::string_view text) {
  Block block = {};
  std::memcpy(&block, text.data(), text.size());
  return block;
}

inline bool any(Mask mask) {
  using Halves [[gnu::vector_size(16)]] = uint64_t;
  const auto halves = reinterpret_cast<Halves>(mask);
  return (halves[0] | halves[1]) != 0;
}

// Of all bytes together, of which none is above 255 / 2.
inline size_t sum(Block block) {
  using Halves [[gnu::vector_size(16)]] = uint64_t;
  const auto halves = reinterpret_cast<Halves>(block);
  constexpr uint64_t kEven = 0x00ff00ff00ff00ffU;
  const uint64_t both = halves[0] + halves[1];
  const uint64_t pairs = (both & kEven) + ((both >> 8U) & kEven);
  return (pairs * 0x0001000100010001U) >> 48U;
}

// Where from `at` on the first byte is that `is` is true of; size() where none is. `may` says it of
// sixteen.
template <class May, class Is>
size_t find_byte(std::string_view text, size_t at, May may, Is is) {
  while (at + sizeof(Block) <= text.size() && !any(may(block_at(text.data() + at)))) {
    at += sizeof(Block);
  }
  while (at < text.size() && !is(text[at])) ++at;
  return at;
}

}  // namespace sidespan::lineage
