// The W3C's two propagators: `tracecontext` (Trace Context Level 2, sections 3.2 and 3.3) and
// `baggage`. The traceparent functions are also for single values outside a carrier: a credential,
// an MCP `_meta`, an environment variable. The values themselves are context's and baggage's.
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <span>
#include <string_view>

#include "sidespan/trace/propagator.h"

namespace sidespan::trace {

inline constexpr std::string_view kTraceparentField = "traceparent";
inline constexpr std::string_view kTracestateField = "tracestate";
inline constexpr std::string_view kBaggageField = "baggage";
inline constexpr size_t kTraceparentBytes = 55;

// A field value, white space at its ends allowed. Nothing when it breaks the grammar: restart the
// trace then. Of a future version what version 00 knows is read. Flags other than sampled and
// random are dropped; tracestate stays empty. Does not allocate.
std::optional<SpanContext> parse_traceparent(std::string_view value);
// Always version 00, flags masked as above. `context` should be valid. Does not allocate.
std::array<char, kTraceparentBytes> encode_traceparent(const SpanContext& context);

// Registered as `tracecontext`. Two traceparent lines are none; tracestate counts only beside a
// good traceparent, and a bad one never harms that.
class W3cPropagator final : public Propagator {
 public:
  std::string_view name() const override { return "tracecontext"; }
  bool extract(const CarrierReader& carrier, Context& context) const override;
  void inject(const Context& context, Parts parts, CarrierWriter& carrier) const override;
  std::span<const std::string_view> fields() const override;
  bool is_w3c() const override { return true; }
};

// Registered as `baggage`, independent of any trace. What arrived well-formed and was not changed
// goes on as the same lines.
class BaggagePropagator final : public Propagator {
 public:
  std::string_view name() const override { return "baggage"; }
  bool extract(const CarrierReader& carrier, Context& context) const override;
  // A context without baggage removes the field: the context is what travels.
  void inject(const Context& context, Parts parts, CarrierWriter& carrier) const override;
  std::span<const std::string_view> fields() const override;
};

}  // namespace sidespan::trace
