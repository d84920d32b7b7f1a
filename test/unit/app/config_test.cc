#include "app/config.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>

namespace sidespan::app {
namespace {

Configuration configured(const std::string& yaml, Environment environment = {}) {
  ConfigSources sources;
  sources.environment = std::move(environment);
  if (!yaml.empty()) sources.file = ConfigFile{"c.yaml", yaml};
  return configure(sources);
}

std::string faults_of(const Configuration& configuration) {
  std::string out;
  for (const Fault& fault : configuration.faults) out += fault.to_string() + "\n";
  return out;
}

std::string warnings_of(const Configuration& configuration) {
  std::string out;
  for (const std::string& warning : configuration.settings.warnings) out += warning + "\n";
  return out;
}

const EffectiveValue& value_of(const Configuration& configuration, std::string_view key) {
  const auto value = std::ranges::find_if(
      configuration.values, [&](const EffectiveValue& v) { return v.setting->key == key; });
  REQUIRE(value != configuration.values.end());
  return *value;
}

std::string url_of(const Configuration& configuration) {
  const std::optional<http::Url>& url = configuration.settings.exporting.endpoint;
  if (!url) return "off";
  return url->authority.host + ":" + std::to_string(url->port()) + url->path;
}

TEST_CASE("without any source there are defaults") {
  const Configuration configuration = configured("");
  CHECK(faults_of(configuration).empty());
  CHECK(warnings_of(configuration).empty());
  const Settings& settings = configuration.settings;
  CHECK(settings.service.name == "unknown_service:sidespan");
  CHECK(settings.listen.egress.written == "localhost:17001");
  CHECK(settings.listen.admin.written == "localhost:17000");
  CHECK_FALSE(settings.listen.health);
  CHECK_FALSE(settings.exporting.endpoint);
  CHECK(settings.tracing);
  CHECK(settings.context_sources == 255);
  CHECK(settings.workers == 1);
  CHECK(settings.spans.ignore.size() == 4);

  const proxy::Options options;
  CHECK(settings.propagation.baggage_allow == options.baggage_allow);
  CHECK(settings.via == options.via);
}

TEST_CASE("the limits of the proxy are the proxy's own by default") {
  const Settings settings = configured("").settings;
  const proxy::Limits limits;
  const proxy::Limits& read = settings.limits.proxy;
  CHECK(read.codec.head_bytes_max == limits.codec.head_bytes_max);
  CHECK(read.codec.target_bytes_max == limits.codec.target_bytes_max);
  CHECK(read.codec.fields_max == limits.codec.fields_max);
  CHECK(read.codec.interims_max == limits.codec.interims_max);
  CHECK(read.codec.window_bytes == limits.codec.window_bytes);
  CHECK(read.codec.head_time_max == limits.codec.head_time_max);
  CHECK(read.replay_bytes_max == limits.replay_bytes_max);
  CHECK(read.queue_bytes_max == limits.queue_bytes_max);
  CHECK(read.keep_alive_time_max == limits.keep_alive_time_max);
  CHECK(read.stream_idle_time_max == limits.stream_idle_time_max);
  CHECK(read.connections_max == limits.connections_max);
  CHECK(read.metric_series_max == limits.metric_series_max);
  CHECK(read.begin_time_max == limits.begin_time_max);
  CHECK(read.half_close_time_max == limits.half_close_time_max);
}

TEST_CASE("the limits of connections, names and endpoints are the rooms' own by default") {
  const Settings settings = configured("").settings;
  const wire::Pool::Options pool;
  CHECK(settings.limits.pool.codec.head_bytes_max == pool.codec.head_bytes_max);
  CHECK(settings.limits.pool.connections_per_origin_max == pool.connections_per_origin_max);
  CHECK(settings.limits.pool.idle_max == pool.idle_max);
  CHECK(settings.limits.pool.idle_per_origin_max == pool.idle_per_origin_max);
  CHECK(settings.limits.pool.idle_time_max == pool.idle_time_max);
  const wire::Dialer::Options dialer;
  CHECK(settings.limits.dialer.connect_time_max == dialer.connect_time_max);
  CHECK(settings.limits.dialer.attempt_delay == dialer.attempt_delay);
  CHECK(settings.limits.dialer.resolver.positive_ttl == dialer.resolver.positive_ttl);
  CHECK(settings.limits.dialer.resolver.negative_ttl == dialer.resolver.negative_ttl);
  CHECK(settings.limits.dialer.resolver.entries_max == dialer.resolver.entries_max);
  CHECK(settings.limits.dialer.resolver.addresses_max == dialer.resolver.addresses_max);
  CHECK(settings.limits.dialer.resolver.lookups_max == dialer.resolver.lookups_max);
  CHECK(settings.limits.dialer.resolver.threads_max == dialer.resolver.threads_max);
  const serve::Endpoint::Options serve;
  CHECK(settings.limits.serve.connections_max == serve.connections_max);
  CHECK(settings.limits.serve.body_bytes_max == serve.body_bytes_max);
  CHECK(settings.limits.serve.request_time_max == serve.request_time_max);
  CHECK(settings.limits.serve.idle_time_max == serve.idle_time_max);
  const trace::AttributeLimits attributes;
  CHECK(settings.limits.attributes.count_max == attributes.count_max);
  CHECK(settings.limits.attributes.value_bytes_max == attributes.value_bytes_max);
}

TEST_CASE("what exports are told is the pipeline's own by default") {
  const Settings settings = configured("").settings;
  const report::BatchOptions batch;
  CHECK(settings.exporting.batch_spans == batch.spans_max);
  CHECK(settings.exporting.batch_bytes == batch.bytes_max);
  CHECK(settings.exporting.batch_delay == batch.delay);
  CHECK(settings.exporting.queue_spans == batch.queue_max);
  const report::OtlpOptions otlp;
  CHECK(settings.exporting.gzip == otlp.gzip);
  CHECK(settings.exporting.timeout == otlp.timeout);
  CHECK(settings.exporting.reply_bytes == otlp.reply_bytes_max);
  CHECK(settings.exporting.retry.backoff_start == otlp.retry.backoff_start);
  CHECK(settings.exporting.retry.backoff_max == otlp.retry.backoff_max);
  CHECK(settings.exporting.retry.retry_after_max == otlp.retry.retry_after_max);
}

TEST_CASE("the default deny list and destinations do what the proxy's own do") {
  const Settings settings = configured("").settings;
  const auto address = [](const char* ip) { return *net::Address::parse(ip, 80); };
  for (const char* ip : {"169.254.169.254", "169.254.1.1", "fe80::1", "fd00:ec2::254", "10.0.0.1",
                         "127.0.0.1", "93.184.216.34"}) {
    CAPTURE(ip);
    const net::Address target = address(ip);
    CHECK(proxy::matches(settings.egress.deny, ip, &target) ==
          proxy::matches(proxy::default_deny(), ip, &target));
  }
  for (const char* host : {"tools", "api.svc", "api.example.com", "10.0.0.1"}) {
    CAPTURE(host);
    const auto ours =
        proxy::rule_for(settings.propagation.destinations, proxy::Door::kEgress, host, nullptr);
    const auto own =
        proxy::rule_for(proxy::default_destinations(), proxy::Door::kEgress, host, nullptr);
    CHECK(ours.traceparent == own.traceparent);
    CHECK(ours.tracestate == own.tracestate);
    CHECK(ours.baggage == own.baggage);
  }
}

TEST_CASE("the strongest source counts, the others are named") {
  struct Row {
    const char* name;
    const char* flag;
    const char* variable;
    const char* file;
    const char* standard;
    const char* command;
    const char* result;
    const char* winner;
    std::vector<std::string> losers;
  };
  const Row rows[] = {
      {"all",
       "a",
       "b",
       "c",
       "d",
       "e",
       "a",
       "--name",
       {"SIDESPAN_SERVICE_NAME", "c.yaml:1", "OTEL_SERVICE_NAME"}},
      {"no flag",
       "",
       "b",
       "c",
       "d",
       "e",
       "b",
       "SIDESPAN_SERVICE_NAME",
       {"c.yaml:1", "OTEL_SERVICE_NAME"}},
      {"the file", "", "", "c", "d", "e", "c", "c.yaml:1", {"OTEL_SERVICE_NAME"}},
      {"OpenTelemetry", "", "", "", "d", "e", "d", "OTEL_SERVICE_NAME", {}},
      {"the command's own", "", "", "", "", "e", "e", "run", {}},
      {"nobody", "", "", "", "", "", "unknown_service:sidespan", "default", {}},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    const std::string given = row.file;
    ConfigSources sources;
    sources.file = ConfigFile{"c.yaml", given.empty() ? "" : "service: {name: " + given + "}"};
    sources.environment = {{"SIDESPAN_SERVICE_NAME", row.variable},
                           {"OTEL_SERVICE_NAME", row.standard}};
    if (*row.flag != '\0') sources.flags.push_back({"service.name", row.flag, "--name"});
    if (*row.command != '\0') sources.defaults.push_back({"service.name", row.command, "run"});
    const Configuration configuration = configure(sources);
    CHECK(faults_of(configuration).empty());
    CHECK(configuration.settings.service.name == row.result);
    const EffectiveValue& value = value_of(configuration, "service.name");
    REQUIRE(value.winners.size() == 1);
    CHECK(value.winners[0].place() == row.winner);
    CHECK(value.losers == row.losers);
  }
}

constexpr const char* kWholeFile = R"(
service:
  name: ${AGENT}
  resource: {deployment.environment.name: prod}
listen: {egress: "127.0.0.1:0", admin: off, health: ":17021"}
routes:
  - {path: /tools, to: "http://tools.internal/v2"}
egress: {deny: [], allow_from: [10.0.0.0/8]}
propagation:
  extract: [tracecontext]
  inject: []
  destinations: [{match: ["*"], send: [traceparent]}]
  baggage: {allow: [a*], add: {tenant: x}}
context: {sources: [wire]}
sampling: {head: {sampler: traceidratio, ratio: 0.1}}
spans: {ignore: [], url_templates: ["/v1/{id}"], peers: {H: shop}, known_methods: [GET]}
capture: {request_headers: [X-A], response_headers: [X-B], redact: [sig]}
http: {via: on}
export:
  otlp: {endpoint: "http://c:4318", headers: {A: b}, compression: none, timeout: 500ms}
  batch: {spans: 10, bytes: 64KiB, delay: 0, queue: 20}
limits: {head_bytes: 128KiB, attribute_bytes: 1KiB, run_spans: 5, connect_time: 1s}
log: {level: debug, format: text, access: on}
drain: {quiet: 100ms, deadline: 10s}
workers: 2
)";

TEST_CASE("a whole file, from service to sampling") {
  const Configuration configuration = configured(kWholeFile, {{"AGENT", "planner"}});
  CHECK(faults_of(configuration).empty());
  CHECK(warnings_of(configuration).empty());
  const Settings& settings = configuration.settings;
  CHECK(settings.service.name == "planner");
  CHECK(settings.service.resource == Pairs{{"deployment.environment.name", "prod"}});
  CHECK(settings.listen.egress.addresses.size() == 1);
  CHECK_FALSE(settings.listen.admin);
  CHECK(settings.listen.health.addresses.size() == 2);
  CHECK(settings.routes.at(0).path == "/tools/");
  CHECK(settings.egress.deny.empty());
  CHECK(settings.egress.allow_from.size() == 1);
  CHECK(settings.propagation.inject == std::vector<std::string>{"none"});
  CHECK(settings.propagation.destinations.size() == 1);
  CHECK(settings.propagation.baggage_add == Pairs{{"tenant", "x"}});
  CHECK(settings.context_sources == 1U << static_cast<unsigned>(lineage::Source::kWire));
  CHECK(settings.sampling.sampler == "traceidratio");
  CHECK(settings.sampling.ratio == 0.1);
}

TEST_CASE("a whole file, from spans to workers") {
  const Configuration configuration = configured(kWholeFile, {{"AGENT", "planner"}});
  const Settings& settings = configuration.settings;
  CHECK(settings.spans.ignore.empty());
  CHECK(settings.spans.peers.at("h") == "shop");
  CHECK(settings.capture.request_headers == std::vector<std::string>{"x-a"});
  CHECK(settings.via);
  CHECK(url_of(configuration) == "c:4318/v1/traces");
  CHECK(settings.exporting.headers == Pairs{{"A", "b"}});
  CHECK_FALSE(settings.exporting.gzip);
  CHECK(settings.exporting.timeout == Milliseconds{500});
  CHECK(settings.exporting.batch_delay == Milliseconds{0});
  CHECK(settings.limits.proxy.codec.head_bytes_max == 131'072);
  CHECK(settings.limits.pool.codec.head_bytes_max == 131'072);
  CHECK(settings.limits.serve.codec.head_bytes_max == 131'072);
  CHECK(settings.limits.attributes.value_bytes_max == 1024);
  CHECK(settings.limits.run_spans == 5);
  CHECK(settings.log.level == LogLevel::kDebug);
  CHECK(settings.log.format == LogFormat::kText);
  CHECK(settings.log.access);
  CHECK(settings.drain.deadline == Milliseconds{10'000});
  CHECK(settings.limits.proxy.codec.drain_time == Milliseconds{4000});
  CHECK(settings.workers == 2);
}

TEST_CASE("variables say the same in one line") {
  const Configuration configuration =
      configured("", {{"SIDESPAN_EGRESS_DENY", "link-local, *.bank.example"},
                      {"SIDESPAN_EXPORT_OTLP_HEADERS", "a=b, c=d=e"},
                      {"SIDESPAN_SPANS_PEERS", "{x: y}"},
                      {"SIDESPAN_SPANS_IGNORE", "[]"},
                      {"SIDESPAN_ROUTES", "[{path: /a/, to: 'http://h/'}]"},
                      {"SIDESPAN_EXPORT_OTLP_ENDPOINT", "http://c:4318"},
                      {"SIDESPAN_LISTEN_EGRESS", ""}});
  CHECK(faults_of(configuration).empty());
  CHECK(configuration.settings.egress.deny.size() == 2);
  CHECK(configuration.settings.exporting.headers == Pairs{{"a", "b"}, {"c", "d=e"}});
  CHECK(configuration.settings.spans.peers.at("x") == "y");
  CHECK(configuration.settings.spans.ignore.empty());
  CHECK(configuration.settings.routes.size() == 1);
  CHECK(configuration.settings.listen.egress.written == "localhost:17001");
}

TEST_CASE("a text in the file may be a list or a map as well") {
  const Configuration configuration =
      configured("egress: {deny: '${DENY}'}\nspans: {peers: 'a=b'}\n", {{"DENY", "a, b, c"}});
  CHECK(faults_of(configuration).empty());
  CHECK(configuration.settings.egress.deny.size() == 3);
  CHECK(configuration.settings.spans.peers.at("a") == "b");
}

TEST_CASE("a key without a value is not set") {
  const Configuration configuration =
      configured("service:\nlisten: {egress: , admin: ~}\nworkers:\n");
  CHECK(faults_of(configuration).empty());
  CHECK(configuration.settings.listen.admin.written == "localhost:17000");
  CHECK(configuration.settings.workers == 1);
}

TEST_CASE("every fault is told, in the order of the file, then the variables") {
  const Configuration configuration = configured(
      "log: {level: loud, levl: info}\n"
      "store: {max_bytes: 1}\n"
      "egress:\n"
      "  deny: [ok, 'not ok', 10.0.0.0/99]\n"
      "  allow_from: 5\n"
      "drain: 5s\n"
      "log.format: text\n"
      "workers: ${NONE}\n"
      "export: {otlp: {endpoint: 'ftp://c'}}\n",
      {{"SIDESPAN_WORKERS", "many"}, {"SIDESPAN_SPANS_PEERS", "x"}});
  const std::string faults = faults_of(configuration);
  const char* expected[] = {
      "c.yaml:1: log.level: 'loud' is not one of debug, info, warn, error\n",
      "c.yaml:1: log.levl: is not a setting; is 'log.level' meant?\n",
      "c.yaml:2: store: is not in this version\n",
      "c.yaml:4: egress.deny[1]: ",
      "c.yaml:4: egress.deny[2]: ",
      "c.yaml:5: egress.allow_from[0]: '5' is no network like 10.0.0.0/8\n",
      "c.yaml:6: drain: is a section and takes a map\n",
      "c.yaml:7: log.format: is not a setting; sections are nested, not joined by dots\n",
      "c.yaml:8: workers: the variable NONE is not set; ${NONE:-} would allow that\n",
      "c.yaml:9: export.otlp.endpoint: is no URL: the URL's scheme is not http or https\n",
      "SIDESPAN_WORKERS: workers: 'many' is no whole number\n",
      "SIDESPAN_SPANS_PEERS: spans.peers: takes a map, like name=value,name=value\n",
  };
  for (const char* fault : expected) {
    CAPTURE(fault);
    CHECK(faults.find(fault) != std::string::npos);
  }
  CHECK(configuration.faults.size() == std::size(expected));
  CHECK(std::ranges::is_sorted(configuration.faults, {}, [](const Fault& fault) {
    return std::pair(fault.where != "c.yaml", fault.line);
  }));
}

TEST_CASE("a file that is no configuration") {
  CHECK(faults_of(configured("[a, b]")) == "c.yaml:1: a configuration is a map of sections\n");
  CHECK(faults_of(configured("a: [")).starts_with("c.yaml:1: is not YAML: "));
  CHECK(faults_of(configured("workers: 1\nworkers: 2\n")) ==
        "c.yaml:2: workers: is written twice; the first is in line 1\n");
}

TEST_CASE("a fault does not hide behind a stronger source") {
  const Configuration configuration = configured("workers: x", {{"SIDESPAN_WORKERS", "2"}});
  CHECK(faults_of(configuration) == "c.yaml:1: workers: 'x' is no whole number\n");
}

TEST_CASE("what is bad in OpenTelemetry's variables is a warning and not used") {
  struct Row {
    const char* name;
    Environment environment;
    const char* warnings;
  };
  const Row rows[] = {
      {"a sampler we have not", {{"OTEL_TRACES_SAMPLER", "xray"}}, "OTEL_TRACES_SAMPLER: "},
      {"no ratio",
       {{"OTEL_TRACES_SAMPLER_ARG", "2"}},
       "OTEL_TRACES_SAMPLER_ARG: '2' is no number from 0 to 1; it is ignored\n"},
      {"no time",
       {{"OTEL_BSP_SCHEDULE_DELAY", "1s"}},
       "OTEL_BSP_SCHEDULE_DELAY: '1s' is no number of milliseconds; it is ignored\n"},
      {"no count",
       {{"OTEL_BSP_MAX_QUEUE_SIZE", "-5"}},
       "OTEL_BSP_MAX_QUEUE_SIZE: '-5' is no whole number; it is ignored\n"},
      {"a protocol we have not",
       {{"OTEL_EXPORTER_OTLP_PROTOCOL", "http/json"}},
       "OTEL_EXPORTER_OTLP_PROTOCOL: http/json is not in this version, only http/protobuf and "
       "grpc; "
       "it is ignored\n"},
      {"an endpoint for a protocol we have not",
       {{"OTEL_EXPORTER_OTLP_PROTOCOL", "http/json"},
        {"OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:4318"}},
       "OTEL_EXPORTER_OTLP_PROTOCOL: http/json is not in this version, so the endpoint of "
       "OTEL_EXPORTER_OTLP_ENDPOINT does not count and nothing is exported; "},
      {"half an escape in headers",
       {{"OTEL_EXPORTER_OTLP_HEADERS", "Authorization=Basic geheim%"}},
       "OTEL_EXPORTER_OTLP_HEADERS: is not well percent-encoded; it is ignored, and exports go out "
       "without its headers\n"},
      {"a secret where a name should be",
       {{"OTEL_EXPORTER_OTLP_HEADERS", "Authorization: Basic geheim=="}},
       "OTEL_EXPORTER_OTLP_HEADERS: has a name in it that is no header name; it is ignored\n"},
      {"no switch",
       {{"OTEL_SDK_DISABLED", "1"}},
       "OTEL_SDK_DISABLED: '1' is neither true nor false; it is ignored\n"},
      {"resource, told once",
       {{"OTEL_RESOURCE_ATTRIBUTES", "a"}},
       "OTEL_RESOURCE_ATTRIBUTES: is no list of key=value; it is ignored\n"},
      {"propagators, told once",
       {{"OTEL_PROPAGATORS", "xray-lambda"}},
       "OTEL_PROPAGATORS: 'xray-lambda' is not in this version and left out\n"},
      {"a header that is ours",
       {{"OTEL_EXPORTER_OTLP_HEADERS", "host=geheim"}},
       "OTEL_EXPORTER_OTLP_HEADERS: 'host' is written by the exporter itself; it is ignored\n"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    const Configuration configuration = configured("", row.environment);
    CHECK(faults_of(configuration).empty());
    CHECK(warnings_of(configuration).starts_with(row.warnings));
    CHECK(configuration.settings.warnings.size() == 1);
    for (const EffectiveValue& value : configuration.values) {
      CHECK(value.winners.front().kind == SourceKind::kDefault);
    }
  }
}

TEST_CASE("OpenTelemetry's variables are honoured") {
  const Configuration configuration =
      configured("", {{"OTEL_SERVICE_NAME", "agent"},
                      {"OTEL_RESOURCE_ATTRIBUTES", "service.name=other,k8s.pod.name=p%2C1"},
                      {"OTEL_PROPAGATORS", "tracecontext"},
                      {"OTEL_TRACES_SAMPLER", "TraceIdRatio"},
                      {"OTEL_TRACES_SAMPLER_ARG", "5e-1"},
                      {"OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:4318/p"},
                      {"OTEL_EXPORTER_OTLP_HEADERS", "a=b"},
                      {"OTEL_EXPORTER_OTLP_TRACES_HEADERS", "c=d%20e"},
                      {"OTEL_EXPORTER_OTLP_COMPRESSION", "none"},
                      {"OTEL_EXPORTER_OTLP_TIMEOUT", "2500"},
                      {"OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf"},
                      {"OTEL_BSP_SCHEDULE_DELAY", "50"},
                      {"OTEL_BSP_MAX_QUEUE_SIZE", "100"},
                      {"OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "10"},
                      {"OTEL_ATTRIBUTE_COUNT_LIMIT", "5"},
                      {"OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "6"},
                      {"OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", "7"},
                      {"OTEL_SDK_DISABLED", "True"}});
  CHECK(faults_of(configuration).empty());
  CHECK(warnings_of(configuration).empty());
  const Settings& settings = configuration.settings;
  CHECK(settings.service.name == "agent");
  CHECK(settings.service.resource == Pairs{{"k8s.pod.name", "p,1"}});
  CHECK(settings.propagation.extract == std::vector<std::string>{"tracecontext"});
  CHECK(settings.propagation.inject == std::vector<std::string>{"tracecontext"});
  CHECK(settings.sampling.sampler == "traceidratio");
  CHECK(settings.sampling.ratio == 0.5);
  CHECK(url_of(configuration) == "c:4318/p/v1/traces");
  CHECK(settings.exporting.headers == Pairs{{"c", "d e"}});
  CHECK_FALSE(settings.exporting.gzip);
  CHECK(settings.exporting.timeout == Milliseconds{2500});
  CHECK(settings.exporting.batch_delay == Milliseconds{50});
  CHECK(settings.exporting.queue_spans == 100);
  CHECK(settings.exporting.batch_spans == 10);
  CHECK(settings.limits.attributes.count_max == 6);
  CHECK(settings.limits.attributes.value_bytes_max == 7);
  CHECK_FALSE(settings.tracing);
}

TEST_CASE("which endpoint OpenTelemetry's variables mean") {
  const Environment base = {{"OTEL_EXPORTER_OTLP_ENDPOINT", "http://base:1"}};
  const auto with = [](Environment environment, const char* name, const char* value) {
    environment[name] = value;
    return environment;
  };
  struct Row {
    const char* name;
    std::string file;
    Environment environment;
    const char* url;
  };
  const char* const own = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT";
  const char* const exporter = "OTEL_TRACES_EXPORTER";
  const char* const protocol = "OTEL_EXPORTER_OTLP_PROTOCOL";
  const char* const own_protocol = "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL";
  const std::string file = "export: {otlp: {endpoint: 'http://file:2'}}";
  const Row rows[] = {
      {"none", "", {}, "off"},
      {"the base", "", base, "base:1/v1/traces"},
      {"the signal's own", "", with(base, own, "http://own:3/x"), "own:3/x"},
      {"the signal's own, as it is", "", with(base, own, "http://own:3"), "own:3/"},
      {"empty is unset", "", with(base, own, ""), "base:1/v1/traces"},
      {"a bad one is unset", "", with(base, own, "own"), "base:1/v1/traces"},
      {"exporter otlp", "", {{exporter, "otlp"}}, "localhost:4318/v1/traces"},
      {"exporter otlp and a base", "", with(base, exporter, "otlp"), "base:1/v1/traces"},
      {"exporter none", "", with(base, exporter, "none"), "off"},
      {"an unknown exporter", "", with(base, exporter, "zipkin"), "off"},
      {"an unknown exporter beside otlp", "", with(base, exporter, "zipkin,otlp"),
       "base:1/v1/traces"},
      {"for gRPC", "", with(base, protocol, "grpc"), "base:1/v1/traces"},
      {"for gRPC, in capitals", "", with(base, protocol, "GRPC"), "base:1/v1/traces"},
      {"for JSON", "", with(base, protocol, "http/json"), "off"},
      {"the signal for JSON", "",
       with(with(base, protocol, "http/protobuf"), own_protocol, "http/json"), "off"},
      {"the signal for protobuf, others for gRPC", "",
       with(with(base, protocol, "grpc"), own_protocol, "http/protobuf"), "base:1/v1/traces"},
      {"exporter otlp for gRPC",
       "",
       {{exporter, "otlp"}, {protocol, "grpc"}},
       "localhost:4317/v1/traces"},
      {"that port, said, for gRPC",
       "",
       {{protocol, "grpc"}, {"OTEL_EXPORTER_OTLP_ENDPOINT", "http://localhost:4318"}},
       "localhost:4318/v1/traces"},
      {"no known protocol", "", with(base, protocol, "smoke"), "base:1/v1/traces"},
      {"our own endpoint, others for gRPC", file, with(base, protocol, "grpc"), "file:2/v1/traces"},
      {"our own protocol, others for gRPC", "export: {otlp: {protocol: http/protobuf}}",
       with(base, protocol, "grpc"), "base:1/v1/traces"},
      {"the file before all", file, with(base, exporter, "none"), "file:2/v1/traces"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    const Configuration configuration = configured(row.file, row.environment);
    CHECK(faults_of(configuration).empty());
    CHECK(url_of(configuration) == row.url);
  }
}

TEST_CASE("for gRPC an endpoint of OpenTelemetry's variables may have no scheme") {
  const auto url = [](const Environment& environment) {
    Environment all = environment;
    all.emplace("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc");
    const Configuration configuration = configured("", all);
    CHECK(faults_of(configuration).empty());
    return std::string(configuration.settings.exporting.endpoint->scheme) + " " +
           url_of(configuration);
  };
  const char* const base = "OTEL_EXPORTER_OTLP_ENDPOINT";
  const char* const own = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT";
  const char* const insecure = "OTEL_EXPORTER_OTLP_INSECURE";
  CHECK(url({{base, "c:4317"}}) == "https c:4317/v1/traces");
  CHECK(url({{base, "c:4317"}, {insecure, "true"}}) == "http c:4317/v1/traces");
  CHECK(url({{base, "c:4317"}, {insecure, "TRUE"}}) == "http c:4317/v1/traces");
  CHECK(url({{base, "c:4317"}, {insecure, "1"}}) == "https c:4317/v1/traces");
  CHECK(url({{base, "https://c:4317"}, {insecure, "true"}}) == "https c:4317/v1/traces");
  CHECK(url({{own, "c:4317"}, {insecure, "true"}}) == "http c:4317/v1/traces");
  CHECK(
      url({{own, "c:4317"}, {insecure, "true"}, {"OTEL_EXPORTER_OTLP_TRACES_INSECURE", "false"}}) ==
      "https c:4317/v1/traces");
}

TEST_CASE("what an endpoint without a scheme is taken for is said, where nobody has said it") {
  const auto warnings = [](Environment environment) {
    environment.emplace("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc");
    return warnings_of(configured("", environment));
  };
  const char* const base = "OTEL_EXPORTER_OTLP_ENDPOINT";
  const char* const insecure = "OTEL_EXPORTER_OTLP_INSECURE";
  CHECK(warnings({{base, "c:4317"}})
            .starts_with("OTEL_EXPORTER_OTLP_ENDPOINT: has no scheme and is taken for https://, "));
  CHECK(warnings({{base, "c:4317"}, {insecure, "false"}}).empty());
  CHECK(warnings({{base, "c:4317"}, {insecure, "true"}}).empty());
  CHECK(warnings({{base, "https://c:4317"}}).empty());
  CHECK(warnings({{base, "c:4317"}, {"SIDESPAN_EXPORT_OTLP_ENDPOINT", "http://c:4317"}}).empty());
}

TEST_CASE("which protocol OpenTelemetry's variables mean, and for whose endpoint") {
  const auto protocol = [](const std::string& file, const Environment& environment) {
    return configured(file, environment).settings.exporting.protocol;
  };
  using report::OtlpProtocol;
  const Environment grpc = {{"OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"},
                            {"OTEL_EXPORTER_OTLP_ENDPOINT", "http://base:1"}};
  CHECK(protocol("", {}) == OtlpProtocol::kHttp);
  CHECK(protocol("", grpc) == OtlpProtocol::kGrpc);
  CHECK(protocol("export: {otlp: {endpoint: 'http://file:2'}}", grpc) == OtlpProtocol::kHttp);
  CHECK(protocol("export: {otlp: {protocol: http/protobuf}}", grpc) == OtlpProtocol::kHttp);
  CHECK(protocol("export: {otlp: {endpoint: 'http://file:2', protocol: grpc}}", {}) ==
        OtlpProtocol::kGrpc);
}

TEST_CASE("whether somebody has said where to export to") {
  CHECK_FALSE(configured("").settings.exporting.decided);
  CHECK_FALSE(configured("", {{"OTEL_EXPORTER_OTLP_ENDPOINT", " "}}).settings.exporting.decided);
  CHECK(configured("export: {otlp: {endpoint: off}}").settings.exporting.decided);
  CHECK(configured("export: {otlp: {endpoint: 'http://c'}}").settings.exporting.decided);
  CHECK(configured("", {{"SIDESPAN_EXPORT_OTLP_ENDPOINT", "off"}}).settings.exporting.decided);
  CHECK(configured("", {{"OTEL_TRACES_EXPORTER", "none"}}).settings.exporting.decided);
  // Named, though it does not count.
  CHECK(configured("", {{"OTEL_EXPORTER_OTLP_ENDPOINT", "https://c"}}).settings.exporting.decided);
}

TEST_CASE("resource attributes of several sources add up") {
  const Configuration configuration = configured(
      "service: {resource: {a: file, b: file}}",
      {{"OTEL_RESOURCE_ATTRIBUTES", "a=otel,c=otel"}, {"SIDESPAN_SERVICE_RESOURCE", "b=own"}});
  CHECK(faults_of(configuration).empty());
  CHECK(configuration.settings.service.resource ==
        Pairs{{"b", "own"}, {"a", "file"}, {"c", "otel"}});
  const EffectiveValue& value = value_of(configuration, "service.resource");
  CHECK(value.winners.size() == 3);
  CHECK(value.losers.empty());
}

TEST_CASE("settings that do not go together") {
  struct Row {
    const char* name;
    const char* yaml;
    const char* faults;  // a part of it; empty: none
  };
  const Row rows[] = {
      {"egress on all addresses", "listen: {egress: ':17001'}",
       "c.yaml:1: listen.egress: is more than loopback; egress.allow_from must say who may "
       "connect\n"},
      {"egress on an address of this machine", "listen: {egress: '10.1.2.3:1'}",
       "listen.egress: is more than loopback"},
      {"egress for some", "listen: {egress: ':17001'}\negress: {allow_from: [10.0.0.0/8]}", ""},
      {"egress on loopback", "listen: {egress: '127.0.0.2:5'}", ""},
      {"admin on all addresses", "listen: {admin: ':17000'}",
       "listen.admin: is more than loopback, which is not in this version"},
      {"health on all addresses", "listen: {health: ':17021'}", ""},
      {"one port twice", "listen: {admin: 'localhost:17001'}",
       "c.yaml:1: listen.admin: has the port of listen.egress\n"},
      {"one port twice, on one family", "listen: {health: '[::1]:17000'}",
       "listen.health: has the port of listen.admin"},
      {"one port twice, once on all", "listen: {health: ':17000'}",
       "listen.health: has the port of listen.admin"},
      {"the later listener is told, though the earlier was changed",
       "listen: {egress: 'localhost:17000'}",
       "c.yaml:1: listen.admin: has the port of listen.egress\n"},
      {"one port on two addresses", "listen: {health: '127.0.0.2:17000'}", ""},
      {"free ports", "listen: {egress: 'localhost:0', admin: 'localhost:0'}", ""},
      {"no listeners", "listen: {egress: off, admin: off}", ""},
      {"a collector that is us", "export: {otlp: {endpoint: 'http://localhost:17001'}}",
       "c.yaml:1: export.otlp.endpoint: is sidespan's own listen.egress\n"},
      {"in another spelling", "export: {otlp: {endpoint: 'http://[::1]:17000/x'}}",
       "export.otlp.endpoint: is sidespan's own listen.admin"},
      {"as a mapped address", "export: {otlp: {endpoint: 'http://[::ffff:127.0.0.1]:17000'}}",
       "export.otlp.endpoint: is sidespan's own listen.admin"},
      {"by the address that means this machine",
       "export: {otlp: {endpoint: 'http://0.0.0.0:17000'}}",
       "export.otlp.endpoint: is sidespan's own listen.admin"},
      {"on all addresses, by any of loopback",
       "listen: {health: ':17021'}\nexport: {otlp: {endpoint: 'http://127.9.9.9:17021'}}",
       "c.yaml:2: export.otlp.endpoint: is sidespan's own listen.health"},
      {"a collector beside us", "export: {otlp: {endpoint: 'http://localhost:4318'}}", ""},
      {"a collector with our port elsewhere", "export: {otlp: {endpoint: 'http://c:17001'}}", ""},
      {"an ingress that leads nowhere", "listen: {ingress: ':17006'}",
       "c.yaml:1: listen.ingress: needs ingress.forward_to, where the agent's own server is\n"},
      {"an ingress to the agent's server",
       "listen: {ingress: ':17006'}\ningress: {forward_to: 'localhost:8080'}", ""},
      {"a server without an ingress", "ingress: {forward_to: 'localhost:17001'}", ""},
      {"an ingress that leads to itself",
       "listen: {ingress: ':17006'}\ningress: {forward_to: '127.0.0.1:17006'}",
       "c.yaml:2: ingress.forward_to: is sidespan's own listen.ingress\n"},
      {"an ingress that leads to the egress",
       "listen: {ingress: ':17006'}\ningress: {forward_to: 'localhost:17001'}",
       "ingress.forward_to: is sidespan's own listen.egress"},
      {"an ingress on the port of the egress",
       "listen: {ingress: ':17001'}\ningress: {forward_to: 'localhost:8080'}",
       "listen.ingress: has the port of listen.egress"},
      {"batches longer than the queue", "export: {batch: {queue: 100}}",
       "c.yaml:1: export.batch.spans: is 512, more than export.batch.queue, which is 100\n"},
      {"a tail that several workers are too slow for",
       "workers: 2\nsampling: {tail: {wait: 19ms, policies: [{errors: true}]}}",
       "c.yaml:2: sampling.tail: has a wait of less than 20ms, for which one of the 2 workers may "
       "not have told yet that a trace goes on\n"},
      {"one that is slow enough",
       "workers: 2\nsampling: {tail: {wait: 20ms, policies: [{errors: true}]}}", ""},
      {"one that is a single worker's", "sampling: {tail: {wait: 1ms, policies: [{errors: true}]}}",
       ""},
      {"targets longer than heads", "limits: {target_bytes: 128KiB}",
       "limits.target_bytes: is more than limits.head_bytes"},
      {"quiet longer than the deadline", "drain: {quiet: 1m}",
       "drain.quiet: is longer than drain.deadline"},
      {"one route twice", "routes: [{path: /a, to: 'http://b'}, {path: /a/, to: 'http://c'}]",
       "routes: has '/a/' twice"},
      {"a format nobody knows", "propagation: {extract: [tracecontext, b4]}",
       "c.yaml:1: propagation.extract: 'b4' is not one of tracecontext, baggage, b3, b3multi, "
       "jaeger, datadog, xray, gcp, ottrace, opencensus, none\n"},
      {"a format of one's own",
       "propagation: {inject: [acme], custom: [{name: acme, header: X-Acme, value: "
       "'{trace_id}{span_id}'}]}",
       ""},
      {"a format of one's own that nobody uses",
       "propagation: {custom: [{name: acme, header: X-Acme, value: '{trace_id}{span_id}'}]}",
       "c.yaml:1: propagation.custom: describes 'acme', which neither"},
      {"two formats in one header",
       "propagation: {inject: [a, b], custom: [{name: a, header: X-A, value: "
       "'{trace_id}{span_id}'}, {name: b, header: x-a, value: '{span_id}{trace_id}'}]}",
       "c.yaml:1: propagation.custom: has the name or the header of 'b' twice\n"},
      {"nothing is compared with what is itself at fault",
       "listen: {egress: ':17001'}\negress: {allow_from: [x]}", "egress.allow_from[0]: 'x' is no"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    const Configuration configuration = configured(row.yaml);
    const std::string faults = faults_of(configuration);
    CAPTURE(faults);
    if (*row.faults == '\0') {
      CHECK(faults.empty());
    } else {
      CHECK(configuration.faults.size() == 1);
      CHECK(faults.find(row.faults) != std::string::npos);
    }
  }
}

TEST_CASE("what does nothing, since another setting is off, is warned of") {
  const std::string server = "ingress: {forward_to: 'localhost:8080'}\n";
  const std::string hosts = "tls: {intercept: {hosts: [a.test]}}\n";
  const std::string listed = "tls: {intercept: {hosts: [a.test], mode: listed}}\n";
  const std::string of_server = "ingress.forward_to does nothing: listen.ingress is off\n";
  const std::string of_hosts = "tls.intercept.hosts does nothing: tls.intercept.mode is off\n";
  CHECK(warnings_of(configured(server)) == "c.yaml:1: " + of_server);
  CHECK(warnings_of(configured(hosts)) == "c.yaml:1: " + of_hosts);
  CHECK(warnings_of(configured("", {{"SIDESPAN_INGRESS_FORWARD_TO", "localhost:8080"}})) ==
        "SIDESPAN_INGRESS_FORWARD_TO: " + of_server);
  CHECK(warnings_of(configured(server + "listen: {ingress: ':17006'}")).empty());
  CHECK(warnings_of(configured(listed)).empty());
  // What a command turns off by itself.
  ConfigSources run;
  run.flags = {{"listen.ingress", "off", "run"}, {"tls.intercept.mode", "off", "--intercept"}};
  run.file = ConfigFile{"c.yaml", server + hosts};
  CHECK(warnings_of(configure(run)).empty());
}

TEST_CASE("an address in brackets is the first of a list of hosts, as in NO_PROXY") {
  using List = std::vector<std::string>;
  for (const auto& [text, list] :
       {std::pair{"[::1],localhost", List{"[::1]", "localhost"}}, std::pair{"[::1]", List{"::1"}},
        std::pair{"[fe80::1%eth9],a", List{"[fe80::1%eth9]", "a"}},
        std::pair{"[2001:db8::1]:80, b", List{"[2001:db8::1]:80", "b"}},
        std::pair{"['::1', b]", List{"::1", "b"}}}) {
    CAPTURE(text);
    const Configuration read = configured("", {{"SIDESPAN_EGRESS_VIA_EXCEPT", text}});
    CHECK(faults_of(read).empty());
    CHECK(read.settings.egress.via_except == list);
  }
}

TEST_CASE("an authority is limited to names that a host may have") {
  const auto faults = [](const std::string& mode, const std::string& hosts) {
    return faults_of(configured("tls: {intercept: {mode: " + mode + ", hosts: " + hosts + "}}\n"));
  };
  for (const char* name : {"a..b", "a.1", "*.b..c", "10.0.0.1.", "*.10.0.0.1"}) {
    CAPTURE(name);
    CHECK(
        faults("listed", "['" + std::string(name) + "']").contains(", which no host is called\n"));
    CHECK(faults("all", "['" + std::string(name) + "']").empty());
    // Networks beside it leave names out.
    CHECK(faults("listed", "['" + std::string(name) + "', 10.0.0.0/8]").empty());
  }
  CHECK(faults("listed", "[b.test, '.a.test']") ==
        "c.yaml:1: tls.intercept.hosts: has '.a.test', which no host is called; what is below a "
        "name is *.a.test\n");
  CHECK(faults("listed", "['*.a.test', a_b.test, '@local', 'a*.test', a.test.]").empty());
  CHECK(faults("listed", "['*.a.test', a_b.test, a.test.]").empty());
}

TEST_CASE("an address in brackets is denied as one without") {
  const Configuration read = configured("", {{"SIDESPAN_EGRESS_DENY", "[10.0.0.1]"}});
  CHECK(faults_of(read).empty());
  REQUIRE(read.settings.egress.deny.size() == 1);
  const net::Address denied = *net::Address::parse("10.0.0.1", 0);
  CHECK(read.settings.egress.deny[0].matches_address(denied));
  CHECK_FALSE(faults_of(configured("", {{"SIDESPAN_EGRESS_DENY", "a, [10.0.0.1]"}})).empty());
}

TEST_CASE("where OpenTelemetry's variables do not fit, they give way") {
  const Configuration queue = configured("", {{"OTEL_BSP_MAX_QUEUE_SIZE", "100"}});
  CHECK(faults_of(queue).empty());
  CHECK(
      warnings_of(queue) ==
      "OTEL_BSP_MAX_QUEUE_SIZE: export.batch.spans is 512, more than export.batch.queue, which is "
      "100; it is ignored\n");
  CHECK(queue.settings.exporting.queue_spans == 8192);

  const Configuration both = configured(
      "", {{"OTEL_BSP_MAX_QUEUE_SIZE", "100"}, {"OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "200"}});
  CHECK(faults_of(both).empty());
  CHECK(both.settings.warnings.size() == 2);
  CHECK(both.settings.exporting.batch_spans <= both.settings.exporting.queue_spans);

  const Configuration own =
      configured("", {{"OTEL_EXPORTER_OTLP_ENDPOINT", "http://localhost:17001"}});
  CHECK(faults_of(own) ==
        "OTEL_EXPORTER_OTLP_ENDPOINT: export.otlp.endpoint: is sidespan's own listen.egress\n");
}

TEST_CASE("a collector's address that cannot be used is a fault where no other one counts") {
  const char* const base = "OTEL_EXPORTER_OTLP_ENDPOINT";
  const char* const own = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT";
  const char* const ours = "SIDESPAN_EXPORT_OTLP_ENDPOINT";
  const char* const exporter = "OTEL_TRACES_EXPORTER";
  const std::string what = "has no scheme: http:// or https:// must stand before the host";
  const std::string fault = ": export.otlp.endpoint: " + what + "\n";
  struct Row {
    const char* name;
    Environment environment;
    std::string faults;
    std::string warnings;
  };
  const Row rows[] = {
      {"for all signals", {{base, "c:4318"}}, base + fault, ""},
      {"for traces", {{own, "c:4318"}}, own + fault, ""},
      {"ours", {{ours, "c:4318"}}, ours + fault, ""},
      {"with the exporter named", {{base, "c:4318"}, {exporter, "otlp"}}, base + fault, ""},
      {"for traces, and a good one for all signals",
       {{own, "c:4318"}, {base, "http://c:4318"}},
       "",
       own + (": " + what) + "; it is ignored\n"},
      {"behind ours", {{base, "c:4318"}, {ours, "off"}}, "", ""},
      {"without an export", {{base, "c:4318"}, {exporter, "none"}}, "", ""},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    const Configuration configuration = configured("", row.environment);
    CHECK(faults_of(configuration) == row.faults);
    CHECK(warnings_of(configuration) == row.warnings);
  }
}

TEST_CASE("variables that are no settings") {
  const Configuration configuration = configured("", {{"SIDESPAN_LOG_LEVL", "debug"},
                                                      {"SIDESPAN_CONFIG", "/x"},
                                                      {"SIDESPAN_STATE_DIR", "/y"},
                                                      {"SIDESPAN_SERVICE_HOST", "10.0.0.1"},
                                                      {"SIDESPAN_SERVICE_PORT", "80"},
                                                      {"SIDESPAN_PORT_80_TCP", "tcp://10.0.0.1"},
                                                      {"SIDESPANX", "z"}});
  CHECK(faults_of(configuration).empty());
  CHECK(warnings_of(configuration) ==
        "SIDESPAN_LOG_LEVL names no setting; is 'SIDESPAN_LOG_LEVEL' meant?\n");
}

TEST_CASE("OpenTelemetry's configuration file is refused") {
  const std::string faults = faults_of(configured("", {{"OTEL_CONFIG_FILE", "/x.yaml"}}));
  CHECK(faults.starts_with("OTEL_CONFIG_FILE: sidespan does not read "));
  CHECK(faults_of(configured("", {{"OTEL_CONFIG_FILE", ""}})).empty());
}

TEST_CASE("secrets stay out of faults and warnings") {
  const Configuration configuration = configured(
      "export:\n"
      "  otlp:\n"
      "    endpoint: http://user:geheim@c:4318\n"
      "    headers: {X-Key: [geheim], 'bad name': geheim}\n",
      {{"SIDESPAN_EXPORT_OTLP_HEADERS", "geheim"},
       {"OTEL_EXPORTER_OTLP_HEADERS", "geheim"},
       {"OTEL_EXPORTER_OTLP_ENDPOINT", "http://user:geheim@c:4318"}});
  CHECK(configuration.faults.size() >= 3);
  CHECK(faults_of(configuration).find("geheim") == std::string::npos);
  CHECK(warnings_of(configuration).find("geheim") == std::string::npos);
}

TEST_CASE("a name that is no UTF-8 is a fault") {
  CHECK(faults_of(configured("", {{"SIDESPAN_SERVICE_RESOURCE", "{\"a\\xff\": b}"}})).empty());
  CHECK(faults_of(configured("", {{"SIDESPAN_SERVICE_RESOURCE", "{a\xff: b}"}})).contains("UTF-8"));
  CHECK(faults_of(configured("service: {resource: {a\xff: b}}")).contains("UTF-8"));
}

}  // namespace
}  // namespace sidespan::app
