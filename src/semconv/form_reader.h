// A form (application/x-www-form-urlencoded, WHATWG URL section 5.1) as it passes, in any pieces:
// each pair with its name and value decoded. Used where a service takes its calls as forms.
// Bounded: a longer name or value is cut.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace sidespan::semconv {

class FormReader {
 public:
  static constexpr size_t kNameBytesMax = 128;
  static constexpr size_t kValueBytesMax = 1024;
  struct Pair {
    std::string_view name;
    std::string_view value;
    bool cut = false;  // either is the beginning of it
  };
  // The views are for the call.
  using OnPair = std::move_only_function<void(const Pair&)>;
  explicit FormReader(OnPair on_pair) : on_pair_(std::move(on_pair)) {}

  void feed(std::string_view bytes);
  // Nothing more comes. The last pair is told only where it is whole.
  void finish(bool whole);

 private:
  void take(char c);
  void append(char c);
  void end_pair();

  OnPair on_pair_;
  std::string name_;
  std::string value_;
  char escape_[2] = {};      // behind a '%', as far as it has come
  int8_t escape_size_ = -1;  // -1: there is none
  bool in_value_ = false;
  bool cut_ = false;
};

}  // namespace sidespan::semconv
