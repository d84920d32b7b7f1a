// The rows of every section but `context`, `export` and `limits`.
#include <array>

#include "app/setting_propagation.h"
#include "app/setting_sampling.h"
#include "app/setting_table.h"
#include "app/setting_types.h"

namespace sidespan::app {
namespace {

using S = Settings;
using T = TlsSettings;
using I = proxy::Interception;

constexpr Milliseconds::rep kSecond = 1000;
constexpr Milliseconds::rep kMinute = 60 * kSecond;
constexpr Milliseconds::rep kHour = 60 * kMinute;

constexpr auto kLevels = std::to_array<Word<LogLevel>>({{"debug", LogLevel::kDebug},
                                                        {"info", LogLevel::kInfo},
                                                        {"warn", LogLevel::kWarn},
                                                        {"error", LogLevel::kError}});
constexpr auto kFormats =
    std::to_array<Word<LogFormat>>({{"json", LogFormat::kJson}, {"text", LogFormat::kText}});
constexpr auto kModes =
    std::to_array<Word<proxy::Interception::Mode>>({{"off", proxy::Interception::Mode::kOff},
                                                    {"listed", proxy::Interception::Mode::kListed},
                                                    {"all", proxy::Interception::Mode::kAll}});
constexpr auto kMismatches = std::to_array<Word<proxy::Interception::Mismatch>>(
    {{"passthrough", proxy::Interception::Mismatch::kPassthrough},
     {"refuse", proxy::Interception::Mismatch::kRefuse}});
constexpr auto kCredentials = std::to_array<Word<bool>>({{"optional", false}, {"required", true}});
constexpr auto kContents =
    std::to_array<Word<semconv::genai::Capture>>({{"off", semconv::genai::Capture::kOff},
                                                  {"tools", semconv::genai::Capture::kTools},
                                                  {"all", semconv::genai::Capture::kAll}});
constexpr auto kRpcStatuses = std::to_array<Word<semconv::RpcStatus>>(
    {{"rpc.status_code", semconv::RpcStatus::kName},
     {"rpc.response.status_code", semconv::RpcStatus::kResponseName},
     {"rpc.grpc.status_code", semconv::RpcStatus::kNumber}});
// As patterns, and as they are written: the authority's constraints are made of that.
void read_listed_hosts(const Node& node, Settings& settings, Complaints& complaints) {
  auto patterns = list_of<read_host_pattern>(node, complaints);
  auto written = list_of<read_text>(node, complaints);
  if (!patterns || !written) return;
  settings.tls.interception.hosts = *std::move(patterns);
  settings.tls.intercept_hosts = *std::move(written);
}

using standard::as_written;

constexpr auto kRows = std::to_array<Setting>({
    {.key = "service.name",
     .value = "unknown_service:sidespan",
     .read = assign<read_name, &S::service, &ServiceSettings::name>,
     .sentence =
         "The service that spans belong to: the agent's name. `run` takes the command's name.",
     .standard = {{{"OTEL_SERVICE_NAME", as_written},
                   {"OTEL_RESOURCE_ATTRIBUTES", standard::resource_name}}}},
    {.key = "service.resource",
     .value = "{}",
     .shape = Shape::kMap,
     .read = assign<read_resource, &S::service, &ServiceSettings::resource>,
     .sentence =
         "Further resource attributes of every span, like {deployment.environment.name: prod}. "
         "What several sources name adds up.",
     .standard = {{{"OTEL_RESOURCE_ATTRIBUTES", standard::resource}}},
     .merges = true},

    {.key = "listen.egress",
     .value = "localhost:17001",
     .read = assign<read_listen, &S::listen, &ListenSettings::egress>,
     .sentence =
         "Where the agent's requests come in. `localhost` is 127.0.0.1 and ::1, `:PORT` is every "
         "address, port 0 takes a free one, `off` is none."},
    {.key = "listen.ingress",
     .value = "off",
     .read = assign<read_listen, &S::listen, &ListenSettings::ingress>,
     .sentence =
         "Where requests to the agent's own server come in: `:17006` in manifests. Each gets "
         "a span, the parent of the calls that are made for it."},
    {.key = "listen.admin",
     .value = "localhost:17000",
     .read = assign<read_listen, &S::listen, &ListenSettings::admin>,
     .sentence = "Health, readiness and metrics for people on this machine; loopback only in this "
                 "version."},
    {.key = "listen.health",
     .value = "off",
     .read = assign<read_listen, &S::listen, &ListenSettings::health>,
     .sentence =
         "/healthz, /readyz and /metrics alone, for the kubelet and Prometheus: `:17021` in "
         "manifests."},

    {.key = "ingress.forward_to",
     .value = "off",
     .read = assign<read_forward_to, &S::ingress, &IngressSettings::forward_to>,
     .sentence =
         "The agent's own server, like 127.0.0.1:8080. It gets every request as the client wrote "
         "it: Host stays, X-Forwarded fields are neither added nor changed."},
    {.key = "ingress.ignore",
     .value = "[probes]",
     .shape = Shape::kList,
     .read = assign<read_ingress_ignore, &S::ingress, &IngressSettings::ignore>,
     .sentence =
         "Requests that pass without span and context, and never tell the parent of a call: paths, "
         "wildcards allowed; `probes` stands for health checks, by their User-Agent and by the "
         "usual paths (/healthz, /readyz, /livez, /health)."},

    {.key = "routes",
     .value = "[]",
     .shape = Shape::kRules,
     .read = assign<list_of<read_route>, &S::routes>,
     .sentence = "Base URLs for agents that take one instead of a proxy. With {path: /tools/, to: "
                 "\"http://tools.internal/v2/\"} the agent's base URL is "
                 "http://127.0.0.1:17001/tools."},

    {.key = "egress.deny",
     .value = "[link-local, metadata]",
     .shape = Shape::kList,
     .read = assign<list_of<read_host_pattern>, &S::egress, &EgressSettings::deny>,
     .sentence =
         "What agents may not reach (403), by name and by resolved address: names, wildcards, "
         "networks, @local, link-local, metadata."},
    {.key = "egress.allow_from",
     .value = "[]",
     .shape = Shape::kList,
     .read = assign<list_of<read_network>, &S::egress, &EgressSettings::allow_from>,
     .sentence = "Networks that agents may connect from; needed where listen.egress is more than "
                 "loopback, empty is any."},

    {.key = "egress.credentials",
     .value = "optional",
     .read = assign<word_of<kCredentials>, &S::egress, &EgressSettings::credentials_required>,
     .sentence =
         "The user of the proxy's URL, http://NAME:@127.0.0.1:17001, names whose work the calls "
         "are, and run:TRACEPARENT the span that they are children of. `required` refuses those "
         "without one (407), base-URL routes among them; it tells agents apart and keeps nobody "
         "out who knows that."},

    {.key = "egress.via",
     .value = "off",
     .read = assign<read_via, &S::egress, &EgressSettings::via>,
     .sentence =
         "A second proxy, through which origins are reached: http://user:password@proxy:3128. "
         "`run` takes an inherited HTTPS_PROXY or HTTP_PROXY.",
     .secret = true},
    {.key = "egress.via_except",
     .value = "[]",
     .shape = Shape::kList,
     .read = assign<list_of<read_name>, &S::egress, &EgressSettings::via_except>,
     .sentence = "Origins that are reached without it, as in NO_PROXY: names with all below them, "
                 "addresses, networks, *; with a port those at that port. This machine itself is "
                 "never reached through it. `run` takes an inherited NO_PROXY."},

    {.key = "tls.intercept.mode",
     .value = "off",
     .read = assign<word_of<kModes>, &S::tls, &T::interception, &I::mode>,
     .sentence =
         "Which TLS connections are opened, so that the requests inside have spans: all, those to "
         "`hosts` (listed), or none (off). Agents must trust the authority. `run` opens all."},
    {.key = "tls.intercept.hosts",
     .value = "[]",
     .shape = Shape::kList,
     .read = read_listed_hosts,
     .sentence =
         "Hosts for mode `listed`: names, wildcards, networks. An authority of our own may "
         "sign for no others, where each of them is a name, `*.` and a name, or a network."},
    {.key = "tls.intercept.bypass",
     .value = "[]",
     .shape = Shape::kList,
     .read = assign<list_of<read_host_pattern>, &S::tls, &T::interception, &I::bypass>,
     .sentence = "Hosts whose TLS is never opened, whatever the mode."},
    {.key = "tls.intercept.mismatch",
     .value = "passthrough",
     .read = assign<word_of<kMismatches>, &S::tls, &T::interception, &I::mismatch>,
     .sentence =
         "A tunnel whose TLS hello names another host than CONNECT did: it passes unopened, "
         "or is refused (refuse), and so is one whose hello cannot be read."},
    {.key = "tls.authority.certificate",
     .value = "\"\"",
     .read = assign<read_text, &S::tls, &T::authority_certificate>,
     .sentence = "A file with the certificate of an authority of your own; empty is one that is "
                 "made on first use and kept in the state directory."},
    {.key = "tls.authority.key",
     .value = "\"\"",
     .read = assign<read_text, &S::tls, &T::authority_key>,
     .sentence = "The file with its key, which nobody else may read."},
    {.key = "tls.authority.export_dir",
     .value = "\"\"",
     .read = assign<read_text, &S::tls, &T::export_dir>,
     .sentence =
         "Where agents find what they are to trust, never a key: ca.pem, and bundle.pem with the "
         "system's roots. Empty is `trust` in the state directory."},
    {.key = "tls.trust.certificates",
     .value = "[]",
     .shape = Shape::kList,
     .read = assign<list_of<read_name>, &S::tls, &T::trust>,
     .sentence = "Files of roots that origins and the collector may be signed by, beside the "
                 "system's."},
    {.key = "tls.client_certificates",
     .value = "[]",
     .shape = Shape::kRules,
     .read = assign<list_of<read_client_certificate>, &S::tls, &T::client_certificates>,
     .sentence =
         "What is shown to origins that ask for a certificate: {match: [api.example.com], "
         "certificate: FILE, key: FILE}, the first match. A tunnel to one for which there is none "
         "passes unopened."},

    {.key = "propagation.extract",
     .value = "[tracecontext, baggage]",
     .shape = Shape::kList,
     .read = assign<read_propagators, &S::propagation, &PropagationSettings::extract>,
     .sentence = "Formats in which an agent's own trace context is read, of which the last that is "
                 "there counts: tracecontext, baggage, b3, b3multi, jaeger, datadog, xray, gcp, "
                 "ottrace, names of propagation.custom; `none` reads nothing.",
     .standard = {{{"OTEL_PROPAGATORS", standard::propagators}}}},
    {.key = "propagation.inject",
     .value = "[tracecontext, baggage]",
     .shape = Shape::kList,
     .read = assign<read_propagators, &S::propagation, &PropagationSettings::inject>,
     .sentence = "Formats in which context goes on, all of them; `none` leaves headers untouched.",
     .standard = {{{"OTEL_PROPAGATORS", standard::propagators}}}},
    {.key = "propagation.custom",
     .value = "[]",
     .shape = Shape::kRules,
     .read = assign<list_of<read_custom_format>, &S::propagation, &PropagationSettings::custom>,
     .sentence = "Formats of your own for the two lists above: {name: acme, header: X-Acme-Trace, "
                 "value: \"{trace_id}:{span_id}:{sampled}\"}; also {trace_id_64}, "
                 "{trace_id_decimal}, {span_id_decimal}."},
    {.key = "propagation.others",
     .value = "remove",
     .read = assign<read_other_formats, &S::propagation, &PropagationSettings::others>,
     .sentence =
         "What becomes of the agent's context in formats that are not injected, which would "
         "name another span than ours: remove, rewrite (with ours in it), keep."},
    {.key = "propagation.destinations",
     .value = R"([{match: ["@local"], send: [traceparent, tracestate, baggage]}, )"
              R"({match: ["*"], send: [traceparent]}])",
     .shape = Shape::kRules,
     .read = assign<list_of<read_destination>, &S::propagation, &PropagationSettings::destinations>,
     .sentence =
         "Which destination gets what; the first match counts, and where none matches nothing "
         "is sent. What is not sent is also removed when the agent itself put it there; vendors' "
         "formats go where traceparent goes. listener: egress (or ingress) makes a rule one for "
         "the agent's calls (or for requests to its server) alone, baggage: [KEY] lets only these "
         "keys through, restart: on begins a trace of its own there, whose first span is linked to "
         "where it came from."},
    {.key = "propagation.baggage.allow",
     .value = R"(["*"])",
     .shape = Shape::kList,
     .read = assign<list_of<read_name>, &S::propagation, &PropagationSettings::baggage_allow>,
     .sentence = "Baggage keys that go on, wildcards allowed."},
    {.key = "propagation.baggage.add",
     .value = "{}",
     .shape = Shape::kMap,
     .read = assign<read_baggage, &S::propagation, &PropagationSettings::baggage_add>,
     .sentence = "Baggage that every call gets, like {tenant: a}."},
    {.key = "propagation.baggage.to_attributes",
     .value = "[]",
     .shape = Shape::kList,
     .read =
         assign<list_of<read_name>, &S::propagation, &PropagationSettings::baggage_to_attributes>,
     .sentence = "Baggage keys, wildcards allowed, that are copied onto every span and into the "
                 "access log."},

    {.key = "sampling.head.sampler",
     .value = "parentbased_always_on",
     .read = assign<read_sampler, &S::sampling, &SamplingSettings::sampler>,
     .sentence = "always_on, always_off, traceidratio, or one of these after parentbased_.",
     .standard = {{{"OTEL_TRACES_SAMPLER", standard::word}}}},
    {.key = "sampling.head.ratio",
     .value = "1.0",
     .read = assign<read_ratio, &S::sampling, &SamplingSettings::ratio>,
     .sentence = "For traceidratio: the share of traces that is kept, 0 to 1.",
     .standard = {{{"OTEL_TRACES_SAMPLER_ARG", as_written}}}},
    {.key = "sampling.head.per_second",
     .value = "0",
     .read = assign<read_rate, &S::sampling, &SamplingSettings::per_second>,
     .sentence =
         "New traces a second at most, by all workers together; 0 is any number. What comes with "
         "a decision of the agent's keeps it."},
    {.key = "sampling.head.rules",
     .value = "[]",
     .shape = Shape::kRules,
     .read = assign<list_of<read_sampler_rule>, &S::sampling, &SamplingSettings::rules>,
     .sentence =
         "Other samplers for some calls, the first match: {match: {host: \"*.example.com\", path: "
         "\"/health*\", method: GET}, ratio: 0.1}. Each of the three may be a list or be left out. "
         "A ratio alone is parentbased_traceidratio, sampler: NAME another one."},
    {.key = "sampling.tail",
     .value = "off",
     .shape = Shape::kRules,
     .read = assign<read_tail, &S::sampling, &SamplingSettings::tail>,
     .sentence =
         "Which of the sampled traces are exported, decided when they are over: {wait: 10s, "
         "max_wait: 150s, policies: [{errors: true}, {slower_than: 5s}, {status_codes: [429, "
         "5xx]}, "
         "{attribute: {key: gen_ai.request.model, values: [\"gpt-*\"]}}, {tokens: 10000}, {cost: "
         "0.5}, {probability: 0.1}]}. Any of the policies keeps a trace, one with several keys "
         "where all are true. A trace is over `wait` after its last span (20ms at least where "
         "there are several workers), a run not before its end; `max_wait` after the first it is "
         "decided in any case."},

    {.key = "spans.ignore",
     .value = "[otlp]",
     .shape = Shape::kList,
     .read = assign<read_ignore, &S::spans, &SpanSettings::ignore>,
     .sentence =
         "Calls without span and context, by path, wildcards allowed. `otlp` stands for the "
         "agent's own exports."},
    {.key = "spans.url_templates",
     .value = "[]",
     .shape = Shape::kList,
     .read = assign<list_of<read_url_template>, &S::spans, &SpanSettings::url_templates>,
     .sentence =
         "Paths with variable parts, like \"/v1/users/{id}\": they name spans instead of the "
         "raw path."},
    {.key = "spans.peers",
     .value = "{}",
     .shape = Shape::kMap,
     .read = assign<read_peers, &S::spans, &SpanSettings::peers>,
     .sentence = "Service names for hosts, like {api.stripe.com: stripe}."},
    {.key = "spans.providers",
     .value = "{}",
     .shape = Shape::kMap,
     .read = assign<read_peers, &S::spans, &SpanSettings::providers>,
     .sentence =
         "Model providers (gen_ai.provider.name) behind hosts of your own, wildcards allowed, "
         "like {llm.corp.example: openai}. Without, a call's shape tells."},
    {.key = "spans.known_methods",
     .value = "[]",
     .shape = Shape::kList,
     .read = assign<list_of<read_method>, &S::spans, &SpanSettings::known_methods>,
     .sentence =
         "Methods that spans name as they are, all others are _OTHER. Empty: those of RFC 9110, "
         "PATCH and QUERY.",
     .standard = {{{"OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS", standard::words}}}},
    {.key = "spans.rpc_status",
     .value = "rpc.status_code",
     .read = assign<word_of<kRpcStatuses>, &S::spans, &SpanSettings::rpc_status>,
     .sentence =
         "What the attribute with the status of a gRPC call is called: rpc.status_code, "
         "rpc.response.status_code as before semantic conventions 1.44, or rpc.grpc.status_code, "
         "the oldest, a number."},

    {.key = "capture.request_headers",
     .value = "[]",
     .shape = Shape::kList,
     .read = assign<list_of<read_capture_header>, &S::capture, &CaptureSettings::request_headers>,
     .sentence =
         "Request headers that spans show. Authorization, Cookie and their kin are refused."},
    {.key = "capture.response_headers",
     .value = "[]",
     .shape = Shape::kList,
     .read = assign<list_of<read_capture_header>, &S::capture, &CaptureSettings::response_headers>,
     .sentence = "Response headers that spans show."},
    {.key = "capture.content",
     .value = "off",
     .read = assign<word_of<kContents>, &S::capture, &CaptureSettings::content>,
     .sentence = "What spans show of what people and models wrote: nothing (off), what tools were "
                 "asked and said (tools), and the messages and the texts of providers' errors, too "
                 "(all)."},
    {.key = "capture.max_bytes",
     .value = "1KiB",
     .read = assign<size_between<0, 16 * 1024>, &S::capture, &CaptureSettings::max_bytes>,
     .sentence = "Of each text that is shown; longer ones are cut."},
    {.key = "capture.redact",
     .value = "[]",
     .shape = Shape::kList,
     .read = assign<list_of<read_plain_name>, &S::capture, &CaptureSettings::redact>,
     .sentence = "Query parameters, and members of JSON in captured content, in any case and "
                 "without wildcards, whose values spans hide, beside the usual signatures, keys "
                 "and tokens."},

    {.key = "prices",
     .value = "[]",
     .shape = Shape::kRules,
     .read = assign<list_of<read_price>, &S::prices>,
     .sentence =
         "What models cost, like {provider: openai, model: \"gpt-*\", input: 2, output: 8, "
         "cache_read: 0.5, cache_write: 2}: US dollars for a million tokens, the first row that "
         "matches. conf/prices.example.yaml is one. Without a row there is no cost."},

    {.key = "mcp.inject_meta",
     .value = "off",
     .read = assign<read_switch, &S::mcp_inject_meta>,
     .sentence =
         "Whether MCP requests get their span's context in `params._meta`, the one edit of a "
         "body there is; `on` for `stdio`."},

    {.key = "http.via",
     .value = "off",
     .read = assign<read_switch, &S::via>,
     .sentence =
         "Whether a Via field always goes along. Off, because some origins stop compressing when "
         "they see one; a second proxy and the origin of a route in clear text get it anyway, so "
         "that a request that goes in a circle is known by it."},

    {.key = "log.level",
     .value = "info",
     .read = assign<word_of<kLevels>, &S::log, &LogSettings::level>,
     .sentence = "debug, info, warn or error."},
    {.key = "log.format",
     .value = "json",
     .read = assign<word_of<kFormats>, &S::log, &LogSettings::format>,
     .sentence = "json or text."},
    {.key = "log.access",
     .value = "off",
     .read = assign<read_switch, &S::log, &LogSettings::access>,
     .sentence = "Whether every request is a line in the log."},

    {.key = "drain.quiet",
     .value = "1s",
     .read = assign<time_between<0, kHour>, &S::drain, &DrainSettings::quiet>,
     .sentence = "After SIGTERM sidespan ends when no connection has been busy for so long."},
    {.key = "drain.deadline",
     .value = "25s",
     .read = assign<time_between<0, kHour>, &S::drain, &DrainSettings::deadline>,
     .sentence = "After SIGTERM sidespan ends at the latest then."},

    {.key = "workers",
     .value = "1",
     .read = assign<count_between<1, 64>, &S::workers>,
     .sentence = "Threads that carry requests."},
});

}  // namespace

std::span<const Setting> main_settings() {
  return kRows;
}

}  // namespace sidespan::app
