// Any bytes as a traceparent: what parses is valid, keeps known flags only, and survives a round
// trip.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "sidespan/trace/w3c.h"

using sidespan::trace::encode_traceparent;
using sidespan::trace::parse_traceparent;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto parsed = parse_traceparent({reinterpret_cast<const char*>(data), size});
  if (!parsed) return 0;
  if (!parsed->valid() || parsed->flags > 3 || !parsed->tracestate.empty()) std::abort();
  const auto text = encode_traceparent(*parsed);
  for (const char c : text) {
    if (c != '-' && !(c >= '0' && c <= '9') && !(c >= 'a' && c <= 'f')) std::abort();
  }
  const auto again = parse_traceparent({text.data(), text.size()});
  if (!again || again->trace_id != parsed->trace_id || again->span_id != parsed->span_id ||
      again->flags != parsed->flags) {
    std::abort();
  }
  return 0;
}
