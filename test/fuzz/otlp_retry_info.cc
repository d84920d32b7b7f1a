// Any bytes as the details of a gRPC status: what is told is no time before now, and base64 of any
// bytes reads back as them.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "sidespan/base/text.h"
#include "sidespan/otlp/decode.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace sidespan;
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const auto delay = otlp::decode_retry_delay(input);
  if (delay && *delay < Milliseconds(0)) std::abort();
  if (text::from_base64(text::base64(input)) != input) std::abort();
  text::from_base64(input);
  return 0;
}
