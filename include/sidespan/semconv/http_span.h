// The span of one attempt to reach an origin over HTTP: OpenTelemetry's stable HTTP client
// conventions and sidespan's own attributes (names in attributes.h); of a request on the ingress
// the server's. Pure: the Exchange collects the facts, this turns them into a span. Nothing secret
// passes: URLs go through redact, headers by allow-list.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sidespan/base/clock.h"
#include "sidespan/base/error.h"
#include "sidespan/http/message.h"
#include "sidespan/http/uri.h"
#include "sidespan/trace/span.h"

namespace sidespan::semconv {

// `sidespan.mode`
enum class Mode : uint8_t { kForward, kTunnel, kRoute, kIntercept, kIngress, kStdio };
inline constexpr size_t kModeCount = 6;
std::string_view name_of(Mode mode);

// `sidespan.end`: who ended it
enum class Ending : uint8_t {
  kComplete,
  kAgentCancelled,
  kOriginClosed,
  kTimeout,
  kRefused,
  kLimit,
  kDrain,
};
inline constexpr size_t kEndingCount = 7;
std::string_view name_of(Ending ending);

// Which name the status of a call of gRPC has; attributes.h says what they are.
enum class RpcStatus : uint8_t { kName, kResponseName, kNumber };

struct HttpSpanOptions {
  trace::AttributeLimits limits;
  std::vector<std::string> request_headers;  // capture.request_headers, lower case
  std::vector<std::string> response_headers;
  std::vector<std::string> redact_query;     // capture.redact: further query parameter names
  std::vector<std::string> url_templates;    // spans.url_templates: "/v1/users/{id}"
  std::map<std::string, std::string> peers;  // spans.peers: host -> service.peer.name
  // OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS, by case; empty: those of RFC 9110, PATCH and QUERY.
  std::vector<std::string> known_methods;
  RpcStatus rpc_status = RpcStatus::kName;
};

// What the spans of all calls to one origin say alike, put together once.
struct KnownTarget {
  // Of `url` nothing but scheme, host and port counts.
  KnownTarget(const http::Url& url, const HttpSpanOptions& options);

  std::string_view scheme;            // empty: a tunnel's, which has no URL
  std::string url_begin;              // "http://host:port"
  trace::Attributes::Packed address;  // of the server
};
// The same of the connections to one address.
trace::Attributes::Packed known_peer(std::string_view ip, uint16_t port,
                                     const HttpSpanOptions& options);

struct HttpFacts;

// The same of calls that are of one kind and went one way, as most calls to an origin do: all that
// stands before and behind the URL. Of one target and one peer.
class KnownCalls {
 public:
  struct Kind {
    std::string method;
    Mode mode;
    std::string_view parent_source;
    std::string_view protocol_version;
    std::string_view tls_version;
    int status;
    Ending ending;

    trace::Attributes::Packed begin;
    trace::Attributes::Packed rest;
    std::string name;
    trace::SpanStatus outcome;
  };
  // Null: what is said of such a call is nobody else's, or not often enough.
  const Kind* find(const HttpFacts& facts, const HttpSpanOptions& options);
  // Another target, or another peer.
  void clear() {
    kinds_.clear();
    misses_ = 0;
  }

 private:
  static constexpr size_t kKindsMax = 4;
  // What is worth keeping comes again: one is made of each so many calls that are of none.
  static constexpr size_t kMissesMin = 8;
  std::vector<Kind> kinds_;
  size_t misses_ = 0;
  size_t oldest_ = 0;  // where there are as many as may be
};

struct HttpFacts {
  // Of a defaulted one g++ clears the whole before most of it is set.
  HttpFacts() {}  // NOLINT(modernize-use-equals-default)

