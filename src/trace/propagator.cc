#include "sidespan/trace/propagator.h"

#include <algorithm>

#include "sidespan/base/text.h"
#include "sidespan/trace/w3c.h"

namespace sidespan::trace {
namespace {

constexpr std::string_view kNone = "none";

}  // namespace

PropagatorRegistry::PropagatorRegistry() {
  add(std::make_unique<W3cPropagator>());
  add(std::make_unique<BaggagePropagator>());
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
    for (const std::string_view field : propagator->fields()) {
      if (std::ranges::find(fields_, field) == fields_.end()) fields_.push_back(field);
    }
  }
}

bool CompositePropagator::extract(const CarrierReader& carrier, Context& context) const {
  bool any = false;
  for (const Propagator* propagator : members_) any |= propagator->extract(carrier, context);
  return any;
}

void CompositePropagator::inject(const Context& context, Parts parts,
                                 CarrierWriter& carrier) const {
  for (const Propagator* propagator : members_) propagator->inject(context, parts, carrier);
}

}  // namespace sidespan::trace
