// Any bytes as tracestate lines: what is kept parses to itself, is printable and within the limits,
// also after our own member came in, and what goes on is some of its members, in their order. A
// member that is taken out leaves the others as they were. A value is an id if it looks like one.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "sidespan/base/random.h"
#include "sidespan/base/text.h"
#include "sidespan/trace/context.h"

using sidespan::trace::SpanId;
using sidespan::trace::TraceId;
using sidespan::trace::TraceState;

namespace {

void check(const TraceState& state) {
  if (TraceState::parse({state.to_string()}) != state) std::abort();
  if (state.members().size() > TraceState::kMembersMax) std::abort();
  const std::string header = state.to_header();
  if (header.size() > TraceState::kPropagatedBytes) std::abort();
  if (!std::ranges::all_of(header, [](char c) { return c >= ' ' && c <= '~'; })) std::abort();
  if (state.to_string().size() <= TraceState::kPropagatedBytes && header != state.to_string()) {
    std::abort();
  }
  const TraceState sent = TraceState::parse({header});
  const auto members = state.members();
  auto member = members.begin();
  for (const auto& kept : sent.members()) {
    member = std::find(member, members.end(), kept);
    if (member == members.end()) std::abort();
    ++member;
  }
}

template <class Id>
void check_id(std::string_view text, size_t digits) {
  const bool hex = std::ranges::all_of(
      text, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
  const bool is_one =
      hex && text.size() == digits && text.find_first_not_of('0') != std::string_view::npos;
  const auto id = Id::parse(text);
  if (id.has_value() != is_one || (id && id->to_string() != text)) std::abort();
}

template <class Id>
void check_made(sidespan::Random& random) {
  const Id id = Id::make(random);
  if (!id || Id::parse(id.to_string()) != id) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::vector<std::string_view> lines;
  std::optional<std::string_view> rest = {{reinterpret_cast<const char*>(data), size}};
  while (rest) lines.push_back(sidespan::text::split_first(rest, '\n'));
  TraceState state = TraceState::parse(lines);
  check(state);
  for (const auto& [key, value] : state.members()) {
    if (state.get(key) != value) std::abort();
    check_id<TraceId>(value, 32);
    check_id<SpanId>(value, 16);
  }
  sidespan::Random random(size);
  check_made<TraceId>(random);
  check_made<SpanId>(random);

  TraceState without = state;
  without.erase("own");
  if (without.get("own")) std::abort();
  if (!state.get("own") && without != state) std::abort();
  check(without);
  if (!state.set("own", "1") || state.get("own") != "1") std::abort();
  if (state.members().front().first != "own") std::abort();
  check(state);
  state.erase("own");
  if (without.members().size() < TraceState::kMembersMax && state != without) std::abort();
  return 0;
}
