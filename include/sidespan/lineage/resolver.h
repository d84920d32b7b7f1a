// Who is the parent of a call, and what says so. Evidence is offered from strongest to weakest; the
// first that holds decides. A wrong parent is worse than none: without evidence the call is a root.
// Pure values; who uses it: proxy::Exchange, once a call.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "sidespan/trace/baggage.h"
#include "sidespan/trace/context.h"

namespace sidespan::lineage {

// The weakest evidence that the actual parent rests on; the values of `sidespan.parent.source`.
enum class Source : uint8_t {
  kWire,
  kListener,
  kCredential,
  kEnvironment,
  kMcpMeta,
  kId,
  kEcho,
  kIngress,
  kRoot
};
std::string_view name_of(Source source);
inline constexpr size_t kSourceCount = 9;
// Its bit in the `sources` of resolve().
constexpr uint32_t bit_of(Source source) {
  return 1U << static_cast<uint32_t>(source);
}

// One piece of agent work that calls belong to: a run, what a user of the proxy's URL names, a
// request on the ingress.
struct Execution {
  std::string id;               // `sidespan.execution.id`
  Source fixed_by;              // `sidespan.execution.source`
  trace::SpanContext context;   // its span: the parent of what belongs to it; invalid: it has none
  trace::Baggage baggage = {};  // what it was asked with
};

// What is known about one call. Pointers may be null: no such evidence.
struct Evidence {
  const trace::SpanContext* mcp_meta = nullptr;     // `params._meta` of an MCP message
  const trace::SpanContext* wire = nullptr;         // trace headers of the request
  const Execution* listener = nullptr;              // the private listener of a run
  const Execution* credential = nullptr;            // the user of the proxy's URL
  const Execution* ingress = nullptr;               // the only request there (ingress_watch.h)
  const trace::SpanContext* environment = nullptr;  // the sidecar's own TRACEPARENT

  bool operator==(const Evidence&) const = default;
};

struct Parent {
  const trace::SpanContext* context = nullptr;  // null: a root; else one of the evidence's
  Source source = Source::kRoot;
  const Execution* execution = nullptr;  // known even where `context` is not its span
};

// `sources` switches evidence off (context.sources): bit_of(source) set means it may be used.
// Evidence that is off or not valid counts as absent.
Parent resolve(const Evidence& evidence, uint32_t sources);

}  // namespace sidespan::lineage
