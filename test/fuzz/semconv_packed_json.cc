// Any bytes as a JSON text with another in base64 in it, whole and in pieces of the size the first
// byte says: what is found inside is the same. And packed in one, they say what they say unpacked.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "semconv/genai/packed_json.h"
#include "sidespan/base/text.h"

using namespace sidespan;

namespace {

class Record final : public json::Handler {
 public:
  void on_object() override { all += '{'; }
  void on_object_end() override { all += '}'; }
  void on_array() override { all += '['; }
  void on_array_end() override { all += ']'; }
  void on_key(std::string_view key) override { all.append(key); }
  void on_text(std::string_view part, bool last) override {
    all.append(part).append(last ? ";" : "");
  }
  void on_integer(int64_t number) override { all.append(std::to_string(number)); }
  std::string all;
};

struct Unpacked {
  std::string all;
  bool whole;
  bool outer_whole;
};

Unpacked unpacked(std::string_view text, size_t step) {
  Record record;
  semconv::genai::PackedJson packed("bytes", record);
  packed.begin();
  json::Reader reader(packed);
  for (size_t at = 0; at < text.size(); at += step) reader.feed(std::string(text.substr(at, step)));
  const bool outer_whole = reader.finish() == json::Reader::State::kComplete;
  return {record.all, packed.whole(), outer_whole};
}

void check_packed(std::string_view text, size_t step) {
  Record record;
  json::Reader reader(record);
  reader.feed(text);
  const bool whole = reader.finish() == json::Reader::State::kComplete;
  const Unpacked packed = unpacked(R"({"p":"x","bytes":")" + text::base64(text) + R"("})", step);
  if (!packed.outer_whole || packed.whole != whole) std::abort();
  if (whole && packed.all != record.all) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  const Unpacked one = unpacked(text, text.size() + 1);
  const Unpacked other = unpacked(text, data[0] % 9U + 1);
  if (one.outer_whole != other.outer_whole) std::abort();
  if (one.outer_whole && one.whole != other.whole) std::abort();
  if (one.outer_whole && one.whole && one.all != other.all) std::abort();
  // Of a text that breaks in the middle of a string the reader tells more of it or less.
  if (!one.all.starts_with(other.all) && !other.all.starts_with(one.all)) std::abort();
  check_packed(text, data[0] % 9U + 1);
  return 0;
}
