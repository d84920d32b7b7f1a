// Reads JSON texts (RFC 8259) that arrive in any pieces, and tells what is in them as it goes: the
// tap on bodies, which may never be kept whole, stands on it. Bounded: it keeps the nesting, a key,
// and nothing of values. Boost.JSON's basic_parser does the reading.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

namespace sidespan::json {

// What a text holds, in its order. Views are for this call. Does nothing by default.
class Handler {
 public:
  virtual ~Handler() = default;
  virtual void on_object() {}
  virtual void on_object_end() {}
  virtual void on_array() {}
  virtual void on_array_end() {}
  // Unescaped. Of one beyond the limit the beginning.
  virtual void on_key(std::string_view) {}
  // Unescaped, in pieces of any size; bytes that are no UTF-8 come as they are, and of an escape
  // that is half a surrogate pair comes U+FFFD (in an array or object; else the text is broken).
  virtual void on_text(std::string_view, bool /*last*/) {}
  virtual void on_integer(int64_t) {}
  // One with a fraction or an exponent, or beyond uint64: the nearest double, infinite beyond all;
  // of more than 128 characters it is a null.
  virtual void on_number(double) {}
  // An integer beyond int64: for most a number as any other.
  virtual void on_natural(uint64_t number) { on_number(static_cast<double>(number)); }
  virtual void on_bool(bool) {}
  virtual void on_null() {}
  // Who hears the texts and numbers in what is nested deeper than ReaderLimits::depth_max, without
  // keys and brackets. Null: nobody.
  virtual Handler* deep() { return nullptr; }
};

struct ReaderLimits {
  // Arrays and objects in one another. What is nested deeper is read, told as null, and to
  // Handler::deep().
  size_t depth_max = 64;
  size_t key_bytes_max = 256;  // of a key; what is beyond is cut
};

class Reader {
 public:
  // Arrays and objects in one another that are read at all. Each costs the parser's stack, nine
  // bytes while a text is read, and some nanoseconds with each piece of it.
  static constexpr size_t kNestingMax = 500;

  // `handler` must outlive this.
  explicit Reader(Handler& handler, const ReaderLimits& limits = {});
  ~Reader();
  Reader(Reader&&) noexcept;
  Reader& operator=(Reader&&) noexcept;

  enum class State : uint8_t {
    kReading,
    kComplete,  // one text, and nothing more is wanted
    kBroken,    // no JSON, or nested beyond kNestingMax
  };
  // Reads up to the end of a text at most. Returns how many bytes were read: after kComplete the
  // next text begins behind them, where blanks between were read, too. Once complete or broken it
  // reads nothing until reset().
  size_t feed(std::string_view bytes);
  // Nothing more comes: a number at the top ends so.
  State finish();
  State state() const;
  // For the next text.
  void reset();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace sidespan::json
