// Any bytes as a body, its framing named by the first: each document that begins ends, all is the
// same however the body was cut, and what is read no further has nothing open and tells no more.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "sidespan/json/picker.h"
#include "sidespan/semconv/body_reader.h"

using namespace sidespan::semconv;

namespace {

constexpr unsigned kFramings = 6;
constexpr uint64_t kPlainBytesMax = 1024;

struct Record final : BodySink {
  sidespan::json::Handler* begin_document(std::string_view name) override {
    if (open) std::abort();
    text.append(name).append(":");
    open = !name.starts_with('-');
    told.begin(4096);
    return open ? &told : nullptr;
  }
  void end_document(bool whole) override {
    if (!open) std::abort();
    open = false;
    text.append(whole ? told.text() : "~").append("\n");
  }
  void on_stream_error(std::string_view code, std::string_view words) override {
    if (open) std::abort();
    text.append("!").append(code).append(" ").append(words).append("\n");
  }
  bool open = false;
  std::string text;
  sidespan::json::JsonCopy told;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data + 1), size - 1);
  const auto framing = BodyFraming(data[0] % kFramings);
  const bool packed = data[0] >= 128;
  const BodyLimits limits{.plain_bytes_max = kPlainBytesMax};
  Record told, told_cut;
  BodyReader whole(framing, {.count = packed}, limits, told);
  BodyReader cut(framing, {.count = packed}, limits, told_cut);
  whole.feed(bytes);
  for (size_t at = 0; at < bytes.size(); at += 1 + at % 5) cut.feed(bytes.substr(at, 1 + at % 5));
  if (whole.state() != BodyReader::State::kReading) {
    const size_t told_bytes = told.text.size();
    whole.feed(bytes);
    if (told.open || told.text.size() != told_bytes) std::abort();
  }
  whole.finish((data[0] & 64U) == 0);
  cut.finish((data[0] & 64U) == 0);
  if (told.open || told.text != told_cut.text) std::abort();
  // What breaks in an escape at the very end does so while it is read or when the end has come.
  const size_t last = bytes.find_last_of('\\');
  const bool in_escape = last != std::string_view::npos && bytes.size() - last <= 12;
  if (whole.state() != cut.state() && !in_escape) std::abort();
  return 0;
}
