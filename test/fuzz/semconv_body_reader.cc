// Any bytes as a body, its framing named by the first: each document that begins ends, and all is
// the same however the body was cut.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "sidespan/json/picker.h"
#include "sidespan/semconv/body_reader.h"

using namespace sidespan::semconv;

namespace {

// Boost's parser may say the last digits of a long fraction otherwise where it comes in pieces.
struct Apart final : sidespan::json::Handler {
  void on_object() override { copy.on_object(); }
  void on_object_end() override { copy.on_object_end(); }
  void on_array() override { copy.on_array(); }
  void on_array_end() override { copy.on_array_end(); }
  void on_key(std::string_view key) override { copy.on_key(key); }
  void on_text(std::string_view part, bool last) override { copy.on_text(part, last); }
  void on_integer(int64_t number) override { copy.on_integer(number); }
  void on_number(double number) override {
    copy.on_null();
    numbers.push_back(number);
  }
  void on_natural(uint64_t number) override { copy.on_natural(number); }
  void on_bool(bool truth) override { copy.on_bool(truth); }
  void on_null() override { copy.on_null(); }
  bool operator==(const Apart& other) const {
    return std::ranges::equal(numbers, other.numbers, [](double a, double b) {
      return a == b || std::abs(a - b) <= std::abs(a) * 1e-12;
    });
  }
  sidespan::json::JsonCopy copy;
  std::vector<double> numbers;
};

struct Record final : BodySink {
  sidespan::json::Handler* begin_document(std::string_view name) override {
    if (open) std::abort();
    text.append(name).append(":");
    open = !name.starts_with('-');
    told.copy.begin(4096);
    return open ? &told : nullptr;
  }
  void end_document(bool whole) override {
    if (!open) std::abort();
    open = false;
    text.append(whole ? told.copy.text() : "~").append("\n");
  }
  bool open = false;
  std::string text;
  Apart told;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data + 1), size - 1);
  const auto framing = BodyFraming(data[0] % 5U);
  const bool packed = data[0] >= 128;
  Record told, told_cut;
  BodyReader whole(framing, {.count = packed}, {.plain_bytes_max = 4096}, told);
  BodyReader cut(framing, {.count = packed}, {.plain_bytes_max = 4096}, told_cut);
  whole.feed(bytes);
  for (size_t at = 0; at < bytes.size(); at += 1 + at % 5) cut.feed(bytes.substr(at, 1 + at % 5));
  whole.finish((data[0] & 64U) == 0);
  cut.finish((data[0] & 64U) == 0);
  if (told.open || told.text != told_cut.text || !(told.told == told_cut.told)) std::abort();
  // What breaks in an escape at the very end does so while it is read or when the end has come.
  const size_t last = bytes.find_last_of('\\');
  const bool in_escape = last != std::string_view::npos && bytes.size() - last <= 12;
  if (whole.state() != cut.state() && !in_escape) std::abort();
  return 0;
}
