// Appends one JSON document (RFC 8259) to a string, piece by piece, without building it first: log
// lines, a run's spans, the tables of the page. What it writes is always valid: texts are escaped
// and mended to UTF-8, nesting is bounded, numbers are numbers. Reading JSON has a file of its own.
#pragma once

#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace sidespan::json {

class Writer {
 public:
  // Objects and arrays in one another. One more is written as null, and what goes into it is left
  // out.
  static constexpr size_t kDepthMax = 64;

  // Appends to `out`, which must outlive this.
  explicit Writer(std::string& out) : out_(out) {}

  // Calls nest as the document does. In an object each value follows its key().
  Writer& begin_object() { return begin('{'); }
  Writer& end_object() { return end('}'); }
  Writer& begin_array() { return begin('['); }
  Writer& end_array() { return end(']'); }
  // Keys are not compared with each other: the caller does not repeat one.
  Writer& key(std::string_view key);

  Writer& value(std::string_view text);
  // A literal would otherwise become a bool.
  Writer& value(const char* text) { return value(std::string_view(text)); }
  Writer& value(bool truth);
  // Shortest form that reads back as the same double; null when it is not a number or infinite.
  Writer& value(double number);
  // In full: readers that keep numbers as doubles lose digits beyond 2^53.
  template <std::integral Number>
  Writer& value(Number number) {
    if constexpr (std::signed_integral<Number>) return integer(static_cast<int64_t>(number));
    return natural(static_cast<uint64_t>(number));
  }
  Writer& null();
  // A JSON text that the caller knows to be one, as it stands.
  Writer& written(std::string_view json);

  // key() and value() in one.
  template <class Value>
  Writer& member(std::string_view name, const Value& content) {
    return key(name).value(content);
  }

  // Everything that was begun has ended.
  bool complete() const { return depth_ == 0 && begun_; }

 private:
  Writer& begin(char bracket);
  Writer& end(char bracket);
  Writer& integer(int64_t number);
  Writer& natural(uint64_t number);
  // The comma before a value or key, when one is due; false when the value is to be left out.
  bool separate();
  void append_text(std::string_view text);

  std::string& out_;
  size_t depth_ = 0;                          // of what was begun, left out or not
  std::array<bool, kDepthMax + 1> filled_{};  // whether that level holds something already
  bool after_key_ = false;
  bool begun_ = false;
};

// `text` as a JSON string, quotes included.
std::string quoted(std::string_view text);

}  // namespace sidespan::json
