#include "sidespan/lineage/resolver.h"

namespace sidespan::lineage {

std::string_view name_of(Source source) {
  switch (source) {
    case Source::kWire:
      return "wire";
    case Source::kListener:
      return "listener";
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
  const auto counts = [&](Source source) { return (sources & bit_of(source)) != 0; };
  const auto holds = [&](Source source, const trace::SpanContext* context) {
    return counts(source) && context != nullptr && context->valid();
  };
  // A run's listener says which execution a call belongs to even where the wire names a closer
  // parent: the agent's own span inside that run.
  const Execution* const run = counts(Source::kListener) ? evidence.listener : nullptr;
  const Execution* const served =
      evidence.ingress != nullptr && holds(Source::kIngress, &evidence.ingress->context)
          ? evidence.ingress
          : nullptr;
  // So does a request on the ingress, if that parent is in its trace; another trace is another's.
  const auto around = [&](const trace::SpanContext& named) {
    const bool within = served != nullptr && served->context.trace_id == named.trace_id;
    return run == nullptr && within ? served : run;
  };
  if (holds(Source::kMcpMeta, evidence.mcp_meta)) {
    return {evidence.mcp_meta, Source::kMcpMeta, around(*evidence.mcp_meta)};
  }
  if (holds(Source::kWire, evidence.wire)) {
    return {evidence.wire, Source::kWire, around(*evidence.wire)};
  }
  if (run != nullptr && run->context.valid()) return {&run->context, Source::kListener, run};
  if (served != nullptr) return {&served->context, Source::kIngress, run ? run : served};
  if (holds(Source::kEnvironment, evidence.environment)) {
    return {evidence.environment, Source::kEnvironment, run};
  }
  return {nullptr, Source::kRoot, run};
}

}  // namespace sidespan::lineage
