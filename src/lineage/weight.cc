#include <algorithm>
#include <array>
#include <bitset>

#include "lineage/blocks.h"
#include "sidespan/base/text.h"
#include "sidespan/lineage/value.h"

namespace sidespan::lineage {
namespace {

using text::is_digit;
using text::is_lower;
using text::is_upper;

constexpr size_t kLooksMax = 256;  // bytes that are looked at
constexpr size_t kWeightMax = 60;  // of words with blanks between them
constexpr size_t kLongWord = 9;    // shorter ones of letters weigh nothing

// What a text is made of.
struct Look {
  size_t letters = 0;
  size_t digits = 0;
  size_t wide = 0;     // bytes of other scripts, some of which have no blanks
  size_t runs = 0;     // of letters and digits
  size_t changes = 0;  // between letters and digits inside a run
  size_t humps = 0;    // to a capital
  bool underscores = false;
  bool at_sign = false;
  std::bitset<10> which_digits;
};

// Of a byte.
enum : uint8_t { kUpper = 1, kLower = 2, kDigit = 4, kWide = 8, kUnderscore = 16, kAt = 32 };
constexpr uint8_t kLetter = kUpper | kLower | kWide;

constexpr std::array<uint8_t, 256> kinds() {
  std::array<uint8_t, 256> out{};
  for (size_t c = 0; c < out.size(); ++c) {
    const char byte = static_cast<char>(c);
    if (is_upper(byte)) out[c] = kUpper;
    if (is_lower(byte)) out[c] = kLower;
    if (is_digit(byte)) out[c] = kDigit;
    if (c >= 0x80) out[c] = kWide;
  }
  out['_'] = kUnderscore;
  out['@'] = kAt;
  return out;
}
constexpr std::array<uint8_t, 256> kKinds = kinds();

Look look_at(std::string_view text) {
  Look look;
  uint8_t before = 0;
  uint8_t seen = 0;
  for (const char c : text) {
    const uint8_t kind = kKinds[static_cast<uint8_t>(c)];
    seen |= kind;
    const bool letter = (kind & kLetter) != 0;
    const bool digit = kind == kDigit;
    look.letters += letter ? 1U : 0U;
    look.digits += digit ? 1U : 0U;
    look.wide += kind == kWide ? 1U : 0U;
    if (digit) look.which_digits.set(static_cast<size_t>(c - '0'));
    const bool in_run = (before & (kLetter | kDigit)) != 0;
    if (letter || digit) {
      look.runs += in_run ? 0U : 1U;
      look.changes += in_run && digit != (before == kDigit) ? 1U : 0U;
      look.humps += kind == kUpper && before == kLower ? 1U : 0U;
    }
    before = kind;
  }
  look.underscores = (seen & kUnderscore) != 0;
  look.at_sign = (seen & kAt) != 0;
  return look;
}

// What words tell that stand together.
struct Told {
  size_t weight = 0;    // of letters, and twice of digits
  bool words = false;   // with blanks between them
  bool digits = false;  // has some
};

Told told_by(std::string_view text) {
  Block counts = {};
  Mask blanks = {};
  Mask all_digits = {};
  const auto count = [&](Block block) {
    const Mask letters =
        ((block | uint8_t{0x20}) - uint8_t{'a'} <= uint8_t{'z' - 'a'}) | (block >= uint8_t{0x80});
    const Mask digits = block - uint8_t{'0'} <= uint8_t{9};
    counts -= reinterpret_cast<Block>(letters) + 2 * reinterpret_cast<Block>(digits);
    all_digits |= digits;
    blanks |= (block == uint8_t{' '}) | (block == uint8_t{'\t'});
  };
  static_assert(2 * kLooksMax / sizeof(Block) < 128);
  for (; text.size() >= sizeof(Block); text.remove_prefix(sizeof(Block)))
    count(block_at(text.data()));
  count(block_of(text));
  return {sum(counts), any(blanks), any(all_digits)};
}

// "2026-11-27", and a time behind it.
bool is_date(std::string_view text) {
  if (text.size() < 8 || text.size() > 40) return false;
  size_t digits = 0;
  while (digits < text.size() && is_digit(text[digits])) ++digits;
  if (digits != 4 || (text[4] != '-' && text[4] != '/')) return false;
  return std::ranges::all_of(text, [](char c) {
    return is_digit(c) || std::string_view("-/:.TZ+ tz").find(c) != std::string_view::npos;
  });
}

// Seconds since 1970 of these decades, or parts of them: clocks tell everybody the same.
bool is_clock(std::string_view digits) {
  const bool size =
      digits.size() == 10 || digits.size() == 13 || digits.size() == 16 || digits.size() == 19;
  return size && (digits.front() == '1' || digits.front() == '2');
}

// "2026", "20261127": everybody writes these.
bool is_day(std::string_view digits) {
  if (digits.size() != 4 && digits.size() != 8) return false;
  if (!digits.starts_with("19") && !digits.starts_with("20")) return false;
  return digits.size() == 4 || (digits.substr(4, 2) <= "12" && digits.substr(6) <= "31");
}

// What digits tell beside letters: few that stand together are a version's, or a model's of a car.
size_t told_by_digits(std::string_view text) {
  constexpr size_t kNumberDigits = 5;
  size_t told = 0;
  for (size_t at = 0; at < text.size();) {
    size_t end = at;
    while (end < text.size() && is_digit(text[end])) ++end;
    const std::string_view digits = text.substr(at, end - at);
    if (!is_day(digits)) told += digits.size() * (digits.size() < kNumberDigits ? 3 : 6);
    at = std::max(end, at + 1);
  }
  return told / 2;
}

uint8_t weight_of_number(std::string_view digits, const Look& look) {
  if (is_clock(digits) || is_day(digits) || look.which_digits.count() < 3) return 0;
  if (digits.size() < 5) return 0;
  if (digits.size() == 5) return look.which_digits.count() >= 4 ? 8 : 0;
  return static_cast<uint8_t>(std::min<size_t>(3 * digits.size(), 40));
}

// Products, standards and regions have a digit or two behind a name, keys and order numbers more.
uint8_t weight_of_key(std::string_view text, const Look& look) {
  constexpr size_t kWeightMost = 20;
  if (look.letters + look.digits >= 16 && look.digits >= 4 && look.changes >= 4) return 40;
  const size_t mixed = look.changes > 1 ? 3 * (look.changes - 1) : 0;
  return static_cast<uint8_t>(std::min(told_by_digits(text) + mixed, kWeightMost));
}

uint8_t weight_of_word(std::string_view text, const Look& look) {
  const size_t size = look.letters + look.digits;
  if (look.at_sign && size >= 8) return 20;
  if (look.digits == text.size()) return weight_of_number(text, look);
  if (look.digits > 0 && look.letters == 0) return look.digits >= 7 ? 16 : 0;
  if (look.digits > 0) return weight_of_key(text, look);
  if (size >= kLongWord && look.humps >= 3 && !look.underscores) return 20;
  if (look.wide >= kHeavyWeight) return static_cast<uint8_t>(std::min<size_t>(look.wide / 2, 60));
  // A slug has words; a name in a program has underscores.
  if (!look.underscores && look.runs >= 3 && size >= 16) return 14;
  if (size >= 24) return look.underscores ? 8 : kEvidenceWeight;
  return size >= 10 ? 6 : 0;
}

}  // namespace

uint8_t weight_of(std::string_view text) {
  const size_t size = text.size();
  text = text.substr(0, kLooksMax);
  if (text.size() < 5 || is_date(text)) return 0;
  const Told told = told_by(text);
  // As most that programs have to say.
  if (!told.words && !told.digits && text.size() < kLongWord) return 0;
  if (!told.words) return weight_of_word(text, look_at(text));
  if (told.weight < 10) return static_cast<uint8_t>(told.weight / 2);
  return static_cast<uint8_t>(std::min(std::max(told.weight, size / 4), kWeightMax));
}

bool is_unique(std::string_view id) {
  constexpr size_t kRunBytes = 8;
  constexpr size_t kNumberDigits = 10;
  constexpr size_t kCountDigits = 4;
  const size_t name = id.find_last_not_of("0123456789") + 1;
  const bool separate = name > 0 && (kKinds[static_cast<uint8_t>(id[name - 1])] & kLetter) == 0;
  if (separate && name < id.size() && id.size() - name <= kCountDigits) return false;
  for (size_t at = 0; at < id.size();) {
    size_t end = at;
    while (end < id.size() && (kKinds[static_cast<uint8_t>(id[end])] & (kLetter | kDigit)) != 0) {
      ++end;
    }
    const std::string_view run = id.substr(at, end - at);
    const Look look = look_at(run);
    const bool mixed = look.changes >= 2 || (look.changes == 1 && look.humps >= 2);
    if (run.size() >= kRunBytes && mixed) return true;
    // So many digits may be any number of 64 bits; nanoseconds of these decades begin alike.
    const bool clock = is_clock(run) && (run.size() < 19 || run[1] == '7' || run[1] == '8');
    if (look.digits == run.size() && run.size() >= kNumberDigits && !clock) return true;
    at = std::max(end, at + 1);
  }
  return false;
}

}  // namespace sidespan::lineage
