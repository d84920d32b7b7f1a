// Any bytes as a collector's answer: what decodes is within its limits and fit for a log line.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "sidespan/base/text.h"
#include "sidespan/otlp/decode.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace sidespan;
  constexpr size_t kMessageBytesMax = 3 * 1024;  // each byte may have become U+FFFD
  const auto response = otlp::decode_response({reinterpret_cast<const char*>(data), size});
  if (!response) return 0;
  if (response->rejected_spans < 0 || response->message.size() > kMessageBytesMax ||
      !text::is_valid_utf8(response->message)) {
    std::abort();
  }
  return 0;
}
