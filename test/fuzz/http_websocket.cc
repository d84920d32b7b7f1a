// Messages and the close code are the same however the stream is cut, and nothing is counted that
// no frame has room for.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "sidespan/http/websocket.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using sidespan::http::WebSocketReader;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  WebSocketReader whole;
  whole.feed(bytes);
  WebSocketReader cut;
  for (size_t i = 0; i < size;) {
    const size_t piece = 1 + data[i] % 5U;
    cut.feed(bytes.substr(i, piece));
    i += piece;
  }
  const bool same = whole.messages() == cut.messages() && whole.close_code() == cut.close_code() &&
                    whole.closed() == cut.closed() && whole.lost() == cut.lost();
  if (!same || whole.messages() > size / 2 || (whole.closed() && whole.lost())) std::abort();
  return 0;
}
