// Any bytes as JSON, whole and in pieces of the size its first byte says: the same is picked, and
// what is picked as JSON is JSON.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
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

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  if (picked(text, text.size() + 1) != picked(text, data[0] % 9U + 1)) std::abort();
  return 0;
}
