// Lines "key=value", each value a truth, a number, texts in brackets, or a text: the attributes are
// those of a plain list under the same limits, in its order and mended, also in copies and packed;
// what is added under a constant name, or all at once, is what set() would have made of it.
#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "sidespan/base/text.h"
#include "sidespan/trace/attributes.h"

using namespace sidespan;
using trace::AttributeLimits;
using trace::AttributeName;
using trace::Attributes;

namespace {

// No key of a line has a "=" in it.
constexpr AttributeName kShort("=");
constexpr AttributeName kOther("=other");
constexpr AttributeName kLong("=234567890123456789012345678901234567890123");
constexpr AttributeName kJoined("=joined");
constexpr AttributeName kTruth("=truth");
constexpr AttributeName kInteger("=integer");
constexpr AttributeName kReal("=real");
constexpr AttributeName kFirst("=first");
constexpr AttributeName kSecond("=second");

constexpr size_t kLinesMax = 200;  // more than are kept without a limit of one's own

using Texts = std::vector<std::string>;
using Value = std::variant<bool, int64_t, double, std::string, Texts>;
struct Pair {
  std::string key;
  Value value;
};

template <class Number>
std::optional<Number> number(std::string_view text) {
  Number value{};
  const auto read = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool whole = read.ec == std::errc() && read.ptr == text.data() + text.size();
  return whole ? std::optional(value) : std::nullopt;
}

Texts split(std::string_view text, char separator) {
  Texts parts;
  std::optional<std::string_view> rest = text;
  while (rest) parts.emplace_back(text::split_first(rest, separator));
  return parts;
}

Value read(std::string_view text) {
  if (text == "true" || text == "false") return text == "true";
  if (const auto integer = number<int64_t>(text)) return *integer;
  if (const auto real = number<double>(text); real && std::isfinite(*real)) return *real;
  if (text == "[]") return Texts();
  const bool list = text.size() > 1 && text.front() == '[' && text.back() == ']';
  if (list) return split(text.substr(1, text.size() - 2), ',');
  return std::string(text);
}

std::vector<Pair> read_lines(std::string_view text) {
  std::vector<Pair> pairs;
  std::optional<std::string_view> rest = text;
  while (rest && pairs.size() < kLinesMax) {
    std::optional<std::string_view> value = text::split_first(rest, '\n');
    const std::string_view key = text::split_first(value, '=');
    pairs.push_back({std::string(key), read(value.value_or(""))});
  }
  return pairs;
}

std::string mended(std::string_view text, size_t bytes_max) {
  std::string kept = text::to_valid_utf8(std::string(text));
  if (kept.size() <= bytes_max) return kept;
  kept.resize(bytes_max);
  while (!text::is_valid_utf8(kept)) kept.pop_back();
  return kept;
}

// What the header says of a list, and no more.
class Plain {
 public:
  explicit Plain(AttributeLimits limits) : limits_(limits) {}

  void set(const Pair& pair) {
    const std::string key = text::to_valid_utf8(pair.key);
    const auto known = std::ranges::find(pairs, key, &Pair::key);
    if (known != pairs.end()) {
      known->value = admitted(pair.value);
    } else if (key.empty() || pairs.size() == limits_.count_max) {
      ++dropped;
    } else {
      pairs.push_back({key, admitted(pair.value)});
    }
  }

  std::vector<Pair> pairs;
  uint32_t dropped = 0;

 private:
  Value admitted(Value value) const {
    if (auto* const one = std::get_if<std::string>(&value)) *one = mended(*one, max());
    if (auto* const all = std::get_if<Texts>(&value)) {
      for (std::string& one : *all) one = mended(one, max());
    }
    return value;
  }
  size_t max() const { return limits_.value_bytes_max; }

