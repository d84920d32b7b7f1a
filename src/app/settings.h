// What the user decided, as typed and final values: nothing here is missing, invalid or in
// conflict. config.h makes it from file, environment and flags by the table in setting_table.h;
// options.h turns it into the Options of each room below. Commands take it by const reference and
// never look at the environment for a setting themselves. Plain values; copying is fine.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "sidespan/base/clock.h"
#include "sidespan/base/log.h"
#include "sidespan/http/uri.h"
#include "sidespan/lineage/registry.h"
#include "sidespan/net/address.h"
#include "sidespan/proxy/destination.h"
#include "sidespan/proxy/options.h"
#include "sidespan/report/pipeline.h"
#include "sidespan/serve/endpoint.h"
#include "sidespan/trace/attributes.h"
#include "sidespan/wire/dialer.h"
#include "sidespan/wire/pool.h"

namespace sidespan::app {

using Pairs = std::vector<std::pair<std::string, std::string>>;

struct ServiceSettings {
  std::string name;  // never empty; `run` defaults to the command's name
  Pairs resource;    // further resource attributes, `service.name` not among them
};

// Where one listener binds. No address: it is off. `localhost` and an empty host give two, IPv4
// first, with the same port (0: each takes a free one, the second should try the first's); it is
// enough that one of them can be bound, since a machine may lack the other family.
struct ListenAddress {
  std::string written;  // as configured: "localhost:17001", "off"
  std::vector<net::Address> addresses;

