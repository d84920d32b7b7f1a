// Any bytes as a traceparent: what parses is valid, keeps known flags only, and survives a round
// trip. The same as lines of a head, "name:value" or a traceparent alone: what a hop is told is
// what stands there, and goes on so; what it may not see is not there, and no other field is
// touched.
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "../support/field_lines.h"
#include "sidespan/base/text.h"
#include "sidespan/trace/w3c.h"

using namespace sidespan;
using namespace sidespan::trace;

namespace {

using Fields = std::vector<std::pair<std::string, std::string>>;
constexpr std::array kNames = {kTraceparentField, kTracestateField, kBaggageField};

std::vector<std::string_view> values(const Fields& fields, std::string_view name) {
  std::vector<std::string_view> found;
  for (const auto& [key, value] : fields) {
    if (text::equal_ignoring_case(key, name)) found.push_back(value);
  }
  return found;
}

Fields others(Fields fields) {
  std::erase_if(fields, [](const auto& field) {
    return std::ranges::any_of(kNames, [&](std::string_view name) {
      return text::equal_ignoring_case(field.first, name);
    });
  });
  return fields;
}

bool same_span(const SpanContext& one, const SpanContext& other) {
  return one.trace_id == other.trace_id && one.span_id == other.span_id && one.flags == other.flags;
}

const CompositePropagator& propagator() {
  static const PropagatorRegistry kRegistry;
  static const std::vector<std::string> kBoth = {"tracecontext", "Baggage", "tracecontext"};
  static const CompositePropagator kPropagator(kRegistry, kBoth);
  return kPropagator;
}

Context extract(const Fields& fields) {
  Context context;
  const bool any = propagator().extract(PairReader(fields), context);
  if (any != (context.span.valid() || !context.baggage.empty())) std::abort();
  if (context.span.valid() != (context.extracted_by == "tracecontext")) std::abort();
  return context;
}

Fields injected(const Context& context, Parts parts, Fields fields) {
  PairWriter writer(fields);
  propagator().inject(context, parts, writer);
  return fields;
}

void check_received(const Fields& fields, const Context& received) {
  const auto traceparents = values(fields, kTraceparentField);
  const std::optional<SpanContext> alone =
      traceparents.size() == 1 ? parse_traceparent(traceparents[0]) : std::nullopt;
  if (alone.has_value() != received.span.valid()) std::abort();
  if (!same_span(alone.value_or(SpanContext()), received.span)) std::abort();
  const TraceState state =
      alone ? TraceState::parse(values(fields, kTracestateField)) : TraceState();
  if (received.span.tracestate != state) std::abort();
  Baggage baggage;
  for (const std::string_view line : values(fields, kBaggageField)) baggage.add_line(line);
  if (received.baggage.lines() != baggage.lines()) std::abort();
}

void check_sent(const Fields& fields, const Context& received) {
  const Fields sent = injected(received, {}, fields);
  if (others(sent) != others(fields)) std::abort();
  size_t baggage_bytes = 0;
  for (const std::string_view name : kNames) {
    const auto lines = values(sent, name);
    const bool list = name == kBaggageField;
    // Without a span of ours nobody touches what may be seen.
    if (!list && !received.span.valid()) {
      if (lines != values(fields, name)) std::abort();
      continue;
    }
    if (!list && lines.size() > 1) std::abort();
    for (const std::string_view line : lines) {
      if (list) baggage_bytes += line.size();
      if (name == kTracestateField && line.size() > TraceState::kPropagatedBytes) std::abort();
      for (const char c : line) {
        if ((c < ' ' || c > '~') && (!list || c != '\t')) std::abort();
      }
    }
  }
  if (baggage_bytes > Baggage::kBytesMax) std::abort();

  const Context again = extract(sent);
  if (!same_span(again.span, received.span)) std::abort();
  if (again.span.tracestate != TraceState::parse({received.span.tracestate.to_header()})) {
    std::abort();
  }
  if (again.baggage.entries() != received.baggage.entries()) std::abort();
  if (injected(again, {}, sent) != sent) std::abort();

  // Where a name stands once, the lines of a list are one.
  std::map<std::string, std::string> once;
  PairWriter writer(once);
  propagator().inject(received, {}, writer);
  Context of_once;
  propagator().extract(PairReader(once), of_once);
  if (!same_span(of_once.span, received.span)) std::abort();
  if (of_once.baggage.entries() != received.baggage.entries()) std::abort();
}

void check_withheld(const Fields& fields, const Context& received) {
  for (const Parts parts : {Parts{false, true, true}, Parts{true, false, true},
                            Parts{true, true, false}, Parts{false, false, false}}) {
    const Fields sent = injected(received, parts, fields);
    if (!parts.traceparent && !values(sent, kTraceparentField).empty()) std::abort();
    const bool with_state = parts.traceparent && parts.tracestate;
    if (!with_state && !values(sent, kTracestateField).empty()) std::abort();
    if (!parts.baggage && !values(sent, kBaggageField).empty()) std::abort();
    if (others(sent) != others(fields)) std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const Fields fields = sidespan::testing::read_fields(input, kTraceparentField);
  const Context received = extract(fields);
  check_received(fields, received);
  check_sent(fields, received);
  check_withheld(fields, received);

  const auto parsed = parse_traceparent(input);
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