  AttributeLimits limits_;
};

Value as_plain(const Attributes::Value& value) {
  return std::visit(
      [](const auto& one) -> Value {
        if constexpr (std::is_same_v<decltype(one), const std::string_view&>) {
          return std::string(one);
        } else if constexpr (std::is_same_v<decltype(one), const std::vector<std::string_view>&>) {
          return Texts(one.begin(), one.end());
        } else {
          return one;
        }
      },
      value);
}

void set(Attributes& attributes, const Pair& pair) {
  std::visit(
      [&](const auto& one) {
        if constexpr (std::is_same_v<decltype(one), const std::string&>) {
          attributes.set(pair.key, std::string_view(one));
        } else if constexpr (std::is_same_v<decltype(one), const Texts&>) {
          attributes.set(pair.key, std::vector<std::string_view>(one.begin(), one.end()));
        } else {
          attributes.set(pair.key, one);
        }
      },
      pair.value);
}

void check_same(const Attributes& attributes, const Plain& plain) {
  if (attributes.size() != plain.pairs.size() || attributes.dropped() != plain.dropped) {
    std::abort();
  }
  constexpr size_t kSoughtMax = 16;  // each from the first on
  size_t i = 0;
  for (const auto& [key, value] : attributes) {
    if (i == plain.pairs.size()) std::abort();
    const Pair& expected = plain.pairs[i];
    if (key != expected.key || as_plain(value) != expected.value) std::abort();
    if (++i > kSoughtMax) continue;
    const auto* const text = std::get_if<std::string>(&expected.value);
    if (!attributes.contains(key) || attributes.at(i - 1).key != key ||
        attributes.text(key) != (text == nullptr ? "" : *text)) {
      std::abort();
    }
  }
  if (i != plain.pairs.size()) std::abort();
}

void check_copies(const Attributes& attributes) {
  const auto check = [&](const Attributes& other) {
    if (other.encoded() != attributes.encoded() || other.size() != attributes.size()) std::abort();
    if (other.dropped() != attributes.dropped()) std::abort();
  };
  Attributes copy(attributes);
  check(copy);
  Attributes moved(std::move(copy));
  check(moved);
  copy = std::move(moved);
  check(copy);
  check(Attributes::unpack(attributes.pack()));
}

// Behind another pair, as if each had been set.
void check_added(const Attributes& others, const std::vector<Pair>& pairs) {
  Attributes added(others.limits());
  Plain plain(others.limits());
  const Pair before{std::string(std::string_view(kShort)), true};
  set(added, before);
  plain.set(before);
  added.add(others.pack());
  Plain alone(others.limits());
  for (const Pair& pair : pairs) alone.set(pair);
  for (const Pair& pair : alone.pairs) plain.set(pair);
  plain.dropped += alone.dropped;
  check_same(added, plain);
}

// After `attributes`, which may be full by then.
void check_named(Attributes attributes, const std::vector<Pair>& pairs) {
  Attributes slow = attributes;
  const auto text_of = [&](size_t i) {
    const auto* const text = std::get_if<std::string>(&pairs[i % pairs.size()].value);
    return text == nullptr ? std::string_view() : std::string_view(*text);
  };
  const std::array<std::string_view, 4> texts = {text_of(0), text_of(1), text_of(2), text_of(3)};
  attributes.add(kShort, texts[0]);
  attributes.add(kOther, texts[1]);
  attributes.add(kLong, texts[2]);
  attributes.add_joined(kJoined, texts);
  slow.set(kShort, texts[0]);
  slow.set(kOther, texts[1]);
  slow.set(kLong, texts[2]);
  std::string joined;
  for (const std::string_view text : texts) joined += text;
  slow.set(kJoined, std::string_view(joined));

  const auto integer = static_cast<int64_t>(joined.size()) - 100;
  attributes.add(kTruth, integer > 0);
  attributes.add(kInteger, integer);
  attributes.add(kReal, 0.5);
  attributes.add_all<kFirst, kSecond>({1.5, -2.5});
  slow.set(kTruth, integer > 0);
  slow.set(kInteger, integer);
  slow.set(kReal, 0.5);
  slow.set(kFirst, 1.5);
  slow.set(kSecond, -2.5);
  if (attributes.encoded() != slow.encoded() || attributes.dropped() != slow.dropped()) {
    std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::vector<Pair> pairs = read_lines({reinterpret_cast<const char*>(data), size});
  for (const AttributeLimits limits : {AttributeLimits{8, 40}, AttributeLimits{}}) {
    Attributes attributes(limits);
    Plain plain(limits);
    for (const Pair& pair : pairs) {
      set(attributes, pair);
      plain.set(pair);
    }
    check_same(attributes, plain);
    check_copies(attributes);
    check_added(attributes, pairs);
    check_named(std::move(attributes), pairs);
  }
  return 0;
}
