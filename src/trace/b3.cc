// Zipkin's B3 (openzipkin/b3-propagation): one header, `b3`, or several, `X-B3-*`. Whichever of the
// two is configured, both are read, and the single one wins; each writes its own.
#include <array>
#include <string>

#include "trace/split.h"
#include "trace/vendor.h"

namespace sidespan::trace {
namespace {

constexpr std::array<std::string_view, 1> kSingleFields = {"b3"};
constexpr std::array<std::string_view, 5> kMultiFields = {
    "x-b3-traceid", "x-b3-spanid", "x-b3-parentspanid", "x-b3-sampled", "x-b3-flags"};
constexpr std::string_view kTraceId = kMultiFields[0];
constexpr std::string_view kSpanId = kMultiFields[1];
constexpr std::string_view kParentSpanId = kMultiFields[2];
constexpr std::string_view kSampled = kMultiFields[3];
constexpr std::string_view kFlags = kMultiFields[4];
constexpr std::string_view kDebugFlag = "1";

struct B3 {
  std::optional<SpanContext> span;
  Asked asked = Asked::kUndecided;
};

// What a state means without ids; of a value that is none, nothing.
std::optional<Asked> parse_state(std::string_view state) {
  if (state == "1") return Asked::kKeep;
  if (state == "0") return Asked::kDrop;
  if (state == "d") return Asked::kDebug;
  return std::nullopt;
}

std::optional<SpanContext> parse_ids(std::string_view trace_id, std::string_view span_id) {
  if ((trace_id.size() != 16 && trace_id.size() != 32) || span_id.size() != 16) {
    return std::nullopt;
  }
  const std::optional<TraceId> trace = parse_trace_id(trace_id, false);
  const std::optional<SpanId> span = parse_span_id(span_id, false);
  if (!trace || !span) return std::nullopt;
  return SpanContext{*trace, *span, 0, {}};
}

// trace-span[-state[-parent]], or the state alone.
std::optional<B3> parse_single(std::string_view value) {
  if (const std::optional<Asked> alone = parse_state(value)) return B3{std::nullopt, *alone};
  std::array<std::string_view, 4> parts;
  size_t count = 0;
  std::string_view part;
  for (Split split(value, '-'); split.next(part);) {
    if (count == parts.size()) return std::nullopt;
    parts[count++] = part;
  }
  B3 found{parse_ids(parts[0], parts[1])};
  if (!found.span) return std::nullopt;
  if (count < 3) return found;
  const std::optional<Asked> state = parse_state(parts[2]);
  if (!state) return std::nullopt;
  found.asked = *state;
  return found;
}

B3 read_multi(const CarrierReader& carrier) {
  B3 found;
  const auto trace_id = first_value(carrier, kTraceId);
  const auto span_id = first_value(carrier, kSpanId);
  if (trace_id && span_id) found.span = parse_ids(*trace_id, *span_id);
  if (const auto sampled = first_value(carrier, kSampled)) {
    // Senders of old wrote words.
    const bool yes = text::equal_ignoring_case(*sampled, "true");
    const bool no = text::equal_ignoring_case(*sampled, "false");
    const std::string_view state = yes ? "1" : no ? "0" : *sampled;
    found.asked = parse_state(state).value_or(Asked::kUndecided);
  }
  if (first_value(carrier, kFlags) == kDebugFlag) found.asked = Asked::kDebug;
  return found;
}

bool extract_b3(const CarrierReader& carrier, Context& context, std::string_view name) {
  std::optional<B3> found;
  if (const auto single = first_value(carrier, kSingleFields[0])) found = parse_single(*single);
  if (!found) found = read_multi(carrier);
  if (!found->span) {
    if (found->asked != Asked::kUndecided) context.hint(found->asked);
    return false;
  }
  const bool sampled = found->asked == Asked::kKeep || found->asked == Asked::kDebug;
  found->span->flags = sampled ? kSampledFlag : 0;
  context.adopt(*std::move(found->span), name);
  const bool decided = found->asked == Asked::kKeep || found->asked == Asked::kDrop;
  context.asked = decided ? Asked::kNothing : found->asked;
  return true;
}

bool is_debug(const Context& context) {
  return context.asked == Asked::kDebug && context.span.sampled();
}

class B3Propagator final : public Propagator {
 public:
  std::string_view name() const override { return "b3"; }
  bool extract(const CarrierReader& carrier, Context& context) const override {
    return extract_b3(carrier, context, name());
  }
  void inject(const Context& context, Parts parts, CarrierWriter& carrier) const override {
    if (!parts.traceparent) return carrier.remove(kSingleFields[0]);
    if (!context.span.valid()) return;
    std::string value;
    value.reserve(51);
    append_id(value, context.span.trace_id);
    value.push_back('-');
    append_hex_word(value, context.span.span_id.value);
    value.append(is_debug(context) ? "-d" : context.span.sampled() ? "-1" : "-0");
    carrier.set(kSingleFields[0], value);
  }
  std::span<const std::string_view> fields() const override { return kSingleFields; }
};

class B3MultiPropagator final : public Propagator {
 public:
  std::string_view name() const override { return "b3multi"; }
  bool extract(const CarrierReader& carrier, Context& context) const override {
    return extract_b3(carrier, context, name());
  }
  void inject(const Context& context, Parts parts, CarrierWriter& carrier) const override {
    if (!parts.traceparent) {
      for (const std::string_view field : kMultiFields) carrier.remove(field);
      return;
    }
    if (!context.span.valid()) return;
    const bool debug = is_debug(context);
    std::string id;
    append_id(id, context.span.trace_id);
    carrier.set(kTraceId, id);
    id.clear();
    append_hex_word(id, context.span.span_id.value);
    carrier.set(kSpanId, id);
    // What the agent's parent was is nobody's business behind us.
    carrier.remove(kParentSpanId);
    // Debug implies sampled: a sender says one of the two.
    if (debug) {
      carrier.remove(kSampled);
      carrier.set(kFlags, kDebugFlag);
    } else {
      carrier.set(kSampled, context.span.sampled() ? "1" : "0");
      carrier.remove(kFlags);
    }
  }
  std::span<const std::string_view> fields() const override { return kMultiFields; }
};

}  // namespace

std::unique_ptr<const Propagator> make_b3() {
  return std::make_unique<B3Propagator>();
}
std::unique_ptr<const Propagator> make_b3_multi() {
  return std::make_unique<B3MultiPropagator>();
}

}  // namespace sidespan::trace
