// What the proxy path is told by the settings. Immutable once built, and shared by all workers.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "sidespan/base/clock.h"
#include "sidespan/http/codec.h"
#include "sidespan/lineage/resolver.h"
#include "sidespan/proxy/destination.h"
#include "sidespan/proxy/ingress.h"
#include "sidespan/proxy/interception.h"
#include "sidespan/proxy/sampling_rule.h"
#include "sidespan/semconv/http_span.h"
#include "sidespan/semconv/observer.h"
#include "sidespan/trace/formats.h"
#include "sidespan/trace/propagator.h"
#include "sidespan/trace/sampler.h"
#include "sidespan/wire/second_proxy.h"

namespace sidespan::proxy {

struct Limits {
  http::CodecLimits codec;
  size_t replay_bytes_max = size_t{64} * 1024;  // request bytes kept for a retry
  size_t queue_bytes_max = size_t{64} * 1024;   // towards one socket before the other side pauses
  Milliseconds keep_alive_time_max{60'000};     // an agent connection without a request
  Milliseconds stream_idle_time_max{600'000};   // no byte either way within one exchange
  size_t connections_max = 4096;                // agent connections of this process
  size_t metric_series_max = 1000;              // per histogram; what is beyond counts as overflow
  Milliseconds begin_time_max{600'000};         // from the request's end to the answer's first byte
  Milliseconds half_close_time_max{30'000};     // the same, once the agent has sent FIN
  size_t mcp_message_bytes_max = size_t{1024} * 1024;  // that waits to be written into
  // Of a request's body that may tell whose call it is, before its head goes on; 0: none waits.
  size_t lineage_hold_bytes_max = size_t{256} * 1024;
  Milliseconds lineage_hold_time_max{20};
};

// Whether the agent tells the tokens of its model calls by itself.
enum class Instrumented : uint8_t { kAuto, kYes, kNo };

// What becomes of the agent's context in formats that `inject` does not write.
struct OtherFormats {
  enum class Policy : uint8_t {
    kRemove,   // no header passes that names another span than ours
    kRewrite,  // where the agent wrote a format, the origin gets our span in it
    kKeep,
  };
  Policy policy = Policy::kRemove;
  trace::VendorFormats injected = 0;
  bool injects_w3c = true;
  const trace::PropagatorRegistry* registry = nullptr;  // for kRewrite; lives as long as `inject`
  std::vector<const trace::Propagator*> custom;         // that `inject` does not write; likewise
  // gRPC's binary form of a traceparent, read where `extract` finds none; null: never. Likewise.
  const trace::Propagator* binary = nullptr;
};

struct Options {
  Ingress ingress;
  std::vector<Route> routes;
  std::vector<HostPattern> deny = default_deny();
  std::vector<net::Network> allow_from;  // agents' addresses; empty: any
  bool credentials_required = false;     // egress.credentials
  std::vector<DestinationRule> destinations = default_destinations();
  Interception interception;
  wire::SecondProxy second_proxy;
  ClientCertificateHosts client_certificates;
  std::vector<std::string> ignore_paths;  // spans.ignore, path wildcards: no span, no context

  std::shared_ptr<const trace::Propagator> extract;  // null: headers are not read
  std::shared_ptr<const trace::Propagator> inject;   // null: headers are left as they came
  OtherFormats other_formats;
  std::shared_ptr<const trace::Sampler> sampler;
  std::vector<SamplingRule> sampling_rules;  // before it
  // What all of them ask before they begin a trace; null: nothing.
  std::shared_ptr<const trace::RateLimit> root_limit;
  std::vector<std::string> baggage_allow{"*"};  // keys, wildcards
  std::vector<std::pair<std::string, std::string>> baggage_add;
  std::vector<std::string> baggage_to_attributes;  // keys, wildcards
  bool tracing = true;                             // OTEL_SDK_DISABLED: false

  uint32_t context_sources = ~0U;         // lineage::resolve
  std::optional<lineage::Execution> run;  // the execution of a private listener
  std::optional<trace::SpanContext> environment;
  std::vector<std::string> session_headers;  // context.session_headers, before those that are known

  Instrumented agent_is_instrumented = Instrumented::kAuto;

  semconv::HttpSpanOptions spans;
  semconv::ObserverOptions observers;
  bool mcp_inject_meta = false;
  bool via = false;         // add Via, both ways
  bool access_log = false;  // one log line an exchange
  Limits limits;
};

}  // namespace sidespan::proxy
