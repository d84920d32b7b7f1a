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
  const bool listener_counts = (sources & bit_of(Source::kListener)) != 0;
  const Execution* run = listener_counts ? evidence.listener : nullptr;
  if (holds(Source::kMcpMeta, evidence.mcp_meta)) {
    return {evidence.mcp_meta, Source::kMcpMeta, run};
  }
  if (holds(Source::kWire, evidence.wire)) return {evidence.wire, Source::kWire, run};
  if (run != nullptr && run->context.valid()) return {&run->context, Source::kListener, run};
  if (holds(Source::kEnvironment, evidence.environment)) {
    return {evidence.environment, Source::kEnvironment, run};
  }
  return {nullptr, Source::kRoot, run};
}

}  // namespace sidespan::lineage
