// Typed key-value pairs of a span, a link or a resource (OpenTelemetry common/attribute). They are
// kept as they leave, encoded as OTLP has the attributes of a Span (opentelemetry-proto 1.11,
// common/v1, KeyValue), one behind the other, as many as a span usually has without an allocation:
// adding them is all the work, and reading, which hardly anybody does, walks from the first on.
// Keys are unique: set() replaces, add() is for who knows that a key is new. Keys and texts are
// UTF-8: what is not is mended; texts are cut at the limit. What is passed in must not be a view
// into the same list.
#pragma once

#include <array>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <limits>
#include <memory>
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

// A key that is known when the program is built, with all that stands before the value in the
// encoded pair: Attributes copies that in three moves, whatever the key.
class AttributeName {
 public:
  // ASCII, not empty, at most 43 bytes: a longer one does not compile.
  explicit consteval AttributeName(std::string_view text) {
    size_t at = 0;
    for (const char c : {kPairTag, kLater, kKeyTag, static_cast<char>(text.size())}) {
      head_[at++] = c;
    }
    for (const char c : text) head_[at++] = c;
    head_[at++] = kValueTag;
    head_bytes_ = static_cast<uint8_t>(at);
    short_text_max_ = static_cast<uint8_t>(kOneByteVarint - 2 - at);
  }

  constexpr operator std::string_view() const {
    return {head_.data() + kTextBegin, head_bytes_ - kTextBegin - sizeof kValueTag};
  }

 private:
  friend class Attributes;
  static constexpr char kPairTag = 0x4a;  // Span.attributes
  static constexpr char kKeyTag = 0x0a;   // KeyValue.key
  static constexpr char kValueTag = 0x12;
  static constexpr char kLater = 0;  // the pair's length
  static constexpr size_t kTextBegin = 4;
  static constexpr size_t kHeadRoom = 48;
  static constexpr size_t kOneByteVarint = 0x80;

  std::array<char, kHeadRoom> head_{};
  uint8_t head_bytes_ = 0;
  uint8_t short_text_max_ = 0;  // of a text with which the pair's length takes one byte
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

  // Reads one after the other.
  class Iterator {
   public:
    using difference_type = ptrdiff_t;
    using value_type = View;

    View operator*() const;
    Iterator& operator++();
    void operator++(int) { ++*this; }
    bool operator==(std::default_sentinel_t) const { return rest_.empty(); }

   private:
    friend class Attributes;
    explicit Iterator(std::string_view rest) : rest_(rest) {}
    std::string_view rest_;
  };

  explicit Attributes(AttributeLimits limits = {}) : limits_(limits) {}
  ~Attributes() = default;
  Attributes(const Attributes& other);
  Attributes(Attributes&& other) noexcept;
  Attributes& operator=(const Attributes& other) { return *this = Attributes(other); }
  Attributes& operator=(Attributes&& other) noexcept;

  void set(std::string_view key, bool value);
  void set(std::string_view key, int64_t value);
  void set(std::string_view key, double value);
  void set(std::string_view key, std::string_view value);
  void set(std::string_view key, std::span<const std::string_view> values);
  // A literal would otherwise become a bool.
  void set(std::string_view key, const char* value) { set(key, std::string_view(value)); }

  // set() without the search, for the dozens of constant names on every span.
  void add(const AttributeName& name, bool value);
  void add(const AttributeName& name, int64_t value);
  void add(const AttributeName& name, double value);
  void add(const AttributeName& name, std::string_view value);
  void add(const AttributeName& name, const char* value) { add(name, std::string_view(value)); }
  // Those of a list that was made before under the same limits, in its order; none of their keys is
  // here.
  struct Packed;
  void add(const Packed& others);
  // Several numbers under names of constants that follow each other.
  template <const AttributeName&... kNames>
  void add_all(const std::array<double, sizeof...(kNames)>& values);
  // One text of several parts, put together where it stays.
  void add_joined(const AttributeName& name, std::span<const std::string_view> parts);

  size_t size() const { return count_; }
  const AttributeLimits& limits() const { return limits_; }
  Iterator begin() const { return Iterator(encoded()); }
  static std::default_sentinel_t end() { return {}; }
  View at(size_t index) const;
  // The text under `key`; empty when absent or not a text.
  std::string_view text(std::string_view key) const;
  bool contains(std::string_view key) const;
  // How many the count limit kept out; also those without a usable key.
  uint32_t dropped() const { return dropped_; }

  // The same in as little room as it takes, for a list that waits long until it is added to.
  struct Packed {
    AttributeLimits limits;
    uint32_t count = 0;
    uint32_t dropped = 0;
    std::string pairs;
  };
  Packed pack() const { return {limits_, count_, dropped_, std::string(encoded())}; }
  static Attributes unpack(const Packed& packed);

