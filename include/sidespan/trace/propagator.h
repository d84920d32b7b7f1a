// Context in and out of a carrier, by named formats (OpenTelemetry context/api-propagators). The
// proxy, the run command and lineage use a CompositePropagator made from configured names; a
// program that links sidespan::trace may register formats of its own. Formats live in files of
// their own (w3c, b3, jaeger and so on; formats.h says which field is whose). All const functions
// may be called from several threads.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sidespan/trace/baggage.h"
#include "sidespan/trace/carrier.h"
#include "sidespan/trace/context.h"

namespace sidespan::trace {

// What travels from hop to hop.
struct Context {
  SpanContext span;  // not valid: nobody upstream traces
  // The name of the propagator that found `span`; empty when none did.
  std::string_view extracted_by;
  Baggage baggage;

  // What formats other than W3C's may say beside `span`, or without it.
  Asked asked = Asked::kNothing;
  TraceId trace_hint;  // a trace without a parent in it: a root that begins here belongs to it
  // What a format's extract leaves for an inject, by the field it belongs to.
  struct Kept {
    std::string_view field;  // lives as long as the propagator
    std::string text;
  };
  std::vector<Kept> kept;

  // For a propagator's extract(): `found` takes the place of what another format said.
  void adopt(SpanContext found, std::string_view by) {
    if (!kept.empty() && found.trace_id != span.trace_id) kept.clear();
    span = std::move(found);
    extracted_by = by;
    asked = Asked::kNothing;
    trace_hint = {};
  }
  // For one that found less than a span context, which counts only where nobody finds one.
  void hint(Asked what, TraceId trace = {}) {
    if (span.valid()) return;
    asked = what;
    trace_hint = trace;
  }
  // Where the trace ends here and another begins.
  void forget_sender() {
    asked = Asked::kNothing;
    trace_hint = {};
    kept.clear();
  }
  void keep(std::string_view field, std::string_view text);
  std::string_view find_kept(std::string_view field) const;  // empty: nothing
};

// What a destination may see. A format other than W3C's treats its ids as `traceparent`.
struct Parts {
  bool traceparent = true;
  bool tracestate = true;  // never without traceparent
  bool baggage = true;
};

class Propagator {
 public:
  virtual ~Propagator() = default;
  // As configured in OTEL_PROPAGATORS; lives as long as the propagator.
  virtual std::string_view name() const = 0;
  // True when the carrier held this format's span context or baggage; otherwise both are left as
  // they were. A decision or a trace alone is left as a hint.
  virtual bool extract(const CarrierReader& carrier, Context& context) const = 0;
  // Afterwards the carrier holds of this format's fields what `parts` allows and `context` has;
  // those that may not be sent are removed. Without a valid span context the fields that may be
  // sent stay as they are.
  virtual void inject(const Context& context, Parts parts, CarrierWriter& carrier) const = 0;
  // The names inject() may set or remove, in lower case.
  virtual std::span<const std::string_view> fields() const = 0;
  // It is W3C's trace context, with or without its baggage, and no other format: a carrier without
  // `traceparent`, `tracestate` and `baggage` says nothing to it, and a valid span alone becomes a
  // `traceparent` there.
  virtual bool is_w3c() const { return false; }
  // A format may have a member of its own in tracestate: its key, else empty, and its value.
  virtual std::string_view tracestate_key() const { return {}; }
  virtual std::string tracestate_value(const Context& /*context*/) const { return {}; }
};

// Propagators by name. It owns them and must outlive every CompositePropagator made from it.
class PropagatorRegistry {
 public:
  // Knows `tracecontext`, `baggage` and those of kVendorFormats.
  PropagatorRegistry();

  // False, and nothing changes, when the name is empty, `none` or taken.
  bool add(std::unique_ptr<const Propagator> propagator);
  // nullptr when nobody has that name; case is ignored, as in all OTEL_* enumerations.
  const Propagator* find(std::string_view name) const;
  std::vector<std::string_view> names() const;

 private:
  std::vector<std::unique_ptr<const Propagator>> propagators_;
};

// Several formats as one. extract: in the listed order, each success replaces the one before, so
// the last one wins. inject: all of them.
class CompositePropagator final : public Propagator {
 public:
  CompositePropagator() = default;
  // Duplicates count once; `none` anywhere makes it empty; names nobody registered are left out.
  CompositePropagator(const PropagatorRegistry& registry, std::span<const std::string> names);

  // The names that were left out, for the log.
  const std::vector<std::string>& unknown() const { return unknown_; }
  bool has(std::string_view name) const;
  // Nothing is extracted or injected: fields pass untouched.
  bool empty() const { return members_.empty(); }

  std::string_view name() const override { return "composite"; }
  bool extract(const CarrierReader& carrier, Context& context) const override;
  void inject(const Context& context, Parts parts, CarrierWriter& carrier) const override;
  std::span<const std::string_view> fields() const override { return fields_; }
  bool is_w3c() const override { return is_w3c_; }

 private:
  void inject_all(const Context& context, Parts parts, CarrierWriter& carrier) const;

  std::vector<const Propagator*> members_;
  std::vector<const Propagator*> annotators_;  // of them, those with a member in tracestate
  std::vector<std::string_view> fields_;
  std::vector<std::string> unknown_;
  bool is_w3c_ = false;
};

}  // namespace sidespan::trace
