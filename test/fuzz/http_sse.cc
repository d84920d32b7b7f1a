// Events are counted alike however the stream is cut.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "sidespan/http/sse.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  sidespan::http::SseCounter whole;
  whole.feed(bytes);
  sidespan::http::SseCounter cut;
  for (size_t i = 0; i < size;) {
    const size_t piece = 1 + data[i] % 5U;
    cut.feed(bytes.substr(i, piece));
    i += piece;
  }
  if (whole.events() != cut.events()) std::abort();
  return 0;
}