  // Identity, decided before the call.
  const trace::SpanContext* context = nullptr;  // never null where a span is made
  trace::SpanId parent_id = {};
  std::string_view parent_source = {};  // a literal
  std::string_view execution_id = {};   // empty: none known
  std::string_view execution_source = {};
  const trace::SpanContext* earlier = nullptr;  // the attempt before this one, to be linked
  // The parent in the trace that was left for a new one, to be linked.
  const trace::SpanContext* left = nullptr;
  std::span<const trace::SpanContext> links = {};  // whoever else has to do with it
  std::string_view turn_id = {};                   // the turn's span; empty: none known
  uint32_t turn_step = 0;                          // its place in it, from 1
  bool parent_is_remote = false;
  bool context_blocked = false;  // a signature covers the trace headers, and they went on as sent
  Mode mode = Mode::kForward;
  // Of baggage; none takes the place of one that is told here.
  std::span<const std::pair<std::string, std::string>> further_attributes = {};

  // The call.
  const http::Head* request = nullptr;       // as the origin got it
  const http::Url* url = nullptr;            // where it goes, in full; CONNECT: authority only
  const KnownTarget* target = nullptr;       // what is known of `url`; null: nothing yet
  const http::Head* response = nullptr;      // null: none came
  bool grpc = false;                         // the call is one of gRPC
  bool secret = true;                        // `url` may hold one: it has a user or a query
  std::optional<uint32_t> grpc_status = {};  // absent: none came
  int resend_count = 0;                      // 0: the first attempt
  // Of the connection to the origin: "1.1", a literal; empty: there was none. On the ingress of the
  // client's.
  std::string_view protocol_version = {};
  std::string_view peer_ip = {};  // likewise
  uint16_t peer_port = 0;
  const trace::Attributes::Packed* peer = nullptr;  // both, where they are known; else null
  KnownCalls* alike = nullptr;                      // of `target` and `peer`; may be null
  uint64_t request_body_bytes = 0;                  // on the wire, without framing
  uint64_t response_body_bytes = 0;
  uint64_t bytes_sent = 0;  // opaque tunnels
  uint64_t bytes_received = 0;
  // Of a tunnel that nobody looked into: why, and what its ClientHello said in the clear.
  std::string_view tunnel_reason = {};
  std::string_view tls_server_name = {};
  std::span<const std::string> tls_alpn = {};
  std::optional<Side> closed_by = {};  // whose end came first, by FIN or by breaking off
  bool tls_resumed = false;
  std::string_view tls_version = {};  // towards the origin: "1.3", a literal; empty: no TLS of ours

  // Time.
  Moment start = {};  // the first byte of the request
  MonoTime end = {};  // the last byte of the answer
  std::optional<Nanoseconds> dns = {};
  std::optional<Nanoseconds> connect = {};
  std::optional<Nanoseconds> tls = {};
  std::optional<MonoTime> send_started = {};  // the request's first byte towards the origin
  std::optional<MonoTime> sent = {};          // its last
  std::optional<MonoTime> first_byte = {};    // of the answer
  Ending ending = Ending::kComplete;
  const Error* error = nullptr;  // what failed, when something did
};

trace::Span make_http_span(const HttpFacts& facts, const HttpSpanOptions& options);
// The `error.type` of such a span; empty: it is no error. Only what ended the call counts: its
// mode, its answer, whether it is one of gRPC, how it ended.
std::string http_error_type(const HttpFacts& facts);

// How a tunnel ended whose span was made when it was opened.
struct TunnelEnd {
  uint64_t bytes_sent = 0;
  uint64_t bytes_received = 0;
  MonoTime start{};
  MonoTime opened{};
  MonoTime end{};
  Ending ending = Ending::kComplete;
  const Error* error = nullptr;
  std::optional<Side> closed_by = {};
};
// Takes the place of what the span says of an end so far.
void end_tunnel_span(trace::Span& span, const TunnelEnd& facts);

// Of one of several calls within an exchange, a child of the exchange's span: of `facts` who, where
// and when. What the call is, its name among it, is for others to add.
trace::Span make_inner_span(const HttpFacts& facts, trace::SpanId id,
                            const HttpSpanOptions& options);

}  // namespace sidespan::semconv
