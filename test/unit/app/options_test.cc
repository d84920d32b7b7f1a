#include "app/options.h"

#include <doctest/doctest.h>

#include "app/config.h"
#include "app/version.h"

namespace sidespan::app {
namespace {

Settings settings_of(const char* yaml, Environment environment = {}) {
  ConfigSources sources;
  sources.environment = std::move(environment);
  sources.file = ConfigFile{"c.yaml", yaml};
  Configuration configuration = configure(sources);
  REQUIRE(configuration.faults.empty());
  return std::move(configuration.settings);
}

constexpr MemoryShares kShares = {
    .traffic = 1, .export_queue = 2'000'000, .tail = 3'000'000, .lineage_values = 4096};

report::PipelineOptions pipeline_of(const Settings& settings) {
  return pipeline_options(settings, kShares);
}

TEST_CASE("the proxy is told what the user decided") {
  const Settings settings = settings_of(R"(
routes: [{path: /a/, to: "http://b/"}]
egress: {deny: [x], allow_from: [10.0.0.0/8]}
propagation:
  extract: [tracecontext]
  inject: [tracecontext, baggage]
  destinations: [{match: ["*"], send: []}]
  baggage: {allow: [a], add: {c: d}}
context: {sources: [wire]}
spans: {ignore: [/x], url_templates: ["/{a}"], peers: {h: p}, known_methods: [GET]}
capture: {request_headers: [a], response_headers: [b], redact: [c]}
http: {via: on}
limits: {queue_bytes: 1MiB, attributes: 7}
log: {access: on}
)");
  Lineage lineage;
  lineage.run =
      lineage::Execution{.id = "run", .fixed_by = lineage::Source::kListener, .context = {}};
  lineage.environment = trace::SpanContext{};
  const auto options = proxy_options(settings, nullptr, lineage);
  CHECK(options->routes.size() == 1);
  CHECK(options->deny.size() == 1);
  CHECK(options->allow_from.size() == 1);
  CHECK(options->destinations.size() == 1);
  CHECK(options->ignore_paths == std::vector<std::string>{"/x"});
  REQUIRE(options->extract != nullptr);
  CHECK(options->extract->fields().size() == 2);
  REQUIRE(options->inject != nullptr);
  CHECK(options->inject->fields().size() == 3);
  REQUIRE(options->sampler != nullptr);
  CHECK(options->baggage_allow == std::vector<std::string>{"a"});
  CHECK(options->baggage_add == Pairs{{"c", "d"}});
  CHECK(options->tracing);
  CHECK(options->context_sources == 1U << static_cast<unsigned>(lineage::Source::kWire));
  CHECK(options->run->id == "run");
  CHECK(options->environment.has_value());
  CHECK(options->spans.limits.count_max == 7);
  CHECK(options->spans.request_headers == std::vector<std::string>{"a"});
  CHECK(options->spans.response_headers == std::vector<std::string>{"b"});
  CHECK(options->spans.redact_query == std::vector<std::string>{"c"});
  CHECK(options->spans.url_templates == std::vector<std::string>{"/{a}"});
  CHECK(options->spans.peers.at("h") == "p");
  CHECK(options->spans.known_methods == std::vector<std::string>{"GET"});
  CHECK(options->via);
  CHECK(options->access_log);
  CHECK(options->limits.queue_bytes_max == 1'048'576);
}

TEST_CASE("the ingress leads to the agent's server, where there is one") {
  const auto options = proxy_options(
      settings_of("listen: {ingress: ':17006'}\n"
                  "ingress: {forward_to: 'localhost:8080', ignore: [probes, /static/*]}"),
      nullptr, {});
  CHECK(options->ingress);
  CHECK(options->ingress.host == "localhost");
  CHECK(options->ingress.port == 8080);
  CHECK(options->ingress.ignore_probes);
  CHECK(options->ingress.ignore_paths == std::vector<std::string>{"/static/*"});
  CHECK_FALSE(
      proxy_options(settings_of("ingress: {forward_to: 'localhost:8080'}"), nullptr, {})->ingress);
}

TEST_CASE("none is no propagator") {
  const auto options =
      proxy_options(settings_of("propagation: {extract: [none], inject: [none]}"), nullptr, {});
  CHECK(options->extract == nullptr);
  CHECK(options->inject == nullptr);
  CHECK_FALSE(
      proxy_options(settings_of("", {{"OTEL_SDK_DISABLED", "true"}}), nullptr, {})->tracing);
}

TEST_CASE("the sampler is the one that was asked for") {
  const auto decides = [](const char* yaml) {
    const trace::SamplingDecision decision =
        proxy_options(settings_of(yaml), nullptr, {})->sampler->decide(trace::TraceId{}, nullptr);
    return decision.sampled;
  };
  CHECK(decides("sampling: {head: {sampler: always_on}}"));
  CHECK_FALSE(decides("sampling: {head: {sampler: always_off}}"));
  CHECK_FALSE(decides("sampling: {head: {sampler: traceidratio, ratio: 0}}"));
}

TEST_CASE("the pipeline without a collector") {
  const auto options = pipeline_of(settings_of("service: {name: agent, resource: {a: b}}"));
  CHECK_FALSE(options.otlp.has_value());
  CHECK(options.origin.resource.text("service.name") == "agent");
  CHECK(options.origin.resource.text("a") == "b");
  CHECK(options.origin.resource.text("telemetry.distro.name") == "sidespan");
  CHECK(options.origin.resource.text("telemetry.distro.version") == version());
  CHECK(options.origin.scope_name == "sidespan");
  CHECK(options.origin.scope_version == version());
  CHECK(options.origin.schema_url.starts_with("https://opentelemetry.io/schemas/"));
}

TEST_CASE("the resource names service, instance and host, and is not cut by limits of spans") {
  std::string yaml = "limits: {attributes: 2, attribute_bytes: 3}\nservice:\n  resource:\n";
  for (int i = 0; i < 200; ++i) yaml += "    key" + std::to_string(i) + ": a value\n";
  const auto resource = pipeline_of(settings_of(yaml.c_str())).origin.resource;
  CHECK(resource.at(0).key == "service.name");
  CHECK(resource.text("service.name") == "unknown_service:sidespan");
  CHECK(resource.text("key199") == "a value");
  CHECK(resource.dropped() == 0);
  CHECK_FALSE(resource.text("host.name").empty());

  const std::string instance(resource.text("service.instance.id"));
  REQUIRE(instance.size() == 36);
  CHECK(instance[14] == '4');
  CHECK(std::string_view("89ab").contains(instance[19]));
  for (const size_t dash : {8, 13, 18, 23}) CHECK(instance[dash] == '-');
  CHECK(pipeline_of(settings_of("")).origin.resource.text("service.instance.id") != instance);

  const auto given =
      pipeline_of(settings_of("service: {resource: {service.instance.id: mine, host.name: h}}"));
  CHECK(given.origin.resource.text("service.instance.id") == "mine");
  CHECK(given.origin.resource.text("host.name") == "h");
}

TEST_CASE("the pipeline with a collector") {
  const auto options = pipeline_of(settings_of(R"(
export:
  otlp: {endpoint: "http://C:4319/x", headers: {k: v}, compression: none, timeout: 3s}
  batch: {spans: 2, bytes: 2KiB, delay: 5ms, queue: 4}
limits: {export_queue_bytes: 2MiB, export_reply_bytes: 1KiB, export_backoff: 10ms,
         export_backoff_most: 20ms, export_retry_after: 30ms,
         export_retry_time: 40ms}
)"));
  REQUIRE(options.otlp.has_value());
  CHECK(options.otlp->host == "c");
  CHECK(options.otlp->port == 4319);
  CHECK(options.otlp->path == "/x");
  CHECK(options.otlp->headers == Pairs{{"k", "v"}});
  CHECK_FALSE(options.otlp->gzip);
  CHECK(options.otlp->timeout == Milliseconds{3000});
  CHECK(options.otlp->user_agent == "sidespan/" + std::string(version()));
  CHECK(options.otlp->reply_bytes_max == 1024);
  CHECK(options.otlp->retry.backoff_start == Milliseconds{10});
  CHECK(options.otlp->retry.backoff_max == Milliseconds{20});
  CHECK(options.otlp->retry.retry_after_max == Milliseconds{30});
  CHECK(options.otlp->retry.time_max == Milliseconds{40});
  CHECK(options.batch.spans_max == 2);
  CHECK(options.batch.bytes_max == 2048);
  CHECK(options.batch.delay == Milliseconds{5});
  CHECK(options.batch.queue_max == 4);
  CHECK(options.batch.queue_bytes_max == 2'097'152);
}

TEST_CASE("what the queues take is a share of the machine's memory, or as it is set") {
  constexpr std::string_view kTail =
      "export: {otlp: {endpoint: \"http://c:4318\"}}\nsampling: {tail: {policies: [{errors: "
      "true}]}}\n";
  const auto shared = pipeline_of(settings_of(kTail.data()));
  CHECK(shared.batch.queue_bytes_max == kShares.export_queue);
  REQUIRE(shared.tail);
  CHECK(shared.tail->bytes_max == kShares.tail);
  const std::string set =
      std::string(kTail) + "limits: {export_queue_bytes: 2MiB, tail_bytes: 1MiB}";
  const auto given = pipeline_of(settings_of(set.c_str()));
  CHECK(given.batch.queue_bytes_max == 2'097'152);
  REQUIRE(given.tail);
  CHECK(given.tail->bytes_max == 1'048'576);
}

TEST_CASE("the version names itself and its libraries") {
  const std::string text = version_text();
  CHECK(text.starts_with("sidespan " + std::string(version()) + "\n"));
  for (const char* library : {"\nlibuv 1.", "\nllhttp ", "\nnghttp2 1.", "\nOpenSSL 3.",
                              "\nzlib 1.", "\nbrotli 1.", "\nzstd 1.", "\nyaml-cpp 0."}) {
    CAPTURE(library);
    CHECK(text.find(library) != std::string::npos);
  }
}

}  // namespace
}  // namespace sidespan::app
