#include "json/surrogates.h"

#include <algorithm>

namespace sidespan::json {
namespace {

constexpr size_t kBlockBytes = 64;
// A pair's halves: D800 to DBFF, DC00 to DFFF.
constexpr size_t kKindAt = 3;
constexpr size_t kSecondAt = kEscapeBytes;

bool is_hex(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

bool is_first_kind(char c) {
  return c == '8' || c == '9' || c == 'a' || c == 'b' || c == 'A' || c == 'B';
}

bool is_second_kind(char c) {
  return (c >= 'c' && c <= 'f') || (c >= 'C' && c <= 'F');
}

// Whether `\ud` begins there. Without a branch, so that a block of them is looked at together.
bool may_be_half(const char* at) {
  return static_cast<unsigned>(at[0] == '\\') & static_cast<unsigned>(at[1] == 'u') &
         static_cast<unsigned>((at[2] | 0x20) == 'd');
}

// From `at` on; its size: nowhere.
size_t find_candidate(std::string_view text, size_t at) {
  constexpr size_t kBytes = 3;
  const char* const data = text.data();
  while (text.size() - at >= kBlockBytes + kBytes) {
    unsigned any = 0;
    for (size_t i = 0; i < kBlockBytes; ++i) any |= may_be_half(data + at + i) ? 1U : 0U;
    if (any != 0) break;
    at += kBlockBytes;
  }
  for (; text.size() - at >= kBytes; ++at) {
    if (may_be_half(data + at)) return at;
  }
  return text.size();
}

// Whether the backslash there begins an escape, and is not what another one escapes.
bool begins_escape(std::string_view text, size_t from, size_t at) {
  size_t run = 1;
  while (at - run + 1 > from && text[at - run] == '\\') ++run;
  return run % 2 == 1;
}

// One that the end cuts off before it is a candidate.
FoundHalf find_at_end(std::string_view text, size_t from) {
  for (const size_t bytes : {size_t{1}, size_t{2}}) {
    if (text.size() - from < bytes) break;
    const size_t at = text.size() - bytes;
    if (text[at] != '\\' || (bytes == 2 && text[at + 1] != 'u')) continue;
    if (begins_escape(text, from, at)) return {at, Escape::kUnfinished};
  }
  return {text.size()};
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
  if (!std::ranges::all_of(digits, is_hex)) return Escape::kOther;
  if (text.size() < kEscapeBytes) return Escape::kUnfinished;
  if (is_second_kind(text[kKindAt])) return Escape::kHalf;
  const Escape second = begins(kSecondAt);
  if (second == Escape::kUnfinished) return second;
  return second == Escape::kHalf && is_second_kind(text[kSecondAt + kKindAt]) ? Escape::kPair
                                                                              : Escape::kHalf;
}

FoundHalf find_half(std::string_view text) {
  constexpr size_t kCandidateBytes = 3;
  size_t from = std::min(text.find('\\'), text.size());
  while (true) {
    const size_t at = find_candidate(text, from);
    if (at == text.size()) return find_at_end(text, from);
    if (!begins_escape(text, from, at)) {
      from = at + 1;
      continue;
    }
    const Escape what = escape_of(text.substr(at));
    if (what == Escape::kHalf || what == Escape::kUnfinished) return {at, what};
    from = at + (what == Escape::kPair ? kSecondAt + kKindAt + 1 : kCandidateBytes);
  }
}

}  // namespace sidespan::json
