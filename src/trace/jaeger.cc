// Jaeger's own format (jaegertracing client libraries, "propagation format"): `uber-trace-id:
// trace:span:parent:flags`, ids of any length in hex, baggage as a header a key, `uberctx-KEY`.
#include <array>
#include <string>
#include <utility>
#include <vector>

#include "trace/split.h"
#include "trace/vendor.h"

namespace sidespan::trace {
namespace {

constexpr std::string_view kTraceField = "uber-trace-id";
constexpr std::string_view kDebugIdField = "jaeger-debug-id";
constexpr std::string_view kBaggageField = "jaeger-baggage";
constexpr std::string_view kBaggagePrefix = "uberctx-";
constexpr std::array<std::string_view, 3> kFields = {kTraceField, kDebugIdField, kBaggageField};

constexpr uint64_t kJaegerSampled = 1;
constexpr uint64_t kJaegerDebug = 2;

struct Jaeger {
  SpanContext span;
  bool debug = false;
};

std::optional<Jaeger> parse(std::string_view value) {
  // Clients encode the colons.
  const std::string decoded = value.contains('%') ? text::percent_decode(value) : std::string();
  if (!decoded.empty()) value = decoded;
  std::array<std::string_view, 4> parts;
  size_t count = 0;
  std::string_view part;
  for (Split split(value, ':'); split.next(part);) {
    if (count == parts.size()) return std::nullopt;
    parts[count++] = part;
  }
  if (count != parts.size() || parts[0].size() > 32 || parts[3].size() > 2) return std::nullopt;
  const std::optional<TraceId> trace = parse_trace_id(parts[0], true);
  const std::optional<SpanId> span = parse_span_id(parts[1], true);
  const std::optional<uint64_t> flags = text::parse_hex(parts[3], true);
  if (!trace || !span || !flags) return std::nullopt;
  const bool debug = (*flags & kJaegerDebug) != 0;
  const bool sampled = debug || (*flags & kJaegerSampled) != 0;
  return Jaeger{{*trace, *span, sampled ? kSampledFlag : uint8_t{0}, {}}, debug};
}

// What both kinds of Jaeger's headers hold.
std::vector<Baggage::Entry> read_baggage(const CarrierReader& carrier) {
  std::vector<Baggage::Entry> entries;
  const auto add = [&](std::string_view key, std::string_view value) {
    if (!text::is_token(key) || entries.size() == Baggage::kMembersMax) return;
    entries.push_back({text::lower(key), text::percent_decode(value), {}});
  };
  carrier.visit_prefix(kBaggagePrefix, [&](std::string_view name, std::string_view value) {
    add(name.substr(kBaggagePrefix.size()), text::trim(value));
  });
  carrier.visit(kBaggageField, [&](std::string_view line) {
    std::string_view part;
    for (Split parts(line, ','); parts.next(part);) {
      const size_t equals = part.find('=');
      if (equals == std::string_view::npos) continue;
      add(text::trim(part.substr(0, equals)), text::trim(part.substr(equals + 1)));
    }
  });
  return entries;
}

class JaegerPropagator final : public Propagator {
 public:
  std::string_view name() const override { return "jaeger"; }

  bool extract(const CarrierReader& carrier, Context& context) const override {
    std::vector<Baggage::Entry> baggage = read_baggage(carrier);
    const bool any = !baggage.empty();
    context.baggage.add_missing(std::move(baggage));
    std::optional<Jaeger> found;
    if (const auto value = first_value(carrier, kTraceField)) found = parse(*value);
    if (found) {
      context.adopt(std::move(found->span), name());
      if (found->debug) context.asked = Asked::kDebug;
      return true;
    }
    const auto debug_id = first_value(carrier, kDebugIdField);
    if (debug_id && !debug_id->empty() && !context.span.valid()) {
      context.hint(Asked::kDebug);
      context.keep(kDebugIdField, *debug_id);
    }
    return any;
  }

  void inject(const Context& context, Parts parts, CarrierWriter& carrier) const override {
    inject_baggage(context, parts, carrier);
    if (!parts.traceparent || context.span.valid()) carrier.remove(kDebugIdField);
    if (!parts.traceparent) return carrier.remove(kTraceField);
    if (!context.span.valid()) return;
    const bool debug = context.asked == Asked::kDebug;
    std::string value;
    value.reserve(53);
    append_id(value, context.span.trace_id);
    value.push_back(':');
    append_hex_word(value, context.span.span_id.value);
    value.append(!context.span.sampled() ? ":0:0" : debug ? ":0:3" : ":0:1");
    carrier.set(kTraceField, value);
  }

  std::span<const std::string_view> fields() const override { return kFields; }

 private:
  static void inject_baggage(const Context& context, Parts parts, CarrierWriter& carrier) {
    carrier.remove(kBaggageField);
    carrier.remove_prefix(kBaggagePrefix);
    if (!parts.baggage || context.baggage.empty()) return;
    std::string field;
    for (Baggage::Entry entry : context.baggage.entries()) {
      field.assign(kBaggagePrefix).append(entry.key);
      entry.properties.clear();  // Jaeger has none
      const std::string pair = Baggage::encode({&entry, 1});
      carrier.set(field, std::string_view(pair).substr(entry.key.size() + 1));
    }
  }
};

}  // namespace

std::unique_ptr<const Propagator> make_jaeger() {
  return std::make_unique<JaegerPropagator>();
}

}  // namespace sidespan::trace
