// Small questions about text: ASCII case, optional white space, hex, numbers, UTF-8. Used by every
// parser. Nothing here knows a locale, allocates unless it returns a string, or throws.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sidespan::text {

constexpr bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
constexpr bool is_lower(char c) {
  return c >= 'a' && c <= 'z';
}
constexpr bool is_upper(char c) {
  return c >= 'A' && c <= 'Z';
}
constexpr bool is_alpha(char c) {
  return is_lower(c) || is_upper(c);
}
constexpr char to_lower(char c) {
  return is_upper(c) ? static_cast<char>(c + ('a' - 'A')) : c;
}
constexpr bool is_hex(char c) {
  return is_digit(c) || (to_lower(c) >= 'a' && to_lower(c) <= 'f');
}
// RFC 9110 section 5.6.2, tchar.
bool is_token_char(char c);
bool is_token(std::string_view text);

// ASCII case. `same_text` is its second half, for texts of one size.
bool same_text(std::string_view a, std::string_view b);
inline bool equal_ignoring_case(std::string_view a, std::string_view b) {
  return a.size() == b.size() && same_text(a, b);
}
std::string lower(std::string_view text);
// A host's name without the final dot that stands for the root of DNS.
inline std::string_view without_root_dot(std::string_view host) {
  return host.ends_with('.') ? host.substr(0, host.size() - 1) : host;
}

// RFC 9110 section 5.6.3: spaces and tabs at both ends.
std::string_view trim(std::string_view text);

// Up to the next `separator` (excluded); `rest` becomes what follows it. Call until !rest.
std::string_view split_first(std::optional<std::string_view>& rest, char separator);
// All parts of a comma-separated list, trimmed, empty ones left out (RFC 9110 section 5.6.1).
std::vector<std::string_view> list_members(std::string_view field_value);

// Decimal digits only, all of `text`, no sign; nothing when empty, not a number or over `max`.
std::optional<uint64_t> parse_unsigned(std::string_view text, uint64_t max = UINT64_MAX);

// Lower-case hex, two digits a byte, most significant first.
void append_hex(std::string& out, uint64_t value, int digits = 16);
// Exactly 1 to 16 digits, lower case only unless `any_case`.
std::optional<uint64_t> parse_hex(std::string_view text, bool any_case = false);

// Valid UTF-8 with each undecodable byte replaced by U+FFFD; returns the input when already valid.
std::string to_valid_utf8(std::string text);
bool is_valid_utf8(std::string_view text);

// RFC 3986 section 2.1; a '%' that starts no pair stays as it is.
std::string percent_decode(std::string_view text);
// RFC 4648 section 4, with padding.
std::string base64(std::string_view bytes);
// With or without its padding. Nothing where it is none.
std::optional<std::string> from_base64(std::string_view text);

// Shell-style: `*` matches any run of characters, all else itself, ASCII case ignored. No
// recursion; at most pattern times text steps.
bool matches_whole_wildcard(std::string_view pattern, std::string_view text);
inline bool matches_wildcard(std::string_view pattern, std::string_view text) {
  // Most texts part from most patterns at the last character.
  const bool ends = !pattern.empty() && !text.empty() && pattern.back() != '*';
  if (ends && to_lower(pattern.back()) != to_lower(text.back())) return false;
  return matches_whole_wildcard(pattern, text);
}

}  // namespace sidespan::text
