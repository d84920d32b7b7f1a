// Events are told and counted alike however the stream is cut.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "sidespan/http/sse.h"

namespace {

class Record final : public sidespan::http::SseSink {
 public:
  void on_event(std::string_view name) override { text.append("\n<").append(name).append(">"); }
  void on_data(std::string_view part) override { text.append(part); }
  void on_event_end(bool whole) override { text += whole ? "\n." : "\n~"; }
  std::string text;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  Record told, told_cut;
  sidespan::http::SseReader whole(&told), cut(&told_cut);
  whole.feed(bytes);
  for (size_t i = 0; i < size; i += 1 + data[i] % 5U) cut.feed(bytes.substr(i, 1 + data[i] % 5U));
  if (whole.events() != cut.events()) std::abort();
  whole.finish();
  cut.finish();
  if (told.text != told_cut.text) std::abort();
  return 0;
}
