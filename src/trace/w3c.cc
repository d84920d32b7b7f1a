#include "sidespan/trace/w3c.h"

#include "sidespan/base/text.h"
#include "trace/hex.h"

namespace sidespan::trace {
namespace {

constexpr std::array<std::string_view, 2> kTraceFields = {kTraceparentField, kTracestateField};
constexpr std::array<std::string_view, 1> kBaggageFields = {kBaggageField};
constexpr uint8_t kKnownFlags = kSampledFlag | kRandomFlag;

// "00-" trace id "-" parent id "-" flags
constexpr size_t kTraceIdAt = 3;
constexpr size_t kSpanIdAt = 36;
constexpr size_t kFlagsAt = 53;
constexpr uint64_t kForbiddenVersion = 0xff;

// Most requests carry one line or none; only several cost a list.
TraceState extract_tracestate(const CarrierReader& carrier) {
  size_t count = 0;
  std::string_view first;
  std::vector<std::string_view> lines;
  carrier.visit(kTracestateField, [&](std::string_view line) {
    if (++count == 1) {
      first = line;
      return;
    }
    if (count == 2) lines.push_back(first);
    lines.push_back(line);
  });
  if (count == 0) return {};
  return count == 1 ? TraceState::parse(std::span(&first, 1)) : TraceState::parse(lines);
}

}  // namespace

std::optional<SpanContext> parse_traceparent(std::string_view value) {
  value = text::trim(value);
  if (value.size() < kTraceparentBytes) return std::nullopt;
  const auto dash_before = [&](size_t at) { return value[at - 1] == '-'; };
  if (!dash_before(kTraceIdAt) || !dash_before(kSpanIdAt) || !dash_before(kFlagsAt)) {
    return std::nullopt;
  }
  uint64_t version = 0;
  uint64_t flags = 0;
  SpanContext context;
  if (!decode_hex(value, 0, 2, version) ||
      !decode_hex(value, kTraceIdAt, 16, context.trace_id.high) ||
      !decode_hex(value, kTraceIdAt + 16, 16, context.trace_id.low) ||
      !decode_hex(value, kSpanIdAt, 16, context.span_id.value) ||
      !decode_hex(value, kFlagsAt, 2, flags)) {
    return std::nullopt;
  }
  const bool longer = value.size() > kTraceparentBytes;
  if (version == kForbiddenVersion || !context.valid() ||
      (longer && (version == 0 || value[kTraceparentBytes] != '-'))) {
    return std::nullopt;
  }
  context.flags = static_cast<uint8_t>(flags & kKnownFlags);
  return context;
}

std::array<char, kTraceparentBytes> encode_traceparent(const SpanContext& context) {
  std::array<char, kTraceparentBytes> value;
  char* at = value.data();
  at[0] = at[1] = '0';
  at[kTraceIdAt - 1] = at[kSpanIdAt - 1] = at[kFlagsAt - 1] = '-';
  encode_hex(context.trace_id.high, at + kTraceIdAt);
  encode_hex(context.trace_id.low, at + kTraceIdAt + 16);
  encode_hex(context.span_id.value, at + kSpanIdAt);
  encode_hex(static_cast<uint8_t>(context.flags & kKnownFlags), at + kFlagsAt);
  return value;
}

bool W3cPropagator::extract(const CarrierReader& carrier, Context& context) const {
  size_t count = 0;
  std::string_view value;
  carrier.visit(kTraceparentField, [&](std::string_view line) {
    ++count;
    value = line;
  });
  if (count != 1) return false;
  std::optional<SpanContext> parsed = parse_traceparent(value);
  if (!parsed) return false;
  parsed->tracestate = extract_tracestate(carrier);
  context.adopt(*std::move(parsed), name());
  return true;
}

void W3cPropagator::inject(const Context& context, Parts parts, CarrierWriter& carrier) const {
  const SpanContext& span = context.span;
  if (!parts.traceparent) {
    carrier.remove(kTraceparentField);
  } else if (span.valid()) {
    const auto value = encode_traceparent(span);
    carrier.set(kTraceparentField, std::string_view(value.data(), value.size()));
  }
  if (!parts.traceparent || !parts.tracestate) {
    carrier.remove(kTracestateField);
  } else if (span.valid()) {
    if (span.tracestate.empty()) return carrier.remove(kTracestateField);
    const bool whole = span.tracestate.to_string().size() <= TraceState::kPropagatedBytes;
    const std::string cut = whole ? std::string() : span.tracestate.to_header();
    const std::string& list = whole ? span.tracestate.to_string() : cut;
    if (list.empty()) {
      carrier.remove(kTracestateField);
    } else {
      carrier.set(kTracestateField, list);
    }
  }
}

std::span<const std::string_view> W3cPropagator::fields() const {
  return kTraceFields;
}

bool BaggagePropagator::extract(const CarrierReader& carrier, Context& context) const {
  Baggage received;
  carrier.visit(kBaggageField, [&](std::string_view line) { received.add_line(line); });
  if (received.empty()) return false;
  // What other formats said before.
  if (!context.baggage.empty()) received.add_missing(context.baggage.entries());
  context.baggage = std::move(received);
  return true;
}

void BaggagePropagator::inject(const Context& context, Parts parts, CarrierWriter& carrier) const {
  const Baggage& baggage = context.baggage;
  const bool sent = parts.baggage && !baggage.empty();
  if (sent && baggage.passes_as_received()) {
    carrier.set_lines(kBaggageField, baggage.lines());
    return;
  }
  if (!sent) return carrier.remove(kBaggageField);
  const std::string list = baggage.to_header();
  if (list.empty()) {
    carrier.remove(kBaggageField);
  } else {
    carrier.set(kBaggageField, list);
  }
}

std::span<const std::string_view> BaggagePropagator::fields() const {
  return kBaggageFields;
}

}  // namespace sidespan::trace
