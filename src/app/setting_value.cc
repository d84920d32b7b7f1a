#include "app/setting_value.h"

#include <array>
#include <charconv>
#include <cmath>
#include <limits>
#include <span>

#include "sidespan/base/text.h"

namespace sidespan::app {
namespace {

struct Unit {
  std::string_view name;
  uint64_t factor;
};

// Largest first, as they are tried in writing.
constexpr std::array<Unit, 5> kDurations = {
    {{"d", 86'400'000}, {"h", 3'600'000}, {"m", 60'000}, {"s", 1000}, {"ms", 1}}};
constexpr std::array<Unit, 4> kSizes = {
    {{"GiB", 1ULL << 30U}, {"MiB", 1ULL << 20U}, {"KiB", 1ULL << 10U}, {"B", 1}}};

// Nothing when it is no number with one of `units`, or more than a signed 64-bit count of the
// smallest.
std::optional<uint64_t> parse_with_unit(std::string_view text, std::span<const Unit> units) {
  size_t digits = 0;
  while (digits < text.size() && text::is_digit(text[digits])) ++digits;
  const std::optional<uint64_t> number = text::parse_unsigned(text.substr(0, digits));
  for (const Unit& unit : units) {
    if (!number || text.substr(digits) != unit.name) continue;
    constexpr auto kMost = static_cast<uint64_t>(std::numeric_limits<int64_t>::max());
    if (*number > kMost / unit.factor) return std::nullopt;
    return *number * unit.factor;
  }
  return std::nullopt;
}

std::string write_with_unit(uint64_t number, std::span<const Unit> units) {
  for (const Unit& unit : units) {
    if (number % unit.factor == 0) {
      return std::to_string(number / unit.factor).append(unit.name);
    }
  }
  return std::to_string(number);
}

}  // namespace

std::optional<Milliseconds> parse_duration(std::string_view text) {
  if (text == "0") return Milliseconds{0};
  const std::optional<uint64_t> count = parse_with_unit(text, kDurations);
  if (!count) return std::nullopt;
  return Milliseconds{static_cast<int64_t>(*count)};
}

std::string write_duration(Milliseconds duration) {
  if (duration.count() <= 0) return "0";
  return write_with_unit(static_cast<uint64_t>(duration.count()), kDurations);
}

std::optional<size_t> parse_size(std::string_view text) {
  if (const auto bytes = text::parse_unsigned(text, std::numeric_limits<int64_t>::max()))
    return bytes;
  return parse_with_unit(text, kSizes);
}

std::string write_size(size_t bytes) {
  return bytes < 1024 ? std::to_string(bytes) : write_with_unit(bytes, kSizes);
}

std::optional<bool> parse_switch(std::string_view text) {
  if (text == "on" || text == "true" || text == "yes") return true;
  if (text == "off" || text == "false" || text == "no") return false;
  return std::nullopt;
}

std::optional<double> parse_decimal(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || !std::isfinite(value)) {
    return std::nullopt;
  }
  return value;
}

}  // namespace sidespan::app
