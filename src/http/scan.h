// Where runs of bytes of one kind end, sixteen bytes at a time where the machine can. Used by the
// guard, by Headers and by the readers of targets. RFC 9110 section 5, RFC 3986.
#pragma once

#include <algorithm>
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
// Sixteen bytes and, as vectors of zeros and ones, questions about them.
using Sixteen = __m128i;
inline Sixteen all(char c) {
  return _mm_set1_epi8(c);
}
inline Sixteen at_most(Sixteen bytes, char last) {  // unsigned
  return _mm_cmpeq_epi8(_mm_subs_epu8(bytes, all(last)), _mm_setzero_si128());
}
// In ASCII, `first` > 0: moved up until only they are above the bound, as signed numbers.
inline Sixteen within(Sixteen bytes, char first, char last) {
  const Sixteen moved = _mm_add_epi8(bytes, all(static_cast<char>(0x7f - last)));
  return _mm_cmpgt_epi8(moved, all(static_cast<char>(0x7f - last + first - 1)));
}
inline Sixteen equal(Sixteen bytes, char c) {
  return _mm_cmpeq_epi8(bytes, all(c));
}
// One bit for each byte that is, or is not.
inline unsigned those(Sixteen yes) {
  return static_cast<unsigned>(_mm_movemask_epi8(yes));
}
inline unsigned others(Sixteen yes) {
  return 0xffffU ^ those(yes);
}
#endif

// A kind of bytes is a table of them, and with it, for sixteen at a time, which of those may not be
// of the kind: a doubt is looked up in the table.

// RFC 9110 section 5.6.2.
struct Token {
  static constexpr ByteTable kTable = table_of([](char c) {
    return text::is_alpha(c) || text::is_digit(c) ||
           std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
  });
#if defined(__SSE2__)
  // Letters and dashes are what names mostly have.
  static unsigned doubts(Sixteen bytes) {
    return others(
        _mm_or_si128(within(_mm_or_si128(bytes, all(0x20)), 'a', 'z'), equal(bytes, '-')));
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
  static unsigned doubts(Sixteen bytes) {
    return those(_mm_or_si128(at_most(bytes, 0x1f), equal(bytes, 0x7f)));
  }
#endif
};

// RFC 3986: a target has visible ASCII only, and no fragment.
struct Target {
  static constexpr ByteTable kTable =
      table_of([](char c) { return c > 0x20 && c < 0x7f && c != '#'; });
#if defined(__SSE2__)
  static unsigned doubts(Sixteen bytes) {
    return others(_mm_andnot_si128(equal(bytes, '#'), within(bytes, 0x21, 0x7e)));
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
  static unsigned doubts(Sixteen bytes) {
    const Sixteen letters = within(_mm_or_si128(bytes, all(0x20)), 'a', 'z');
    const Sixteen marks = _mm_or_si128(within(bytes, '0', '9'), within(bytes, '-', '.'));
    return others(_mm_or_si128(letters, marks));
  }
#endif
};

// Where the bytes of that kind end, from `at` on: the definition.
template <class Kind>
constexpr size_t end_one_by_one(std::string_view bytes, size_t at) {
  while (at < bytes.size() && is_in(Kind::kTable, bytes[at])) ++at;
  return at;
}

#if defined(__SSE2__)
template <class Kind>
[[gnu::always_inline]] inline unsigned doubts_at(const char* at) {
  return Kind::doubts(_mm_loadu_si128(reinterpret_cast<const Sixteen*>(at)));
}
inline size_t first_of(unsigned bits) {
  return static_cast<unsigned>(std::countr_zero(bits));
}

// The same, in a text of any length.
template <class Kind, char kUsual>
[[gnu::noinline]] size_t end_of_any(std::string_view bytes, size_t at) {
  constexpr size_t kStep = sizeof(Sixteen);
  const char* const data = bytes.data();
  const size_t size = bytes.size();
  while (size - at >= kStep) {
    const unsigned doubts = doubts_at<Kind>(data + at);
    if (doubts == 0) {
      at += kStep;
      continue;
    }
    at += first_of(doubts);
    if (data[at] == kUsual || !is_in(Kind::kTable, data[at])) return at;
    ++at;
  }
  if (size >= kStep && at < size) {
    // The last ones are read with some that were before them.
    const size_t from = size - kStep;
    const unsigned doubts = doubts_at<Kind>(data + from) >> (at - from);
    if (doubts == 0) return size;
    at += first_of(doubts);
  }
  return end_one_by_one<Kind>(bytes, at);
}
#endif

// The same, at its least where it ends among the first sixteen bytes, as most texts do. `kUsual` is
// what they mostly end with.
template <class Kind, char kUsual = '\0'>
[[gnu::always_inline]] inline size_t end_of(std::string_view bytes, size_t at) {
#if defined(__SSE2__)
  if (bytes.size() - at >= sizeof(Sixteen)) {
    const unsigned doubts = doubts_at<Kind>(bytes.data() + at);
    if (doubts == 0) return end_of_any<Kind, kUsual>(bytes, at + sizeof(Sixteen));
    at += first_of(doubts);
    if (bytes[at] == kUsual || !is_in(Kind::kTable, bytes[at])) return at;
  }
  if (bytes.size() < sizeof(Sixteen)) return end_one_by_one<Kind>(bytes, at);
  return end_of_any<Kind, kUsual>(bytes, at);
#else
  return end_one_by_one<Kind>(bytes, at);
#endif
}

// How many bytes are no greater than `last`, as unsigned numbers.
inline size_t count_at_most(std::string_view bytes, char last) {
  const char* const data = bytes.data();
  const size_t size = bytes.size();
#if defined(__SSE2__)
  constexpr size_t kStep = sizeof(Sixteen);
  constexpr size_t kStepsMost = 254;  // each adds one at most to a byte of the sums, the rest, too
  const auto those_at = [&](size_t at) {
    return at_most(_mm_loadu_si128(reinterpret_cast<const Sixteen*>(data + at)), last);
  };
  if (size >= kStep && size <= kStepsMost * kStep) {
    Sixteen sums = _mm_setzero_si128();  // each such byte adds -1
    size_t at = 0;
    for (; size - at >= kStep; at += kStep) sums = _mm_add_epi8(sums, those_at(at));
    // The last ones are read with some that were counted.
    const Sixteen places = _mm_setr_epi8(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    const Sixteen fresh = _mm_cmpgt_epi8(places, all(static_cast<char>(at + kStep - 1 - size)));
    sums = _mm_add_epi8(sums, _mm_and_si128(fresh, those_at(size - kStep)));
    sums = _mm_sad_epu8(_mm_sub_epi8(_mm_setzero_si128(), sums), _mm_setzero_si128());
    return static_cast<size_t>(_mm_cvtsi128_si32(sums)) +
           static_cast<size_t>(_mm_cvtsi128_si32(_mm_unpackhi_epi64(sums, sums)));
  }
#endif
  return static_cast<size_t>(std::count_if(data, data + size, [last](char c) {
    return static_cast<unsigned char>(c) <= static_cast<unsigned char>(last);
  }));
}

}  // namespace sidespan::http::scan
