#include "sidespan/trace/propagator.h"

#include <algorithm>

#include "sidespan/base/text.h"
#include "sidespan/trace/w3c.h"
#include "trace/vendor.h"

namespace sidespan::trace {
namespace {

constexpr std::string_view kNone = "none";

}  // namespace

void Context::keep(std::string_view field, std::string_view text) {
  const auto known = std::ranges::find(kept, field, &Kept::field);
  if (known != kept.end()) {
    known->text = text;
  } else {
    kept.push_back({field, std::string(text)});
  }
}

std::string_view Context::find_kept(std::string_view field) const {
  const auto known = std::ranges::find(kept, field, &Kept::field);
  return known == kept.end() ? std::string_view() : known->text;
}

PropagatorRegistry::PropagatorRegistry() {
  add(std::make_unique<W3cPropagator>());
  add(std::make_unique<BaggagePropagator>());
  add(make_b3());
  add(make_b3_multi());
  add(make_jaeger());
  add(make_datadog());
  add(make_xray());
  add(make_gcp());
  add(make_ottrace());
  add(make_opencensus());
}

bool PropagatorRegistry::add(std::unique_ptr<const Propagator> propagator) {
  const std::string_view name = propagator->name();
  if (name.empty() || text::equal_ignoring_case(name, kNone) || find(name) != nullptr) return false;
  propagators_.push_back(std::move(propagator));
  return true;
}

const Propagator* PropagatorRegistry::find(std::string_view name) const {
  const auto found = std::ranges::find_if(propagators_, [&](const auto& propagator) {
    return text::equal_ignoring_case(propagator->name(), name);
  });
  return found == propagators_.end() ? nullptr : found->get();
}

std::vector<std::string_view> PropagatorRegistry::names() const {
  std::vector<std::string_view> names;
  names.reserve(propagators_.size());
  for (const auto& propagator : propagators_) names.push_back(propagator->name());
  return names;
}

CompositePropagator::CompositePropagator(const PropagatorRegistry& registry,
                                         std::span<const std::string> names) {
  const bool none = std::ranges::any_of(
      names, [](const std::string& name) { return text::equal_ignoring_case(name, kNone); });
  if (none) return;
  for (const std::string& name : names) {
    const Propagator* propagator = registry.find(name);
    if (propagator == nullptr) {
      if (std::ranges::find(unknown_, name) == unknown_.end()) unknown_.push_back(name);
    } else if (std::ranges::find(members_, propagator) == members_.end()) {
      members_.push_back(propagator);
    }
  }
  for (const Propagator* propagator : members_) {
    if (!propagator->tracestate_key().empty()) annotators_.push_back(propagator);
    for (const std::string_view field : propagator->fields()) {
      if (std::ranges::find(fields_, field) == fields_.end()) fields_.push_back(field);
    }
  }
  const Propagator* const baggage = registry.find("baggage");
  is_w3c_ = std::ranges::any_of(members_, &Propagator::is_w3c) &&
            std::ranges::all_of(members_, [&](const Propagator* propagator) {
              return propagator == baggage || propagator->is_w3c();
            });
}

bool CompositePropagator::extract(const CarrierReader& carrier, Context& context) const {
  bool any = false;
  for (const Propagator* propagator : members_) any |= propagator->extract(carrier, context);
  return any;
}

bool CompositePropagator::has(std::string_view name) const {
  return std::ranges::any_of(members_, [&](const Propagator* propagator) {
    return text::equal_ignoring_case(propagator->name(), name);
  });
}

void CompositePropagator::inject(const Context& context, Parts parts,
                                 CarrierWriter& carrier) const {
  if (annotators_.empty() || !parts.tracestate || !context.span.valid()) {
    inject_all(context, parts, carrier);
    return;
  }
  Context annotated = context;
  for (const Propagator* propagator : annotators_) {
    annotated.span.tracestate.set(propagator->tracestate_key(),
                                  propagator->tracestate_value(context));
  }
  inject_all(annotated, parts, carrier);
}

void CompositePropagator::inject_all(const Context& context, Parts parts,
                                     CarrierWriter& carrier) const {
  for (const Propagator* propagator : members_) propagator->inject(context, parts, carrier);
}

}  // namespace sidespan::trace
