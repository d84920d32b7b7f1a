// Messages are the same number however the bytes are cut, and never more than frames have room for;
// the head of a frame is written as it was read.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "sidespan/http/grpc.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace sidespan::http;  // NOLINT(google-build-using-namespace)
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  GrpcMessageCounter whole;
  whole.feed(bytes);
  GrpcMessageCounter cut;
  for (size_t i = 0; i < size;) {
    const size_t piece = 1 + data[i] % 5U;
    cut.feed(bytes.substr(i, piece));
    i += piece;
  }
  if (whole.messages() != cut.messages() || whole.messages() > size / GrpcFrame::kBytes) {
    std::abort();
  }
  const std::string_view head = bytes.substr(0, GrpcFrame::kBytes);
  if (const auto frame = GrpcFrame::parse(head); frame && frame->encode() != head) std::abort();
  return 0;
}
