#include "report/http_date.h"

#include <algorithm>
#include <array>
#include <cstdint>

#include "sidespan/base/text.h"

namespace sidespan::report {
namespace {

namespace chrono = std::chrono;

// Two-digit years below this are of this century (RFC 9110 leaves no better choice without a
// clock).
constexpr int kFirstYearOf1900s = 70;

using Parts = std::array<std::string_view, 5>;

// Exactly five, parted by runs of blanks and dashes.
std::optional<Parts> split(std::string_view text) {
  Parts parts;
  size_t count = 0;
  while (true) {
    text.remove_prefix(std::min(text.find_first_not_of(" -"), text.size()));
    if (text.empty()) break;
    if (count == parts.size()) return std::nullopt;
    parts[count] = text.substr(0, text.find_first_of(" -"));
    text.remove_prefix(parts[count++].size());
  }
  if (count != parts.size()) return std::nullopt;
  return parts;
}

std::optional<unsigned> number(std::string_view text, size_t digits_max, uint64_t max) {
  if (text.size() > digits_max) return std::nullopt;
  const std::optional<uint64_t> value = text::parse_unsigned(text, max);
  if (!value) return std::nullopt;
  return static_cast<unsigned>(*value);
}

std::optional<chrono::month> month(std::string_view name) {
  constexpr std::array<std::string_view, 12> kNames = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                       "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const auto found = std::ranges::find(kNames, name);
  if (found == kNames.end()) return std::nullopt;
  return chrono::month(static_cast<unsigned>(found - kNames.begin()) + 1);
}

std::optional<chrono::year> year(std::string_view text) {
  const std::optional<unsigned> value = number(text, 4, 9999);
  if (!value || (text.size() != 2 && text.size() != 4)) return std::nullopt;
  const int full = static_cast<int>(*value);
  if (text.size() == 4) return chrono::year(full);
  return chrono::year(full < kFirstYearOf1900s ? 2000 + full : 1900 + full);
}

std::optional<chrono::seconds> time_of_day(std::string_view text) {
  constexpr unsigned kLeapSecond = 60;
  if (text.size() != 8 || text[2] != ':' || text[5] != ':') return std::nullopt;
  const auto hours = number(text.substr(0, 2), 2, 23);
  const auto minutes = number(text.substr(3, 2), 2, 59);
  const auto seconds = number(text.substr(6, 2), 2, kLeapSecond);
  if (!hours || !minutes || !seconds) return std::nullopt;
  return chrono::hours(*hours) + chrono::minutes(*minutes) + chrono::seconds(*seconds);
}

}  // namespace

std::optional<chrono::sys_seconds> parse_http_date(std::string_view text) {
  text = text::trim(text);
  const size_t comma = text.find(',');
  const bool asctime = comma == std::string_view::npos;
  const std::optional<Parts> parts = split(asctime ? text : text.substr(comma + 1));
  if (!parts) return std::nullopt;
  // "Sun Nov  6 08:49:37 1994", or behind the comma "06 Nov 1994 08:49:37 GMT".
  const Parts& p = *parts;
  const auto day_part = number(asctime ? p[2] : p[0], 2, 31);
  const auto month_part = month(p[1]);
  const auto year_part = year(asctime ? p[4] : p[2]);
  const auto time_part = time_of_day(p[3]);
  if (!day_part || !month_part || !year_part || !time_part || (!asctime && p[4] != "GMT")) {
    return std::nullopt;
  }
  const chrono::year_month_day date(*year_part, *month_part, chrono::day(*day_part));
  if (!date.ok()) return std::nullopt;
  return chrono::sys_days(date) + *time_part;
}

}  // namespace sidespan::report
