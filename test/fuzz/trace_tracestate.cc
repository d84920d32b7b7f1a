// Any bytes as tracestate lines: what is kept parses to itself, is printable and within the limits,
// also after our own member came in.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "sidespan/base/text.h"
#include "sidespan/trace/context.h"

using sidespan::trace::TraceState;

static void check(const TraceState& state) {
  if (TraceState::parse({state.to_string()}) != state) std::abort();
  if (state.members().size() > TraceState::kMembersMax) std::abort();
  const std::string header = state.to_header();
  if (header.size() > TraceState::kPropagatedBytes) std::abort();
  if (!std::ranges::all_of(header, [](char c) { return c >= ' ' && c <= '~'; })) std::abort();
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::vector<std::string_view> lines;
  std::optional<std::string_view> rest = {{reinterpret_cast<const char*>(data), size}};
  while (rest) lines.push_back(sidespan::text::split_first(rest, '\n'));
  TraceState state = TraceState::parse(lines);
  check(state);
  if (!state.set("own", "1") || state.get("own") != "1") std::abort();
  check(state);
  return 0;
}
