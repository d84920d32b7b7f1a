// Typed key-value pairs of a span, a link or a resource (OpenTelemetry common/attribute). Keys and
// texts share one arena, so a list of twenty attributes is two allocations. Keys are unique: set()
// replaces, add() is for who knows that a key is new. Keys and texts are UTF-8: what is not is
// mended; texts are cut at the limit. What is passed in must not be a view into the same list.
#pragma once

#include <cassert>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace sidespan::trace {

// OTEL_ATTRIBUTE_COUNT_LIMIT, OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT (bytes here) and their span forms.
struct AttributeLimits {
  size_t count_max = 128;
  size_t value_bytes_max = std::numeric_limits<size_t>::max();
};

class Attributes {
 public:
  // A value as it is read back; views live as long as the list is not changed.
  using Value =
      std::variant<bool, int64_t, double, std::string_view, std::vector<std::string_view>>;
  struct View {
    std::string_view key;
    Value value;
  };

  explicit Attributes(AttributeLimits limits = {}) : limits_(limits) {}

  void set(std::string_view key, bool value);
  void set(std::string_view key, int64_t value);
  void set(std::string_view key, double value);
  void set(std::string_view key, std::string_view value);
  void set(std::string_view key, std::span<const std::string_view> values);
  // A literal would otherwise become a bool.
  void set(std::string_view key, const char* value) { set(key, std::string_view(value)); }

  // set() without the search, for the dozens of constant names on every span: `key` must be UTF-8,
  // not empty and not in the list yet.
  void add(std::string_view key, bool value) {
    if (Entry* entry = append(key, Type::kBool, {})) entry->boolean = value;
  }
  void add(std::string_view key, int64_t value) {
    if (Entry* entry = append(key, Type::kInt, {})) entry->integer = value;
  }
  void add(std::string_view key, double value) {
    if (Entry* entry = append(key, Type::kDouble, {})) entry->real = value;
  }
  void add(std::string_view key, std::string_view value) {
    if (!passes(value)) return set(key, value);
    append(key, Type::kText, value);
  }
  void add(std::string_view key, const char* value) { add(key, std::string_view(value)); }

  size_t size() const { return entries_.size(); }
  View at(size_t index) const;
  // The text under `key`; empty when absent or not a text.
  std::string_view text(std::string_view key) const;
  bool contains(std::string_view key) const;
  // How many the count limit kept out; also those without a usable key.
  uint32_t dropped() const { return dropped_; }

 private:
  enum class Type : uint8_t { kBool, kInt, kDouble, kText, kTexts };
  struct Range {
    uint32_t begin;
    uint32_t size;
  };
  struct Entry {
    uint32_t key_begin;
    uint16_t key_size;
    Type type;
    union {
      bool boolean;
      int64_t integer;
      double real;
      Range text;  // in the arena; kTexts: each text is preceded by its size in 4 bytes
    };
  };

  std::string_view bytes(size_t begin, size_t size) const {
    return std::string_view(arena_).substr(begin, size);
  }
  std::string_view key_of(const Entry& entry) const {
    return bytes(entry.key_begin, entry.key_size);
  }
  const Entry* find(std::string_view key) const;
  // The entry to write `key`'s value into; nullptr where it cannot be kept.
  Entry* slot(std::string_view key, Type type);
  // A new entry behind the others, its text (of a kText) stored; nullptr where the limit keeps it
  // out.
  Entry* append(std::string_view key, Type type, std::string_view text);
  // Whether `text` is kept as it is.
  bool passes(std::string_view text) const;
  // `text` as it is kept: valid UTF-8, within the limit, cut at a character.
  std::string_view admit(std::string_view text, std::string& mended) const;
  // Behind what the arena holds; there is room for it.
  Range put(std::string_view text) {
    const Range range{used_, static_cast<uint32_t>(text.size())};
    text.copy(arena_.data() + used_, text.size());
    used_ += range.size;
    return range;
  }
  void make_room(size_t more) {
    if (used_ + more > arena_.size()) [[unlikely]]
      grow(more);
  }
  void grow(size_t more);

  static constexpr size_t kKeyBytesMax = std::numeric_limits<uint16_t>::max();
  // Offsets are 32 bits wide; a list this long takes no further key.
  static constexpr size_t kArenaBytesMax = size_t{1} << 30U;

  AttributeLimits limits_;
  std::string arena_;  // as long as its capacity, so that writing to it is a copy of bytes
  uint32_t used_ = 0;  // of the arena
  std::vector<Entry> entries_;
  uint32_t dropped_ = 0;
};

inline bool Attributes::passes(std::string_view text) const {
  constexpr uint64_t kHighBits = 0x8080808080808080U;
  uint64_t seen = 0;
  uint64_t word = 0;
  size_t i = 0;
  for (; i + sizeof word <= text.size(); i += sizeof word) {
    std::memcpy(&word, text.data() + i, sizeof word);
    seen |= word;
  }
  if (i > 0) {
    std::memcpy(&word, text.data() + text.size() - sizeof word, sizeof word);
    seen |= word;
  } else {
    for (; i < text.size(); ++i) seen |= static_cast<unsigned char>(text[i]);
  }
  return (seen & kHighBits) == 0 && text.size() <= limits_.value_bytes_max;
}

// Into each add(): a third of the cost of an attribute would be the call.
[[gnu::always_inline]] inline Attributes::Entry* Attributes::append(std::string_view key, Type type,
                                                                    std::string_view text) {
  assert(!key.empty() && key.size() <= kKeyBytesMax && !contains(key));
  if (entries_.size() >= limits_.count_max || used_ > kArenaBytesMax) [[unlikely]] {
    ++dropped_;
    return nullptr;
  }
  make_room(key.size() + text.size());
  Entry& entry = entries_.emplace_back();
  entry.key_begin = put(key).begin;
  entry.key_size = static_cast<uint16_t>(key.size());
  entry.type = type;
  if (type == Type::kText) entry.text = put(text);
  return &entry;
}

}  // namespace sidespan::trace