  explicit operator bool() const { return !addresses.empty(); }
};

// Under `run`, egress and admin are "127.0.0.1:0", ingress and health are off, whatever the file
// says.
struct ListenSettings {
  ListenAddress egress;
  ListenAddress ingress;
  ListenAddress admin;
  ListenAddress health;
};

// Which requests on the ingress are nobody's work.
struct IgnoredRequests {
  std::vector<std::string> paths;  // wildcards
  bool probes = false;
};

struct IngressSettings {
  std::optional<net::HostPort> forward_to;  // the agent's own server; set where listen.ingress is
  IgnoredRequests ignore;
};

struct EgressSettings {
  std::vector<proxy::HostPattern> deny;
  std::vector<net::Network> allow_from;  // empty: any (loopback binds only)
  bool credentials_required = false;
  std::optional<http::Url> via;         // a second proxy, http; may hold a secret
  std::vector<std::string> via_except;  // as NO_PROXY
};

// A certificate of the agent's, for the origins that want one.
struct ClientCertificateFiles {
  std::vector<proxy::HostPattern> match;
  std::string certificate;
  std::string key;
};

struct TlsSettings {
  proxy::Interception interception;          // without its authority
  std::vector<std::string> intercept_hosts;  // interception.hosts as they are written
  std::string authority_certificate;  // files, both or none; empty: our own in the state directory
  std::string authority_key;
  std::string export_dir;          // for agents; empty: in the state directory
  std::vector<std::string> trust;  // files of roots beside the system's
  std::vector<ClientCertificateFiles> client_certificates;
};

// A format of the user's own, as trace::make_custom_propagator takes it.
struct CustomFormat {
  std::string name;
  std::string header;
  std::string value;
};

struct PropagationSettings {
  std::vector<std::string> extract;  // names of trace::PropagatorRegistry or `custom`; or {"none"}
  std::vector<std::string> inject;
  std::vector<CustomFormat> custom;
  proxy::OtherFormats::Policy others{};
  std::vector<proxy::DestinationRule> destinations;
  std::vector<std::string> baggage_allow;  // wildcards over keys
  Pairs baggage_add;
  std::vector<std::string> baggage_to_attributes;  // wildcards over keys
};

// One of `sampling.head.rules`.
struct SamplerRule {
  proxy::SamplingMatch match;
  std::string sampler;
  double ratio = 1.0;
};

struct SamplingSettings {
  std::string sampler;    // one of trace::make_sampler's names
  double ratio = 1.0;     // 0 to 1
  double per_second = 0;  // new traces of this process; 0: any number
  std::vector<SamplerRule> rules;
  std::optional<report::TailOptions> tail;  // without its limits
};

struct SpanSettings {
  std::vector<std::string> ignore;  // path wildcards; `otlp` is already spelt out
  std::vector<std::string> url_templates;
  std::map<std::string, std::string> peers;      // host, lower case -> service.peer.name
  std::map<std::string, std::string> providers;  // host, lower case -> gen_ai.provider.name
  std::vector<std::string> known_methods;        // empty: semconv's own
  semconv::RpcStatus rpc_status{};
};

struct CaptureSettings {
  std::vector<std::string> request_headers;  // lower case, none of them secret
  std::vector<std::string> response_headers;
  semconv::genai::Capture content = semconv::genai::Capture::kOff;
  size_t max_bytes = 0;             // of each text of content
  std::vector<std::string> redact;  // query parameters beside the built-in ones
};

struct ExportSettings {
  report::OtlpProtocol protocol = report::OtlpProtocol::kHttp;
  std::optional<http::Url> endpoint;  // path final, no userinfo; nothing: no exporter
  bool decided = false;  // somebody named an endpoint or `off`, whether it counts or not
  Pairs headers;         // may hold secrets: never log a value
  bool gzip = true;
  Milliseconds timeout{};  // of one attempt
  size_t batch_spans = 0;  // at most queue_spans
  size_t batch_bytes = 0;
  Milliseconds batch_delay{};
  size_t queue_spans = 0;
  std::optional<size_t> queue_bytes;  // the same spans, encoded; nothing: memory_shares()
  size_t reply_bytes = 0;             // of a collector's reply
  report::RetryOptions retry;
};

// The rooms' own limit values. What two of them share (heads, windows) is written once in the
// configuration and is equal in all.
struct LimitSettings {
  proxy::Limits proxy;
  wire::Pool::Options pool;
  wire::Dialer::Options dialer;    // with the resolver's
  serve::Endpoint::Options serve;  // `hosts` is not a setting and stays empty
  trace::AttributeLimits attributes;
  size_t tls_sessions = 0;
  size_t run_spans = 0;         // spans that `run` keeps in memory for its tree
  Milliseconds run_export{};    // after its command has ended
  Milliseconds stdio_export{};  // after its server has
  size_t tail_traces = 0;       // that wait for a decision
  size_t tail_spans = 0;
  std::optional<size_t> tail_bytes;      // nothing: memory_shares()
  size_t tail_decisions = 0;             // that are remembered
  size_t mcp_calls = 0;                  // without an answer yet; of stdio, on one side
  Milliseconds mcp_call_time{};          // that one waits whose POST is over
  std::optional<size_t> memory_bytes;    // of traffic held at once; nothing: memory_shares()
  std::optional<size_t> lineage_values;  // nothing: memory_shares()
};

enum class LogFormat : uint8_t { kJson, kText };

struct LogSettings {
  LogLevel level = LogLevel::kInfo;
  LogFormat format = LogFormat::kJson;
  bool access = false;  // one line a request
};

struct DrainSettings {
  Milliseconds quiet{};  // at most deadline
  Milliseconds deadline{};
};

struct Settings {
  ServiceSettings service;
  ListenSettings listen;
  IngressSettings ingress;
  std::vector<proxy::Route> routes;
  EgressSettings egress;
  TlsSettings tls;
  PropagationSettings propagation;
  uint32_t context_sources = 0;      // bits 1 << lineage::Source
  lineage::RegistryOptions lineage;  // `ids` and `echo` are bits of the sources
  std::vector<std::string> session_headers;
  proxy::Instrumented agent_is_instrumented = proxy::Instrumented::kAuto;
  SamplingSettings sampling;
  SpanSettings spans;
  CaptureSettings capture;
  std::vector<semconv::genai::Price> prices;
  bool mcp_inject_meta = false;
  bool via = false;     // http.via
  bool tracing = true;  // false: OTEL_SDK_DISABLED
  ExportSettings exporting;
  LimitSettings limits;
  LogSettings log;
  DrainSettings drain;
  size_t workers = 1;

  std::vector<std::string> warnings;  // one sentence each; to be logged once at start
};

}  // namespace sidespan::app
