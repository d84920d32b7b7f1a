#include "sidespan/semconv/http_span.h"

#include <algorithm>
#include <array>
#include <utility>

#include "semconv/http_server.h"
#include "semconv/url_template.h"
#include "sidespan/base/text.h"
#include "sidespan/http/grpc.h"
#include "sidespan/semconv/attributes.h"
#include "sidespan/semconv/redact.h"

namespace sidespan::semconv {
namespace {

using trace::Attributes;

constexpr std::string_view kOtherMethod = "_OTHER";
constexpr std::string_view kOtherMethodName = "HTTP";
constexpr std::string_view kConnect = "CONNECT";
constexpr int kFirstErrorStatus = 400;

// RFC 9110, PATCH (RFC 5789) and QUERY.
constexpr std::array<std::string_view, 10> kKnownMethods = {
    "GET", "POST", "PUT", "DELETE", "HEAD", "PATCH", "OPTIONS", "CONNECT", "TRACE", "QUERY"};

bool is_known(std::string_view method, const std::vector<std::string>& configured) {
  return configured.empty() ? std::ranges::find(kKnownMethods, method) != kKnownMethods.end()
                            : std::ranges::find(configured, method) != configured.end();
}

int64_t count(uint64_t n) {
  return static_cast<int64_t>(n);
}

double seconds(Nanoseconds duration) {
  return to_seconds(std::max(duration, Nanoseconds::zero()));
}

// The service behind `host`: an exact name first, else the longest pattern that matches.
std::string_view peer_name(const std::map<std::string, std::string>& peers,
                           const std::string& host) {
  if (peers.empty()) return {};
  if (const auto exact = peers.find(host); exact != peers.end()) return exact->second;
  const std::pair<const std::string, std::string>* best = nullptr;
  for (const auto& peer : peers) {
    if (best != nullptr && peer.first.size() <= best->first.size()) continue;
    if (text::matches_wildcard(peer.first, host)) best = &peer;
  }
  return best == nullptr ? std::string_view() : std::string_view(best->second);
}

// Method and span name; the name gets its template later, from set_target().
void set_method(trace::Span& span, std::string_view method, const HttpSpanOptions& options) {
  const bool known = is_known(method, options.known_methods);
  span.name = known ? method : kOtherMethodName;
  span.attributes.add(attribute::kHttpRequestMethod, known ? method : kOtherMethod);
  if (!known) span.attributes.add(attribute::kHttpRequestMethodOriginal, method);
}

// url.full. Nearly always there is nothing in it to hide.
void add_url(Attributes& attributes, const HttpFacts& facts, const KnownTarget& target,
             std::span<const std::string> redact_query) {
  const http::Url& url = *facts.url;
  if (facts.secret && has_secret(url, redact_query)) {
    return attributes.add(attribute::kUrlFull, std::string_view(redacted_url(url, redact_query)));
  }
  attributes.add_joined(attribute::kUrlFull,
                        std::array<std::string_view, 2>{target.url_begin, url.path});
}

void set_url(trace::Span& span, const HttpFacts& facts, const KnownTarget& target,
             const HttpSpanOptions& options) {
  if (facts.url->scheme.empty()) return;  // it is a tunnel: there is none
  add_url(span.attributes, facts, target, options.redact_query);
  if (options.url_templates.empty()) return;
  const std::string_view path = facts.url->path;
  const std::string_view matched =
      template_of(options.url_templates, path.substr(0, path.find('?')));
  if (matched.empty()) return;
  span.attributes.add(attribute::kUrlTemplate, matched);
  span.name.append(" ").append(matched);
}

void set_service(Attributes& attributes, const http::Url& url, const HttpSpanOptions& options) {
  const std::string_view peer = peer_name(options.peers, url.authority.host);
  if (peer.empty()) return;
  attributes.add(attribute::kServicePeerName, peer);
  attributes.add(attribute::kPeerService, peer);
}

void set_target(trace::Span& span, const HttpFacts& facts, const HttpSpanOptions& options) {
  const auto set = [&](const KnownTarget& target) {
    span.attributes.add(target.address);
    set_url(span, facts, target, options);
  };
  facts.target != nullptr ? set(*facts.target) : set(KnownTarget(*facts.url, options));
  set_service(span.attributes, *facts.url, options);
}

void capture_headers(Attributes& attributes, const http::Headers& headers,
                     const std::vector<std::string>& names, std::string_view prefix,
                     const HttpSpanOptions& options) {
  for (const std::string& name : names) {
    std::vector<std::string> values;
    headers.for_each(name, [&](std::string_view value) {
      values.push_back(redacted_field(name, value, options.redact_query));
    });
    if (values.empty() || is_secret_header(name)) continue;
    const std::vector<std::string_view> views(values.begin(), values.end());
    attributes.set(std::string(prefix) + name, std::span<const std::string_view>(views));
  }
}

// After 2xx to CONNECT and after 101 the bytes belong to no HTTP body.
bool is_tunnel(const HttpFacts& facts) {
  return facts.request->asks(kConnect) ||
         (facts.response != nullptr && facts.response->status == http::kSwitchingProtocols);
}

void set_sizes(Attributes& attributes, const HttpFacts& facts) {
  using Kind = http::BodyLength::Kind;
  if (is_tunnel(facts)) {
    attributes.add(attribute::kBytesSent, count(facts.bytes_sent));
    attributes.add(attribute::kBytesReceived, count(facts.bytes_received));
    return;
  }
  if (facts.request->body.kind != Kind::kNone) {
    attributes.add(attribute::kHttpRequestBodySize, count(facts.request_body_bytes));
  }
  if (facts.response != nullptr && facts.response->body.kind != Kind::kNone) {
    attributes.add(attribute::kHttpResponseBodySize, count(facts.response_body_bytes));
  }
}

void add_peer(Attributes& attributes, std::string_view ip, uint16_t port) {
  attributes.add(attribute::kNetworkPeerAddress, ip);
  attributes.add(attribute::kNetworkPeerPort, count(port));
}

void set_connection(Attributes& attributes, const HttpFacts& facts) {
  if (facts.peer != nullptr) {
    attributes.add(*facts.peer);
  } else if (!facts.peer_ip.empty()) {
    add_peer(attributes, facts.peer_ip, facts.peer_port);
  }
  if (!facts.protocol_version.empty()) {
    attributes.add(attribute::kNetworkProtocolVersion, facts.protocol_version);
  }
}

void set_tls(Attributes& attributes, const HttpFacts& facts) {
  if (!facts.tls_version.empty()) {
    attributes.add(attribute::kTlsProtocolVersion, facts.tls_version);
    if (facts.tls) attributes.add(attribute::kTlsResumed, facts.tls_resumed);
  }
  if (facts.tunnel_reason.empty()) return;
  attributes.add(attribute::kTunnelReason, facts.tunnel_reason);
  if (facts.closed_by) attributes.add(attribute::kTunnelClosedBy, name_of(*facts.closed_by));
  if (!facts.tls_server_name.empty()) {
    attributes.add(attribute::kTlsServerName, facts.tls_server_name);
  }
  if (facts.tls_alpn.empty()) return;
  const std::vector<std::string_view> offered(facts.tls_alpn.begin(), facts.tls_alpn.end());
  attributes.set(attribute::kTlsAlpn, std::span<const std::string_view>(offered));
}

void set_lineage(Attributes& attributes, const HttpFacts& facts) {
  attributes.add(attribute::kMode, name_of(facts.mode));
  attributes.add(attribute::kParentSource, facts.parent_source);
  if (facts.context_blocked) attributes.add(attribute::kPropagation, "blocked");
  if (!facts.turn_id.empty()) {
    attributes.add(attribute::kTurnId, facts.turn_id);
    attributes.add(attribute::kTurnStep, static_cast<int64_t>(facts.turn_step));
  }
  if (facts.execution_id.empty()) return;
  attributes.add(attribute::kExecutionId, facts.execution_id);
  attributes.add(attribute::kExecutionSource, facts.execution_source);
}

// A phase is told only when it was reached and left. An answer may begin before the request ended;
// then nobody waited.
void set_phases(Attributes& attributes, const HttpFacts& facts) {
  if (facts.dns) attributes.add(attribute::kPhaseDns, seconds(*facts.dns));
  if (facts.connect) attributes.add(attribute::kPhaseConnect, seconds(*facts.connect));
  if (facts.tls) attributes.add(attribute::kPhaseTls, seconds(*facts.tls));
  if (facts.send_started && facts.sent && facts.first_byte) {
    return attributes.add_all<attribute::kPhaseSend, attribute::kPhaseWait,
                              attribute::kPhaseReceive, attribute::kTimeToFirstByte>(
        {seconds(*facts.sent - *facts.send_started), seconds(*facts.first_byte - *facts.sent),
         seconds(facts.end - *facts.first_byte), seconds(*facts.first_byte - facts.start.mono)});
  }
  if (facts.send_started && facts.sent) {
    attributes.add(attribute::kPhaseSend, seconds(*facts.sent - *facts.send_started));
  }
  if (!facts.first_byte) return;
  if (facts.sent) attributes.add(attribute::kPhaseWait, seconds(*facts.first_byte - *facts.sent));
  attributes.add(attribute::kPhaseReceive, seconds(facts.end - *facts.first_byte));
  attributes.add(attribute::kTimeToFirstByte, seconds(*facts.first_byte - facts.start.mono));
}

// An agent that goes away in the middle of its own call has cancelled it, which is no error.
bool is_cancelled(Ending ending, const Error& error) {
  if (ending == Ending::kAgentCancelled) return true;
  if (error.side != Side::kAgent) return false;
  const Code code = error.code;
  return code == Code::kConnectionClosed || code == Code::kConnectionReset ||
         code == Code::kTruncated;
}

// Its name, or where it has none, its number.
std::string grpc_status_text(uint32_t status) {
  return std::string(http::name_of_grpc_status(status).value_or(std::to_string(status)));
}

void set_rpc_status(Attributes& attributes, uint32_t status, RpcStatus form) {
  if (form == RpcStatus::kNumber) {
    return attributes.add(attribute::kRpcGrpcStatusCode, count(status));
  }
  const attribute::Name& name =
      form == RpcStatus::kName ? attribute::kRpcStatusCode : attribute::kRpcResponseStatusCode;
  attributes.add(name, std::string_view(grpc_status_text(status)));
}

// What the client of a call is told: what came of it, or what its library makes of an answer that
// is whole and says nothing.
std::optional<uint32_t> grpc_status_of(const HttpFacts& facts) {
  const bool whole = facts.response != nullptr && facts.ending == Ending::kComplete && !facts.error;
  if (facts.grpc_status || !whole) return facts.grpc_status;
  return http::grpc_status_of(facts.response->status);
}

// The call by its own name, beside what it is of HTTP.
void set_rpc(trace::Span& span, const HttpFacts& facts, RpcStatus status_form) {
  span.attributes.add(attribute::kRpcSystemName, "grpc");
  const std::string_view method = http::grpc_method(facts.url->path);
  span.name = method.empty() ? "grpc" : method;
  if (!method.empty()) span.attributes.add(attribute::kRpcMethod, method);
  const std::optional<uint32_t> status = grpc_status_of(facts);
  if (status) set_rpc_status(span.attributes, *status, status_form);
}

void add_further(Attributes& attributes, const HttpFacts& facts) {
  for (const auto& [key, value] : facts.further_attributes) {
    if (!attributes.contains(key)) attributes.set(key, std::string_view(value));
  }
}

void set_error(trace::Span& span, std::string_view type) {
  span.attributes.add(attribute::kErrorType, type);
  span.status = trace::SpanStatus::kError;
}

// What the one who asked calls an error, or on the ingress, who was asked.
bool is_error(const HttpFacts& facts, int status) {
  return facts.mode == Mode::kIngress ? is_server_error(status) : status >= kFirstErrorStatus;
}
bool is_grpc_error(const HttpFacts& facts, uint32_t status) {
  return facts.mode == Mode::kIngress ? is_grpc_server_error(status) : status != 0;
}

int status_of(const HttpFacts& facts) {
  return facts.response == nullptr ? 0 : facts.response->status;
}

// The error that the answer is; empty: none.
std::string answered_error(const HttpFacts& facts) {
  // To a client of gRPC any status but OK is an error; 200 says nothing then.
  const std::optional<uint32_t> rpc = facts.grpc ? grpc_status_of(facts) : std::nullopt;
  if (rpc && is_grpc_error(facts, *rpc)) return grpc_status_text(*rpc);
  const int status = status_of(facts);
  return is_error(facts, status) ? std::to_string(status) : std::string();
}

// What failed on the way; null: nothing.
const Error* failure_of(const HttpFacts& facts) {
  const bool failed = facts.error != nullptr && !is_cancelled(facts.ending, *facts.error);
  return failed ? facts.error : nullptr;
}

void set_outcome(trace::Span& span, const HttpFacts& facts) {
  if (const int status = status_of(facts); status != 0) {
    span.attributes.add(attribute::kHttpResponseStatusCode, static_cast<int64_t>(status));
  }
  if (const std::string answered = answered_error(facts); !answered.empty()) {
    set_error(span, answered);
  } else if (const Error* failure = failure_of(facts)) {
    set_error(span, name_of(failure->code));
    span.status_message = failure->what;
  }
  span.attributes.add(attribute::kEnd, name_of(facts.ending));
}

// Whose call it is, how it went there, and what came of it.
void set_way(trace::Span& span, const HttpFacts& facts) {
  Attributes& attributes = span.attributes;
  set_lineage(attributes, facts);
  if (facts.resend_count > 0 && facts.mode != Mode::kIngress) {
    attributes.add(attribute::kHttpRequestResendCount, static_cast<int64_t>(facts.resend_count));
  }
  set_connection(attributes, facts);
  set_tls(attributes, facts);
  set_outcome(span, facts);
}

// Others are most likely to be told alike.
bool is_like_others(const HttpFacts& facts) {
  return facts.target != nullptr && facts.peer != nullptr && facts.mode != Mode::kIngress &&
         !facts.grpc && facts.resend_count == 0 && !facts.context_blocked &&
         facts.turn_id.empty() && facts.execution_id.empty() && facts.tunnel_reason.empty() &&
         !facts.tls && !facts.error;
}

bool is_same_literal(std::string_view a, std::string_view b) {
  return a.data() == b.data() && a.size() == b.size();
}

bool is_of_kind(const KnownCalls::Kind& kind, const HttpFacts& facts, int status) {
  return kind.status == status && kind.mode == facts.mode && kind.ending == facts.ending &&
         is_same_literal(kind.parent_source, facts.parent_source) &&
         is_same_literal(kind.protocol_version, facts.protocol_version) &&
         is_same_literal(kind.tls_version, facts.tls_version) && facts.request->asks(kind.method);
}

KnownCalls::Kind make_kind(const HttpFacts& facts, int status, const HttpSpanOptions& options) {
  trace::Span begin(options.limits);
  set_method(begin, facts.request->method(), options);
  begin.attributes.add(facts.target->address);
  trace::Span rest(options.limits);
  set_service(rest.attributes, *facts.url, options);
  set_way(rest, facts);
  return {.method = std::string(facts.request->method()),
          .mode = facts.mode,
          .parent_source = facts.parent_source,
          .protocol_version = facts.protocol_version,
          .tls_version = facts.tls_version,
          .status = status,
          .ending = facts.ending,
          .begin = begin.attributes.pack(),
          .rest = rest.attributes.pack(),
          .name = std::move(begin.name),
          .outcome = rest.status};
}

}  // namespace

std::string_view name_of(Mode mode) {
  switch (mode) {
    case Mode::kForward:
      return "forward";
    case Mode::kTunnel:
      return "tunnel";
    case Mode::kRoute:
      return "route";
    case Mode::kIntercept:
      return "intercept";
    case Mode::kIngress:
      return "ingress";
    case Mode::kStdio:
      return "stdio";
  }
  return "forward";
}

std::string_view name_of(Ending ending) {
  switch (ending) {
    case Ending::kComplete:
      return "complete";
    case Ending::kAgentCancelled:
      return "agent_cancelled";
    case Ending::kOriginClosed:
      return "origin_closed";
    case Ending::kTimeout:
      return "timeout";
    case Ending::kRefused:
      return "refused";
    case Ending::kLimit:
      return "limit";
    case Ending::kDrain:
      return "drain";
  }
  return "complete";
}

std::string http_error_type(const HttpFacts& facts) {
  std::string type = answered_error(facts);
  if (!type.empty()) return type;
  const Error* const failure = failure_of(facts);
  return failure != nullptr ? std::string(name_of(failure->code)) : std::string();
}

KnownTarget::KnownTarget(const http::Url& url, const HttpSpanOptions& options) {
  Attributes attributes(options.limits);
  attributes.add(attribute::kServerAddress, std::string_view(url.authority.host));
  attributes.add(attribute::kServerPort, count(url.port()));
  address = attributes.pack();
  scheme = url.scheme;
  url_begin = std::string(scheme) + "://";
  url.authority.append_to(url_begin);
}

trace::Attributes::Packed known_peer(std::string_view ip, uint16_t port,
                                     const HttpSpanOptions& options) {
  Attributes attributes(options.limits);
  add_peer(attributes, ip, port);
  return attributes.pack();
}

const KnownCalls::Kind* KnownCalls::find(const HttpFacts& facts, const HttpSpanOptions& options) {
  if (!is_like_others(facts)) return nullptr;
  const int status = facts.response == nullptr ? 0 : facts.response->status;
  for (const Kind& kind : kinds_) {
    if (is_of_kind(kind, facts, status)) return &kind;
  }
  if (++misses_ < kMissesMin) return nullptr;
  misses_ = 0;
  if (kinds_.size() < kKindsMax) {
    return &kinds_.emplace_back(make_kind(facts, status, options));
  }
  Kind& kind = kinds_[oldest_++ % kKindsMax];
  kind = make_kind(facts, status, options);
  return &kind;
}

trace::Span make_http_span(const HttpFacts& facts, const HttpSpanOptions& options) {
  trace::Span span(options.limits);
  span.context = *facts.context;
  span.parent_id = facts.parent_id;
  span.parent_is_remote = facts.parent_is_remote;
  const bool served = facts.mode == Mode::kIngress;
  span.kind = served ? trace::SpanKind::kServer : trace::SpanKind::kClient;
  span.start = facts.start.wall;
  span.duration = std::max<Nanoseconds>(facts.end - facts.start.mono, Nanoseconds::zero());
  if (facts.earlier != nullptr) span.links.push_back({*facts.earlier, Attributes()});
  if (facts.left != nullptr) span.links.push_back({*facts.left, Attributes()});
  for (const trace::SpanContext& link : facts.links) span.links.push_back({link, Attributes()});

  const KnownCalls::Kind* const known =
      facts.alike != nullptr ? facts.alike->find(facts, options) : nullptr;
  if (known != nullptr) {
    span.name = known->name;
    span.status = known->outcome;
    span.attributes.add(known->begin);
    set_url(span, facts, *facts.target, options);
    span.attributes.add(known->rest);
  } else {
    set_method(span, facts.request->method(), options);
    served ? set_server_target(span, facts, options) : set_target(span, facts, options);
    if (facts.grpc) set_rpc(span, facts, options.rpc_status);
    set_way(span, facts);
  }
  set_sizes(span.attributes, facts);
  set_phases(span.attributes, facts);
  if (!options.request_headers.empty()) {
    capture_headers(span.attributes, facts.request->headers, options.request_headers,
                    attribute::kHttpRequestHeaderPrefix, options);
  }
  if (!options.response_headers.empty() && facts.response != nullptr) {
    capture_headers(span.attributes, facts.response->headers, options.response_headers,
                    attribute::kHttpResponseHeaderPrefix, options);
  }
  add_further(span.attributes, facts);
  return span;
}

void end_tunnel_span(trace::Span& span, const TunnelEnd& facts) {
  Attributes& attributes = span.attributes;
  span.duration = std::max<Nanoseconds>(facts.end - facts.start, Nanoseconds::zero());
  attributes.set(attribute::kBytesSent, count(facts.bytes_sent));
  attributes.set(attribute::kBytesReceived, count(facts.bytes_received));
  attributes.set(attribute::kPhaseReceive, seconds(facts.end - facts.opened));
  attributes.set(attribute::kEnd, name_of(facts.ending));
  if (facts.closed_by) attributes.set(attribute::kTunnelClosedBy, name_of(*facts.closed_by));
  if (facts.error == nullptr || is_cancelled(facts.ending, *facts.error)) return;
  attributes.set(attribute::kErrorType, name_of(facts.error->code));
  span.status = trace::SpanStatus::kError;
  span.status_message = facts.error->what;
}

trace::Span make_inner_span(const HttpFacts& facts, trace::SpanId id,
                            const HttpSpanOptions& options) {
  trace::Span span(options.limits);
  span.context = *facts.context;
  span.context.span_id = id;
  span.parent_id = facts.context->span_id;
  span.kind = trace::SpanKind::kClient;
  span.start = facts.start.wall;
  span.duration = std::max<Nanoseconds>(facts.end - facts.start.mono, Nanoseconds::zero());
  set_target(span, facts, options);
  set_lineage(span.attributes, facts);
  set_outcome(span, facts);
  add_further(span.attributes, facts);
  return span;
}

}  // namespace sidespan::semconv
