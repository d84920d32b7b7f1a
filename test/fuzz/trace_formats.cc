// Any bytes as fields of a vendor's format, which the first byte chooses: what is read is valid,
// and what is written from it is printable and read again as the same.
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

#include "sidespan/base/text.h"
#include "sidespan/trace/formats.h"
#include "sidespan/trace/propagator.h"

using namespace sidespan;  // NOLINT(google-build-using-namespace)

// The rest: lines "name:value".
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const trace::PropagatorRegistry registry;
  if (size == 0) return 0;
  const auto& format =
      *registry.find(trace::kVendorFormats[data[0] % trace::kVendorFormats.size()]);
  std::vector<std::pair<std::string, std::string>> fields;
  std::optional<std::string_view> rest = {{reinterpret_cast<const char*>(data + 1), size - 1}};
  while (rest) {
    const std::string_view line = text::split_first(rest, '\n');
    const size_t colon = line.find(':');
    if (colon != line.npos) fields.emplace_back(line.substr(0, colon), line.substr(colon + 1));
  }
  trace::Context received;
  format.extract(trace::PairReader(fields), received);
  if (!received.span.valid()) received.span = {received.trace_hint, {7}, 1, {}};
  if (!received.span.valid()) return 0;
  const trace::Parts no_baggage{true, true, false};  // no ids in it
  std::vector<std::pair<std::string, std::string>> sent;
  trace::PairWriter writer(sent);
  format.inject(received, no_baggage, writer);
  for (const auto& [name, value] : sent) {
    for (const char c : value) {
      if (c < ' ' || c > '~') std::abort();
    }
  }
  trace::Context again;
  format.extract(trace::PairReader(sent), again);
  const bool same = again.span.span_id == received.span.span_id &&
                    again.span.trace_id.low == received.span.trace_id.low &&
                    again.span.sampled() == received.span.sampled();
  if (received.span.trace_id.low != 0 && !same) std::abort();
  return 0;
}