  // All of them, each an element of Span.attributes: kEncodedTag, length, KeyValue.
  std::string_view encoded() const { return {begin_, end_}; }
  static constexpr char kEncodedTag = AttributeName::kPairTag;

 private:
  // AnyValue's fields, as far as they are written.
  static constexpr char kTextTag = 0x0a;
  static constexpr char kBoolTag = 0x10;
  static constexpr char kIntTag = 0x18;
  static constexpr char kDoubleTag = 0x21;
  static constexpr char kArrayTag = 0x2a;

  static constexpr size_t kOneByteVarint = AttributeName::kOneByteVarint;
  static constexpr size_t kKeyBytesMax = std::numeric_limits<uint16_t>::max();
  // A list this long takes no further key.
  static constexpr size_t kBytesMax = size_t{1} << 30U;

  // A typical HTTP span has some twenty pairs of about thirty bytes each.
  static constexpr size_t kInlineBytes = 768;
  static constexpr size_t kShortTextHead = 3;

  struct Pair;
  static Pair read_pair(std::string_view bytes);
  static Value read_value(std::string_view value);
  // Returns how many bytes it took.
  static size_t put_varint(char* at, uint64_t value);
  // Returns whether it is ASCII; `to` may be written where it is not.
  static bool copy_ascii(char* to, std::string_view text);

  // What encoding a value takes, and doing it.
  static size_t value_bytes(bool) { return 2; }
  static size_t value_bytes(int64_t value);
  static size_t value_bytes(double) { return 1 + sizeof(double); }
  static size_t value_bytes(std::string_view value);
  static void put_value(char* at, bool value);
  static void put_value(char* at, int64_t value);
  static void put_value(char* at, double value);
  static void put_value(char* at, std::string_view value);

  // The pair under `key`; where there is none, an empty one at the end.
  Pair find(std::string_view key) const;
  // Where `key`'s value of so many bytes is to be written; nullptr where it cannot be kept.
  char* open(std::string_view key, size_t value_bytes);
  // The same for a key that is UTF-8 and new.
  char* open_new(std::string_view key, size_t value_bytes);
  void add_each(const Packed& others);
  // In place of `replaced` bytes at `begin`, which are a pair of the list or nothing at its end.
  char* open_at(size_t begin, size_t replaced, std::string_view key, size_t value_bytes);
  // Out of line, or every add() would carry it.
  template <class T>
  [[gnu::noinline, gnu::cold]] void put_new(std::string_view key, T value);
  // `text` as it is kept: valid UTF-8, within the limit, cut at a character.
  std::string_view admit(std::string_view text, std::string& mended) const;

  // add() in a few instructions: there is room, a text is short, plain and within the limit. What
  // is not so goes another way, from which nothing comes back.
  bool has_room(size_t value_bytes) const {
    return count_ < limits_.count_max &&
           static_cast<size_t>(room_end_ - end_) >= AttributeName::kHeadRoom + 1 + value_bytes;
  }
  bool is_short(const AttributeName& name, size_t text_bytes) const {
    return text_bytes <= name.short_text_max_ && text_bytes <= limits_.value_bytes_max;
  }
  // Begins a pair at end_; returns where its value's length goes, and behind that the value.
  char* begin_pair(const AttributeName& name) const {
    assert(!contains(name));
    char* const pair = end_;
    constexpr size_t kMostBytes = 32;
    std::memcpy(pair, name.head_.data(), kMostBytes);
    if (name.head_bytes_ > kMostBytes) {
      std::memcpy(pair + kMostBytes, name.head_.data() + kMostBytes,
                  AttributeName::kHeadRoom - kMostBytes);
    }
    return pair + name.head_bytes_;
  }
  // `at` is what begin_pair() returned.
  void end_pair(const AttributeName& name, char* at, size_t value_bytes) {
    const size_t head_bytes = name.head_bytes_;
    at[0] = static_cast<char>(value_bytes);
    *(at - head_bytes + 1) = static_cast<char>(head_bytes + value_bytes - 1);
    end_ = at + 1 + value_bytes;
    ++count_;
  }
  // The text was written already.
  void end_text(const AttributeName& name, char* at, size_t text_bytes) {
    at[1] = kTextTag;
    at[2] = static_cast<char>(text_bytes);
    end_pair(name, at, 2 + text_bytes);
  }

  // Such pairs as they stand in the list, but for the numbers.
  static constexpr size_t double_pair_bytes(const AttributeName& name) {
    return name.head_bytes_ + size_t{1} + 1 + sizeof(double);
  }
  template <const AttributeName&... kNames>
  static consteval auto double_pairs() {
    std::array<char, (double_pair_bytes(kNames) + ...)> pairs{};
    char* at = pairs.data();
    const auto put = [&](const AttributeName& name) {
      for (size_t i = 0; i < name.head_bytes_; ++i) at[i] = name.head_[i];
      at[1] = static_cast<char>(double_pair_bytes(name) - 2);
      at[name.head_bytes_] = 1 + sizeof(double);
      at[name.head_bytes_ + 1] = kDoubleTag;
      at += double_pair_bytes(name);
    };
    (put(kNames), ...);
    return pairs;
  }

