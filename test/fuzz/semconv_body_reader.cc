// Any bytes as a body, its framing named by the first: each document that begins ends, and all is
// the same however the body was cut.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "sidespan/json/picker.h"
#include "sidespan/semconv/body_reader.h"

using namespace sidespan::semconv;

namespace {

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
  bool open = false;
  std::string text;
  sidespan::json::JsonCopy told;
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
  if (told.open || told.text != told_cut.text) std::abort();
  // What breaks in an escape at the very end does so while it is read or when the end has come.
  const size_t last = bytes.find_last_of('\\');
  const bool in_escape = last != std::string_view::npos && bytes.size() - last <= 12;
  if (whole.state() != cut.state() && !in_escape) std::abort();
  return 0;
}
