// Where runs of bytes of one kind end, sixteen bytes at a time where the machine can. Used by the
// guard, by Headers and by the readers of targets. RFC 9110 section 5, RFC 3986.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <string_view>

#include "sidespan/base/text.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace sidespan::http::scan {

using ByteTable = std::array<bool, 256>;

template <class In>
constexpr ByteTable table_of(In in) {
  ByteTable table{};
  for (size_t c = 0; c < table.size(); ++c) table[c] = in(static_cast<char>(c));
  return table;
}

constexpr bool is_in(const ByteTable& table, char c) {
  return table[static_cast<unsigned char>(c)];
}

#if defined(__SSE2__)
// Which of sixteen bytes are of the kind, as vectors of zeros and ones. A kind may leave out bytes
// that belong to it: those are looked up then.
using Sixteen = __m128i;
inline Sixteen all(char c) {
  return _mm_set1_epi8(c);
}
inline Sixteen at_most(Sixteen bytes, char last) {  // unsigned
  return _mm_cmpeq_epi8(_mm_min_epu8(bytes, all(last)), bytes);
}
inline Sixteen within(Sixteen bytes, char first, char last) {
  return at_most(_mm_sub_epi8(bytes, all(first)), static_cast<char>(last - first));
}
inline Sixteen equal(Sixteen bytes, char c) {
  return _mm_cmpeq_epi8(bytes, all(c));
}
#endif

// RFC 9110 section 5.6.2.
struct Token {
  static constexpr ByteTable kTable = table_of([](char c) {
    return text::is_alpha(c) || text::is_digit(c) ||
           std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
  });
#if defined(__SSE2__)
  // Letters and dashes are what names mostly have.
  static Sixteen of(Sixteen bytes) {
    return _mm_or_si128(within(_mm_or_si128(bytes, all(0x20)), 'a', 'z'), equal(bytes, '-'));
  }
#endif
};

// RFC 9110 section 5.5: VCHAR, SP, HTAB and obs-text. Other controls have no meaning in a value.
struct Value {
  static constexpr ByteTable kTable = table_of([](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte == '\t' || (byte >= 0x20 && byte != 0x7f);
  });
#if defined(__SSE2__)
  static Sixteen of(Sixteen bytes) {
    const Sixteen not_in = _mm_or_si128(at_most(bytes, 0x1f), equal(bytes, 0x7f));
    return _mm_xor_si128(not_in, all(-1));
  }
#endif
};

// RFC 3986: a target has visible ASCII only, and no fragment.
struct Target {
  static constexpr ByteTable kTable =
      table_of([](char c) { return c > 0x20 && c < 0x7f && c != '#'; });
#if defined(__SSE2__)
  static Sixteen of(Sixteen bytes) {
    return _mm_andnot_si128(equal(bytes, '#'), within(bytes, 0x21, 0x7e));
  }
#endif
};

// RFC 3986 section 3.2.2: unreserved and sub-delims, what a reg-name has beside percent-encoding.
struct HostName {
  static constexpr ByteTable kTable = table_of([](char c) {
    return text::is_alpha(c) || text::is_digit(c) ||
           std::string_view("-._~!$&'()*+,;=").find(c) != std::string_view::npos;
  });
#if defined(__SSE2__)
  static Sixteen of(Sixteen bytes) {
    const Sixteen letters = within(_mm_or_si128(bytes, all(0x20)), 'a', 'z');
    const Sixteen others = _mm_or_si128(within(bytes, '0', '9'), within(bytes, '-', '.'));
    return _mm_or_si128(letters, others);
  }
#endif
};

#if defined(__SSE2__)
// One bit for each of sixteen bytes that may not be of the kind.
template <class Kind>
[[gnu::always_inline]] inline unsigned doubtful(const char* at) {
  const Sixteen bytes = _mm_loadu_si128(reinterpret_cast<const Sixteen*>(at));
  return 0xffffU ^ static_cast<unsigned>(_mm_movemask_epi8(Kind::of(bytes)));
}
#endif

// Where the bytes of that kind end, from `at` on. `kUsual` is what they mostly end with.
template <class Kind, char kUsual = '\0'>
[[gnu::always_inline]] inline size_t end_of(std::string_view bytes, size_t at) {
  const char* const data = bytes.data();
  const size_t size = bytes.size();
#if defined(__SSE2__)
  constexpr size_t kStep = sizeof(Sixteen);
  while (size - at >= kStep) {
    const unsigned doubts = doubtful<Kind>(data + at);
    if (doubts == 0) {
      at += kStep;
      continue;
    }
    at += static_cast<size_t>(std::countr_zero(doubts));
    if (data[at] == kUsual || !is_in(Kind::kTable, data[at])) return at;
    ++at;
  }
  if (size >= kStep && at < size) {
    // The last ones are read with some that were before them.
    const size_t from = size - kStep;
    const unsigned doubts = doubtful<Kind>(data + from) >> (at - from);
    if (doubts == 0) return size;
    at += static_cast<size_t>(std::countr_zero(doubts));
  }
#endif
  while (at < size && is_in(Kind::kTable, data[at])) ++at;
  return at;
}

}  // namespace sidespan::http::scan
