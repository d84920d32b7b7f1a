// OT trace, the headers of OpenTracing's basic tracers (OpenTelemetry context/api-propagators):
// `ot-tracer-traceid`, `-spanid`, `-sampled`, and baggage as a header a key, `ot-baggage-KEY`.
#include <array>
#include <string>
#include <utility>
#include <vector>

#include "trace/vendor.h"

namespace sidespan::trace {
namespace {

constexpr std::array<std::string_view, 3> kFields = {"ot-tracer-traceid", "ot-tracer-spanid",
                                                     "ot-tracer-sampled"};
constexpr std::string_view kTraceId = kFields[0];
constexpr std::string_view kSpanId = kFields[1];
constexpr std::string_view kSampled = kFields[2];
constexpr std::string_view kBaggagePrefix = "ot-baggage-";

std::optional<bool> parse_sampled(std::string_view text) {
  if (text == "1" || text::equal_ignoring_case(text, "true")) return true;
  if (text == "0" || text::equal_ignoring_case(text, "false")) return false;
  return std::nullopt;
}

class OtTracePropagator final : public Propagator {
 public:
  std::string_view name() const override { return "ottrace"; }

  bool extract(const CarrierReader& carrier, Context& context) const override {
    const std::string_view trace_text = first_value(carrier, kTraceId).value_or("");
    const std::string_view span_text = first_value(carrier, kSpanId).value_or("");
    if (trace_text.size() > 32) return false;
    const std::optional<TraceId> trace = parse_trace_id(trace_text, true);
    const std::optional<SpanId> span = parse_span_id(span_text, true);
    if (!trace || !span) return false;
    const std::optional<bool> sampled = parse_sampled(first_value(carrier, kSampled).value_or(""));
    context.adopt({*trace, *span, sampled.value_or(false) ? kSampledFlag : uint8_t{0}, {}}, name());
    if (!sampled) context.asked = Asked::kUndecided;
    std::vector<Baggage::Entry> entries;
    carrier.visit_prefix(kBaggagePrefix, [&](std::string_view name, std::string_view value) {
      const std::string_view key = name.substr(kBaggagePrefix.size());
      if (!text::is_token(key) || entries.size() == Baggage::kMembersMax) return;
      entries.push_back({text::lower(key), std::string(text::trim(value)), {}});
    });
    context.baggage.add_missing(std::move(entries));
    return true;
  }

  void inject(const Context& context, Parts parts, CarrierWriter& carrier) const override {
    const bool valid = context.span.valid();
    // A trace whose lower half is zero is none here.
    if (!parts.traceparent || (valid && context.span.trace_id.low == 0)) {
      for (const std::string_view field : kFields) carrier.remove(field);
    } else if (valid) {
      std::string id;
      append_hex_word(id, context.span.trace_id.low);
      carrier.set(kTraceId, id);
      id.clear();
      append_hex_word(id, context.span.span_id.value);
      carrier.set(kSpanId, id);
      carrier.set(kSampled, context.span.sampled() ? "true" : "false");
    }
    if (!parts.baggage || valid) carrier.remove_prefix(kBaggagePrefix);
    if (!parts.baggage || !parts.traceparent || !valid || context.baggage.empty()) return;
    std::string field;
    for (const Baggage::Entry& entry : context.baggage.entries()) {
      // It has no way to write what is not plain text.
      if (!is_printable(entry.value)) continue;
      field.assign(kBaggagePrefix).append(entry.key);
      carrier.set(field, entry.value);
    }
  }

  std::span<const std::string_view> fields() const override { return kFields; }
};

}  // namespace

std::unique_ptr<const Propagator> make_ottrace() {
  return std::make_unique<OtTracePropagator>();
}

}  // namespace sidespan::trace