  bool is_inline() const { return begin_ == inline_; }
  // As empty as a new one; the pairs' memory is somebody else's.
  void forget();
  void take(Attributes& other);
  // Into a list that is empty and inline.
  void copy_pairs(std::string_view pairs);
  void grow(size_t more);

  AttributeLimits limits_;
  char* begin_ = inline_;
  char* end_ = inline_;
  char* room_end_ = inline_ + kInlineBytes;
  uint32_t count_ = 0;
  uint32_t dropped_ = 0;
  std::unique_ptr<char[]> heap_;
  char inline_[kInlineBytes];  // only what was put there is ever read
};

inline void Attributes::add(const AttributeName& name, bool value) {
  if (!has_room(2)) [[unlikely]]
    return put_new(name, value);
  char* const at = begin_pair(name);
  at[1] = kBoolTag;
  at[2] = value ? 1 : 0;
  end_pair(name, at, 2);
}

inline void Attributes::add(const AttributeName& name, int64_t value) {
  constexpr size_t kVarintBytesMax = 10;
  if (!has_room(1 + kVarintBytesMax)) [[unlikely]]
    return put_new(name, value);
  char* const at = begin_pair(name);
  at[1] = kIntTag;
  end_pair(name, at, 1 + put_varint(at + 2, static_cast<uint64_t>(value)));
}

inline void Attributes::add(const AttributeName& name, double value) {
  if (!has_room(1 + sizeof value)) [[unlikely]]
    return put_new(name, value);
  char* const at = begin_pair(name);
  at[1] = kDoubleTag;
  std::memcpy(at + 2, &value, sizeof value);
  end_pair(name, at, 1 + sizeof value);
}

inline void Attributes::add(const AttributeName& name, std::string_view value) {
  if (!is_short(name, value.size()) || !has_room(2 + value.size())) [[unlikely]]
    return put_new(name, value);
  char* const at = begin_pair(name);
  if (!copy_ascii(at + kShortTextHead, value)) [[unlikely]]
    return put_new(name, value);
  end_text(name, at, value.size());
}

template <const AttributeName&... kNames>
void Attributes::add_all(const std::array<double, sizeof...(kNames)>& values) {
  static constexpr auto kPairs = double_pairs<kNames...>();
  const double* value = values.data();
  if (count_ + sizeof...(kNames) > limits_.count_max ||
      static_cast<size_t>(room_end_ - end_) < kPairs.size()) [[unlikely]] {
    return (add(kNames, *value++), ...);
  }
  std::memcpy(end_, kPairs.data(), kPairs.size());
  const auto put = [&](const AttributeName& name) {
    end_ += double_pair_bytes(name);
    std::memcpy(end_ - sizeof *value, value, sizeof *value);
    ++value;
  };
  (put(kNames), ...);
  count_ += sizeof...(kNames);
}

[[gnu::always_inline]] inline size_t Attributes::put_varint(char* at, uint64_t value) {
  size_t bytes = 0;
  for (; value >= kOneByteVarint; value >>= 7U) {
    at[bytes++] = static_cast<char>(value | kOneByteVarint);
  }
  at[bytes++] = static_cast<char>(value);
  return bytes;
}

// Words overlap at the end.
[[gnu::always_inline]] inline bool Attributes::copy_ascii(char* to, std::string_view text) {
  using Block [[gnu::vector_size(16)]] = uint64_t;
  constexpr uint64_t kHighBits = 0x8080808080808080U;
  const auto copy = [&]<class Word>(Word word, size_t at) {
    std::memcpy(&word, text.data() + at, sizeof word);
    std::memcpy(to + at, &word, sizeof word);
    return word;
  };
  const size_t size = text.size();
  uint64_t seen = 0;
  if (size >= sizeof(Block)) {
    Block blocks = copy(Block{}, size - sizeof(Block));
    for (size_t i = 0; i + sizeof(Block) < size; i += sizeof(Block)) blocks |= copy(Block{}, i);
    seen = blocks[0] | blocks[1];
  } else if (size >= sizeof(uint64_t)) {
    seen = copy(uint64_t{}, 0) | copy(uint64_t{}, size - sizeof(uint64_t));
  } else if (size >= sizeof(uint32_t)) {
    seen = copy(uint32_t{}, 0) | copy(uint32_t{}, size - sizeof(uint32_t));
  } else if (size > 0) {
    seen = copy(uint8_t{}, 0) | uint32_t{copy(uint8_t{}, size / 2)} | copy(uint8_t{}, size - 1);
  }
  return (seen & kHighBits) == 0;
}

}  // namespace sidespan::trace
