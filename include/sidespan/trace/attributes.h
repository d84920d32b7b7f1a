// Typed key-value pairs of a span, a link or a resource (OpenTelemetry common/attribute). Keys and
// texts share one arena, so a list of twenty attributes is two allocations. Keys are unique: set()
// replaces. Texts must be UTF-8; set() mends what is not and cuts what is over the limit. What is
// passed to set() must not be a view into the same list.
#pragma once

#include <cstddef>
#include <cstdint>
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

  std::string_view key_of(const Entry& entry) const {
    return std::string_view(arena_).substr(entry.key_begin, entry.key_size);
  }
  const Entry* find(std::string_view key) const;
  // The entry to write `key`'s value into; nullptr at the count limit.
  Entry* slot(std::string_view key, Type type);
  // `text` as it is kept: valid UTF-8, within the limit, cut at a character.
  std::string_view admit(std::string_view text, std::string& mended) const;

  AttributeLimits limits_;
  std::string arena_;
  std::vector<Entry> entries_;
  uint32_t dropped_ = 0;
};

}  // namespace sidespan::trace
