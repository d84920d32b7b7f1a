// Any bytes as a packed body: what comes out stays within the limit, and what we pack ourselves is
// read back.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "sidespan/http/deflate.h"
#include "sidespan/http/inflate.h"

using sidespan::http::gunzip;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  constexpr size_t kPlainBytesMax = 4096;
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const auto plain = gunzip(input, kPlainBytesMax);
  if (plain && plain->size() > kPlainBytesMax) std::abort();
  const std::string packed = sidespan::http::gzip(input);
  if (gunzip(packed, size) != input) std::abort();
  if (size > 0 && gunzip(packed, size - 1)) std::abort();
  if (gunzip(std::string_view(packed).substr(0, packed.size() - 1), size)) std::abort();
  return 0;
}
