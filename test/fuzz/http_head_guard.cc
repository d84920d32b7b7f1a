// The guards say the same at any cuts.
#include <cstdint>
#include <cstdlib>

#include "http/chunk_guard.h"
#include "http/head_guard.h"

using namespace sidespan::http;

template <class Guard>
void compare(Guard guard, std::string_view bytes) {
  const Guarded whole = Guard(guard).feed(bytes);
  Guarded cut;
  size_t used = 0;
  for (const char& byte : bytes) {
    used += (cut = guard.feed({&byte, 1})).used;
    if (cut.complete || cut.error) break;
  }
  if (used != whole.used || cut.complete != whole.complete) std::abort();
  if ((cut.error ? cut.error->what : "") != (whole.error ? whole.error->what : "")) std::abort();
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const CodecLimits limits{.head_bytes_max = 200, .target_bytes_max = 20, .fields_max = 5};
  for (const int section : {0, 1, 2})
    compare(HeadGuard(HeadGuard::Section(section), sidespan::Side::kAgent, limits), bytes);
  compare(ChunkGuard(sidespan::Side::kAgent), bytes);
  return 0;
}
