#include "sidespan/lineage/resolver.h"

namespace sidespan::lineage {

std::string_view name_of(Source source) {
  switch (source) {
    case Source::kWire:
      return "wire";
    case Source::kListener:
      return "listener";
    case Source::kCredential:
      return "credential";
    case Source::kEnvironment:
      return "environment";
    case Source::kMcpMeta:
      return "mcp_meta";
    case Source::kId:
      return "id";
    case Source::kEcho:
      return "echo";
    case Source::kIngress:
      return "ingress";
    case Source::kRoot:
      return "root";
  }
  return "root";
}

Parent resolve(const Evidence& evidence, uint32_t sources) {
  const auto holds = [&](Source source, const trace::SpanContext* context) {
    return (sources & bit_of(source)) != 0 && context != nullptr && context->valid();
  };
  // A run's listener says which execution a call belongs to even where the wire names a closer
  // parent: the agent's own span inside that run.
  const auto counts = [&](Source source, const Execution* execution) {
    return (sources & bit_of(source)) != 0 ? execution : nullptr;
  };
  const Execution* const run = counts(Source::kListener, evidence.listener);
  const Execution* const named = counts(Source::kCredential, evidence.credential);
  const Execution* const outer = run != nullptr ? run : named;
  const Execution* served = counts(Source::kIngress, evidence.ingress);
  if (served != nullptr && !served->context.valid()) served = nullptr;
  // So does a request on the ingress, if that parent is in its trace; another trace is another's.
  const auto around = [&](const trace::SpanContext& parent) {
    const bool within = served != nullptr && served->context.trace_id == parent.trace_id;
    return outer == nullptr && within ? served : outer;
  };
  if (holds(Source::kMcpMeta, evidence.mcp_meta)) {
    return {evidence.mcp_meta, Source::kMcpMeta, around(*evidence.mcp_meta)};
  }
  if (holds(Source::kWire, evidence.wire)) {
    return {evidence.wire, Source::kWire, around(*evidence.wire)};
  }
  if (run != nullptr && run->context.valid()) return {&run->context, Source::kListener, outer};
  if (named != nullptr && named->context.valid()) {
    return {&named->context, Source::kCredential, named};
  }
  if (served != nullptr) {
    return {&served->context, Source::kIngress, outer != nullptr ? outer : served};
  }
  if (holds(Source::kEnvironment, evidence.environment)) {
    return {evidence.environment, Source::kEnvironment, outer};
  }
  return {nullptr, Source::kRoot, outer};
}

}  // namespace sidespan::lineage
