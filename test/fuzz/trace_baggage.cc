// Any bytes as baggage lines: what goes on is clean, printable and within the limits, and entries
// survive encode and parse.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "sidespan/base/text.h"
#include "sidespan/trace/baggage.h"

using sidespan::trace::Baggage;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Baggage received;
  std::optional<std::string_view> rest = {{reinterpret_cast<const char*>(data), size}};
  while (rest) received.add_line(sidespan::text::split_first(rest, '\n'));
  const auto entries = received.entries();
  const std::string header = received.to_header();
  if (header.size() > Baggage::kBytesMax || entries.size() > Baggage::kMembersMax) std::abort();
  if (!std::ranges::all_of(header, [](char c) { return c > ' ' && c <= '~'; })) std::abort();
  Baggage sent;
  sent.add_line(header);
  if (!sent.passes_as_received() || sent.entries() != entries) std::abort();
  Baggage again;
  again.add_line(Baggage::encode(entries));
  // Encoding may grow a value, so that some members no longer fit.
  if (again.passes_as_received() && again.entries() != entries) std::abort();
  if (!received.set("own", "1\r\n") || received.get("own") != "1\r\n") std::abort();
  return 0;
}
