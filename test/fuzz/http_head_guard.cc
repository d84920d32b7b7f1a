// The guards say the same at any cuts, and find everything in the same places; llhttp says the same
// of all of a head and of what it is shown.
#include <cstdint>
#include <cstdlib>

#include "http/chunk_guard.h"
#include "http/head_guard.h"

#include "../support/llhttp_reading.h"

using namespace sidespan::http;

// Whether the section is complete.
template <class Guard>
bool compare(Guard& by_byte, Guard& at_once, std::string_view bytes) {
  const Guarded whole = at_once.feed(bytes);
  Guarded cut;
  size_t used = 0;
  for (const char& byte : bytes) {
    used += (cut = by_byte.feed({&byte, 1})).used;
    if (cut.complete || cut.faulty) break;
  }
  if (used != whole.used || cut.complete != whole.complete) std::abort();
  if (cut.faulty != whole.faulty) std::abort();
  if (cut.faulty && by_byte.error().what != at_once.error().what) std::abort();
  return whole.complete;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using sidespan::Side;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const CodecLimits limits{.head_bytes_max = 200, .target_bytes_max = 20, .fields_max = 5};
  for (const int section : {0, 1, 2}) {
    Headers lines, others;
    HeadGuard guard(HeadGuard::Section(section), Side::kAgent, limits, lines);
    HeadGuard other(HeadGuard::Section(section), Side::kAgent, limits, others);
    if (!compare(guard, other, bytes)) continue;
    if (lines.size() != others.size()) std::abort();
    for (size_t i = 0; i < lines.size(); ++i) {
      if (lines.line(i).name != others.line(i).name) std::abort();
      if (lines.line(i).value != others.line(i).value) std::abort();
    }
  }
  for (const bool request : {true, false}) {
    const auto read = script::read_twice(bytes, request, {});
    if (read && read->all != read->shown) std::abort();
  }
  ChunkGuard guard(Side::kAgent), other(Side::kAgent);
  compare(guard, other, bytes);
  return 0;
}
