#include "json/surrogates.h"

#include <algorithm>

#include "sidespan/base/text.h"

namespace sidespan::json {
namespace {

// A pair's halves: D800 to DBFF, DC00 to DFFF.
constexpr size_t kKindAt = 3;
constexpr size_t kDigits = 4;
constexpr size_t kSecondAt = kEscapeBytes;

bool is_first_kind(char c) {
  return c == '8' || c == '9' || c == 'a' || c == 'b' || c == 'A' || c == 'B';
}

bool is_second_kind(char c) {
  return (c >= 'c' && c <= 'f') || (c >= 'C' && c <= 'F');
}

}  // namespace

Escape escape_of(std::string_view text) {
  // What the second half of a pair is told by: its backslash, u, d and kind.
  const auto begins = [&](size_t from) -> Escape {
    const std::string_view rest = text.substr(std::min(from, text.size()));
    if (rest.empty()) return Escape::kUnfinished;
    if (rest[0] != '\\') return Escape::kOther;
    if (rest.size() == 1) return Escape::kUnfinished;
    if (rest[1] != 'u') return Escape::kOther;
    if (rest.size() == 2) return Escape::kUnfinished;
    if ((rest[2] | 0x20) != 'd') return Escape::kOther;
    return rest.size() <= kKindAt ? Escape::kUnfinished : Escape::kHalf;
  };
  const Escape first = begins(0);
  if (first != Escape::kHalf) return first;
  if (!is_first_kind(text[kKindAt]) && !is_second_kind(text[kKindAt])) return Escape::kOther;
  const std::string_view digits = text.substr(kKindAt, kEscapeBytes - kKindAt);
  if (!std::ranges::all_of(digits, text::is_hex)) return Escape::kOther;
  if (text.size() < kEscapeBytes) return Escape::kUnfinished;
  if (is_second_kind(text[kKindAt])) return Escape::kHalf;
  const Escape second = begins(kSecondAt);
  if (second == Escape::kUnfinished) return second;
  return second == Escape::kHalf && is_second_kind(text[kSecondAt + kKindAt]) ? Escape::kPair
                                                                              : Escape::kHalf;
}

FoundHalf find_half(std::string_view text) {
  constexpr size_t kEscapedBytes = 2;  // with the backslash
  constexpr size_t kToldBytes = kSecondAt + kKindAt + 1;
  size_t at = text.find('\\');
  while (at != std::string_view::npos) {
    Escape what = Escape::kOther;
    if (at + 1 == text.size() || text[at + 1] == 'u') what = escape_of(text.substr(at));
    if (what == Escape::kHalf || what == Escape::kUnfinished) return {at, what};
    const bool named = what == Escape::kOther && text[at + 1] == 'u';
    if (named && !std::ranges::all_of(text.substr(at + 2, kDigits), text::is_hex))
      break;  // no JSON
    at = text.find('\\', at + (what == Escape::kPair ? kToldBytes : kEscapedBytes));
  }
  return {text.size()};
}

}  // namespace sidespan::json
