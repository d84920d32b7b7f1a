// A message producer and its consumer, in one program: trace context travels in record headers, a
// carrier of this program's own, in W3C's format and in one that this program registers. Prints
// each mismatch; the exit status is non-zero when there was one.
#include <cstddef>
#include <cstdio>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sidespan/base/random.h"
#include "sidespan/trace/custom.h"
#include "sidespan/trace/formats.h"
#include "sidespan/trace/propagator.h"
#include "sidespan/trace/sampler.h"

namespace trace = sidespan::trace;

namespace {

// Kafka's shape: ordered, names may repeat, values are bytes.
struct Record {
  std::vector<std::pair<std::string, std::vector<std::byte>>> headers;
};

std::string_view as_text(const std::vector<std::byte>& bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

class RecordCarrier final : public trace::CarrierReader, public trace::CarrierWriter {
 public:
  explicit RecordCarrier(Record& record) : record_(record) {}

  void visit(std::string_view name, OnValue on_value) const override {
    for (const auto& [key, value] : record_.headers) {
      if (sidespan::text::equal_ignoring_case(key, name)) on_value(as_text(value));
    }
  }
  void visit_prefix(std::string_view prefix, OnPair on_pair) const override {
    for (const auto& [key, value] : record_.headers) {
      if (trace::starts_with_ignoring_case(key, prefix)) on_pair(key, as_text(value));
    }
  }
  void set(std::string_view name, std::string_view value) override {
    const auto* bytes = reinterpret_cast<const std::byte*>(value.data());
    std::vector<std::byte> copy(bytes, bytes + value.size());
    remove(name);
    record_.headers.emplace_back(name, std::move(copy));
  }
  void remove(std::string_view name) override {
    std::erase_if(record_.headers, [&](const auto& header) {
      return sidespan::text::equal_ignoring_case(header.first, name);
    });
  }
  void remove_prefix(std::string_view prefix) override {
    std::erase_if(record_.headers, [&](const auto& header) {
      return trace::starts_with_ignoring_case(header.first, prefix);
    });
  }

 private:
  Record& record_;
};

// `acme-trace: <trace id>/<span id>`; who sends it wants it sampled.
class AcmePropagator final : public trace::Propagator {
 public:
  std::string_view name() const override { return "acme"; }

  bool extract(const trace::CarrierReader& carrier, trace::Context& context) const override {
    trace::SpanContext found;
    carrier.visit(kField, [&](std::string_view value) {
      const size_t slash = value.find('/');
      if (slash == std::string_view::npos) return;
      found.trace_id = trace::TraceId::parse(value.substr(0, slash)).value_or(trace::TraceId{});
      found.span_id = trace::SpanId::parse(value.substr(slash + 1)).value_or(trace::SpanId{});
    });
    if (!found.valid()) return false;
    found.flags = trace::kSampledFlag;
    context.span = found;
    context.extracted_by = name();
    return true;
  }

  void inject(const trace::Context& context, trace::Parts parts,
              trace::CarrierWriter& carrier) const override {
    if (!parts.traceparent) {
      carrier.remove(kField);
    } else if (context.span.valid()) {
      carrier.set(kField,
                  context.span.trace_id.to_string() + "/" + context.span.span_id.to_string());
    }
  }

  std::span<const std::string_view> fields() const override { return {&kField, 1}; }

 private:
  static constexpr std::string_view kField = "acme-trace";
};

int g_mismatches = 0;

void expect(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "mismatch: %s\n", what);
  ++g_mismatches;
}

std::string header(const Record& record, std::string_view name) {
  std::string joined;
  for (const auto& [key, value] : record.headers) {
    if (key == name) joined += as_text(value);
  }
  return joined;
}

trace::Context extract(const trace::Propagator& propagator, Record& record) {
  trace::Context context;
  propagator.extract(RecordCarrier(record), context);
  return context;
}

// A record from producer to consumer, and on from there.
void send_and_receive(const trace::Propagator& propagator, const trace::Sampler& sampler) {
  sidespan::Random random = sidespan::Random::from_system();
  trace::Context sent;
  sent.span = trace::start_span_context(nullptr, sampler, random).context;
  expect(sent.span.tracestate.set("acme", "order:1"), "a tracestate member is set");
  expect(sent.baggage.set("customer", "Am\xc3\xa9lie"), "a baggage member is set");
  Record record;
  record.headers = {{"content-type", {std::byte{'x'}}}, {"TraceParent", {std::byte{'?'}}}};
  RecordCarrier carrier(record);
  propagator.inject(sent, trace::Parts{}, carrier);
  expect(header(record, "content-type") == "x", "foreign headers stay");
  expect(header(record, "TraceParent").empty(), "a stale traceparent is replaced");
  expect(header(record, "traceparent").size() == 55, "traceparent is there once");
  expect(header(record, "tracestate") == "acme=order:1", "tracestate is there");
  expect(header(record, "baggage") == "customer=Am%C3%A9lie", "baggage is there");

  const trace::Context received = extract(propagator, record);
  expect(received.span.trace_id == sent.span.trace_id, "the trace id arrives");
  expect(received.span.span_id == sent.span.span_id, "the span id arrives");
  expect(received.span.sampled() && received.span.random(), "the flags arrive");
  expect(received.span.tracestate == sent.span.tracestate, "tracestate arrives");
  expect(received.baggage.get("customer") == "Am\xc3\xa9lie", "baggage arrives");

  const auto next = trace::start_span_context(&received.span, sampler, random);
  expect(next.sampled, "the sender's decision holds");
  expect(next.context.trace_id == sent.span.trace_id, "the trace goes on");
  expect(next.context.span_id != sent.span.span_id, "with a span of its own");

  propagator.inject(received, {.traceparent = false, .tracestate = false, .baggage = false},
                    carrier);
  expect(record.headers.size() == 1, "all of it can be taken out again");
}

void own_format(const trace::PropagatorRegistry& registry) {
  const trace::CompositePropagator both(registry,
                                        std::vector<std::string>{"tracecontext", "acme", "nobody"});
  expect(both.unknown() == std::vector<std::string>{"nobody"}, "unknown names are reported");
  trace::Context context;
  context.span = {{1, 2}, {3}, trace::kSampledFlag, {}};
  Record record;
  RecordCarrier carrier(record);
  both.inject(context, trace::Parts{}, carrier);
  expect(header(record, "acme-trace") == "00000000000000010000000000000002/0000000000000003",
         "the own format is written");
  expect(extract(both, record).extracted_by == "acme", "the last format listed wins");
  carrier.set("acme-trace", "nonsense");
  expect(extract(both, record).extracted_by == "tracecontext", "unless it cannot be read");
}

void vendors_format(const trace::PropagatorRegistry& registry) {
  for (const std::string_view name : trace::kVendorFormats) {
    const trace::Propagator* const format = registry.find(name);
    expect(format != nullptr, "each vendor's format is there");
    if (format == nullptr) continue;
    trace::Context context;
    context.span = {{0, 2}, {3}, trace::kSampledFlag, {}};
    Record record;
    RecordCarrier carrier(record);
    format->inject(context, trace::Parts{}, carrier);
    const trace::Context received = extract(*format, record);
    expect(received.extracted_by == name, "it reads what it writes");
    expect(received.span.trace_id == context.span.trace_id, "with the same trace");
  }
  const auto described = trace::make_custom_propagator("mine", "x-mine", "{trace_id}/{span_id}");
  expect(described.has_value(), "a format is made of its description");
}

}  // namespace

int main() {
  trace::PropagatorRegistry registry;
  expect(registry.add(std::make_unique<AcmePropagator>()), "a propagator is registered");
  expect(!registry.add(std::make_unique<AcmePropagator>()), "but not twice");
  const trace::CompositePropagator w3c(registry,
                                       std::vector<std::string>{"tracecontext", "baggage"});
  const auto sampler = trace::make_sampler("parentbased_always_on");
  expect(sampler.has_value(), "a sampler is made");
  if (sampler) send_and_receive(w3c, **sampler);
  own_format(registry);
  vendors_format(registry);
  if (g_mismatches == 0) std::puts("sidespan::trace propagates over a carrier of our own");
  return g_mismatches == 0 ? 0 : 1;
}
