// Messages are told alike however the stream is cut, and each that begins ends.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "sidespan/http/eventstream.h"

namespace {

struct Record final : sidespan::http::EventStreamSink {
  void on_message(const sidespan::http::EventStreamHead& head) override {
    if (open) std::abort();
    open = true;
    text.append(head.name).append("=").append(head.text).append("<");
  }
  void on_payload(std::string_view part) override { text.append(part); }
  void on_message_end(bool whole) override {
    if (!open) std::abort();
    open = false;
    text += whole ? ">" : "~";
  }
  bool open = false;
  std::string text;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  Record told, told_cut;
  sidespan::http::EventStreamReader whole(told), cut(told_cut);
  whole.feed(bytes);
  for (size_t at = 0; at < size; at += 1 + at % 5) cut.feed(bytes.substr(at, 1 + at % 5));
  whole.finish();
  cut.finish();
  if (told.open || told.text != told_cut.text || whole.broken() != cut.broken()) std::abort();
  return 0;
}
