// Any bytes as JSON, whole and in pieces of the size its first byte says: the same is picked, and
// what is picked as JSON is JSON. Where half a surrogate pair is escaped, the same is picked as if
// U+FFFD were.
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>

#include "sidespan/json/picker.h"

using namespace sidespan::json;

namespace {

const PickTable& table() {
  static const PickTable kTable = {{"a", 1},     {"a.b", 2}, {"a[]", 3},      {"b[].c", 4},
                                   {"b[]{}", 5}, {"c*", 6},  {"[].a[][]", 7}, {"d[].e*", 8}};
  return kTable;
}

class Record final : public PickSink {
 public:
  void on_pick(const Picked& picked) override {
    all += static_cast<char>('0' + picked.id);
    for (const uint32_t place : picked.places) all += std::to_string(place) + "@";
    all.append(picked.text).append(std::to_string(picked.integer)).append(picked.cut ? "." : "");
    if (picked.text.size() > 16) std::abort();
    if (picked.kind != Picked::Kind::kJson || picked.cut) return;
    Handler nobody;
    Reader reader(nobody);
    reader.feed(picked.text);
    if (reader.finish() != Reader::State::kComplete) std::abort();
  }
  std::string all;
};

std::string picked(std::string_view text, size_t step) {
  Record record;
  Picker picker(table(), record, {.value_bytes_max = 16});
  Reader reader(picker);
  for (size_t at = 0; at < text.size(); at += step) {
    const std::string piece(text.substr(at, step));
    if (reader.feed(piece) > piece.size()) std::abort();
  }
  reader.finish();
  return record.all;
}

// Of an escape of four digits that begins there.
std::optional<unsigned> unit_at(std::string_view text, size_t at) {
  if (text.size() < at + 6 || text.substr(at, 2) != "\\u") return std::nullopt;
  unsigned unit = 0;
  const char* const end = text.data() + at + 6;
  if (std::from_chars(text.data() + at + 2, end, unit, 16).ptr != end) return std::nullopt;
  return unit;
}

std::string without_halves(std::string_view text) {
  std::string out;
  for (size_t at = 0; at < text.size();) {
    const std::optional<unsigned> unit = unit_at(text, at);
    const std::optional<unsigned> next = unit_at(text, at + 6);
    const bool pair = unit && next && *unit >> 10U == 0x36 && *next >> 10U == 0x37;
    if (unit && !pair && *unit >> 11U == 0x1b) {
      out += "\\ufffd";
      at += 6;
      continue;
    }
    const size_t bytes = pair ? 12 : text[at] == '\\' ? 2 : 1;
    out += text.substr(at, bytes);
    at += bytes;
  }
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::string whole = picked(text, text.size() + 1);
  if (whole != picked(text, data[0] % 9U + 1)) std::abort();
  if (whole != picked(without_halves(text), text.size() + 1)) std::abort();
  return 0;
}
