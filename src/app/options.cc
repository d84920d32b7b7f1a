#include "app/options.h"

#include <unistd.h>

#include <array>
#include <cassert>
#include <climits>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "app/head_sampling.h"
#include "app/version.h"
#include "sidespan/base/random.h"
#include "sidespan/base/text.h"
#include "sidespan/semconv/attributes.h"
#include "sidespan/trace/custom.h"
#include "sidespan/trace/formats.h"
#include "sidespan/trace/propagator.h"

namespace sidespan::app {
namespace {

// What curl takes where a proxy's URL names none.
constexpr uint16_t kProxyPort = 1080;

// A composite only borrows its propagators; here all of them live and die together.
struct Formats {
  explicit Formats(const PropagationSettings& propagation)
      : registry(registry_with(propagation.custom)),
        extract(registry, propagation.extract),
        inject(registry, propagation.inject) {}

  static trace::PropagatorRegistry registry_with(const std::vector<CustomFormat>& custom) {
    trace::PropagatorRegistry registry;
    for (const CustomFormat& format : custom) {
      auto made = trace::make_custom_propagator(format.name, format.header, format.value);
      assert(made);
      registry.add(*std::move(made));
    }
    return registry;
  }

  trace::PropagatorRegistry registry;
  trace::CompositePropagator extract;
  trace::CompositePropagator inject;
};

void set_formats(const PropagationSettings& propagation, proxy::Options& options) {
  const auto formats = std::make_shared<const Formats>(propagation);
  // null for `none`
  if (!formats->extract.empty()) options.extract = {formats, &formats->extract};
  if (!formats->inject.empty()) options.inject = {formats, &formats->inject};
  proxy::OtherFormats& others = options.other_formats;
  others.policy = propagation.others;
  others.registry = &formats->registry;
  others.injects_w3c = formats->inject.has("tracecontext");
  if (formats->extract.has("tracecontext")) {
    others.binary = formats->registry.find(trace::kOpenCensus);
  }
  for (size_t i = 0; i < trace::kVendorFormats.size(); ++i) {
    if (formats->inject.has(trace::kVendorFormats[i])) {
      others.injected |= trace::VendorFormats{1} << i;
    }
  }
  for (const CustomFormat& format : propagation.custom) {
    if (formats->inject.has(format.name)) continue;
    others.custom.push_back(formats->registry.find(format.name));
  }
}

semconv::HttpSpanOptions span_options(const Settings& settings) {
  semconv::HttpSpanOptions options;
  options.limits = settings.limits.attributes;
  options.request_headers = settings.capture.request_headers;
  options.response_headers = settings.capture.response_headers;
  options.redact_query = settings.capture.redact;
  options.url_templates = settings.spans.url_templates;
  options.peers = settings.spans.peers;
  options.known_methods = settings.spans.known_methods;
  options.rpc_status = settings.spans.rpc_status;
  return options;
}

report::OtlpOptions otlp_options(const ExportSettings& exporting, const http::Url& endpoint) {
  report::OtlpOptions options;
  options.protocol = exporting.protocol;
  options.host = endpoint.authority.host;
  options.port = endpoint.port();
  options.secure = endpoint.scheme == "https";
  options.path = endpoint.path;
  options.headers = exporting.headers;
  options.gzip = exporting.gzip;
  options.timeout = exporting.timeout;
  options.user_agent = "sidespan/" + std::string(version());
  options.reply_bytes_max = exporting.reply_bytes;
  options.retry = exporting.retry;
  return options;
}

proxy::ClientCertificateHosts client_certificate_hosts(const Settings& settings) {
  proxy::ClientCertificateHosts hosts;
  for (const ClientCertificateFiles& files : settings.tls.client_certificates) {
    hosts.push_back(files.match);
  }
  return hosts;
}

// RFC 9562 section 5.4.
std::string random_uuid(Random random) {
  constexpr uint64_t kVersion = 4;
  constexpr uint64_t kVariant = 2;
  const uint64_t high = (random.next() & ~uint64_t{0xf000}) | kVersion << 12U;
  const uint64_t low = random.next() >> 2U | kVariant << 62U;
  std::string digits;
  text::append_hex(digits, high);
  text::append_hex(digits, low);
  for (const size_t dash : {8U, 13U, 18U, 23U}) digits.insert(dash, 1, '-');
  return digits;
}

// Empty where it has none.
std::string host_name() {
  std::array<char, HOST_NAME_MAX + 1> name{};
  if (::gethostname(name.data(), name.size()) != 0) return "";
  return name.data();
}

// The limits of spans are not for resources.
trace::Attributes resource(const Settings& settings) {
  namespace attribute = semconv::attribute;
  trace::Attributes attributes({.count_max = std::numeric_limits<size_t>::max()});
  attributes.set(attribute::kServiceName, std::string_view(settings.service.name));
  attributes.set(attribute::kServiceInstanceId,
                 std::string_view(random_uuid(Random::from_system())));
  if (const std::string host = host_name(); !host.empty()) {
    attributes.set(attribute::kHostName, std::string_view(host));
  }
  attributes.set(attribute::kTelemetrySdkName, "sidespan");
  attributes.set(attribute::kTelemetrySdkLanguage, "cpp");
  attributes.set(attribute::kTelemetrySdkVersion, version());
  attributes.set(attribute::kTelemetryDistroName, "sidespan");
  attributes.set(attribute::kTelemetryDistroVersion, version());
  for (const auto& [key, value] : settings.service.resource) {
    attributes.set(key, std::string_view(value));
  }
  return attributes;
}

}  // namespace

wire::SecondProxy second_proxy(const EgressSettings& egress) {
  wire::SecondProxy proxy;
  if (!egress.via) return proxy;
  proxy.host = egress.via->authority.host;
  proxy.port = egress.via->authority.port.value_or(kProxyPort);
  proxy.except = egress.via_except;
  if (!egress.via->userinfo.empty()) {
    std::string user = text::percent_decode(egress.via->userinfo);
    if (egress.via->userinfo.find(':') == std::string::npos) user.push_back(':');
    proxy.authorization = "Basic " + text::base64(user);
  }
  return proxy;
}

std::shared_ptr<const proxy::Options> proxy_options(const Settings& settings,
                                                    std::shared_ptr<const tls::Authority> authority,
                                                    Lineage lineage) {
  auto options = std::make_shared<proxy::Options>();
  if (settings.listen.ingress && settings.ingress.forward_to) {
    options->ingress = {.host = settings.ingress.forward_to->host,
                        .port = settings.ingress.forward_to->port,
                        .ignore_paths = settings.ingress.ignore.paths,
                        .ignore_probes = settings.ingress.ignore.probes};
  }
  options->routes = settings.routes;
  options->deny = settings.egress.deny;
  options->allow_from = settings.egress.allow_from;
  options->credentials_required = settings.egress.credentials_required;
  options->second_proxy = second_proxy(settings.egress);
  options->interception = settings.tls.interception;
  options->interception.authority = std::move(authority);
  options->client_certificates = client_certificate_hosts(settings);
  options->destinations = settings.propagation.destinations;
  options->ignore_paths = settings.spans.ignore;
  set_formats(settings.propagation, *options);
  HeadSampling sampling(settings.sampling);
  options->sampler = std::move(sampling.sampler);
  options->sampling_rules = std::move(sampling.rules);
  options->root_limit = std::move(sampling.limit);
  options->baggage_allow = settings.propagation.baggage_allow;
  options->baggage_add = settings.propagation.baggage_add;
  options->baggage_to_attributes = settings.propagation.baggage_to_attributes;
  options->tracing = settings.tracing;
  options->context_sources = settings.context_sources;
  options->run = std::move(lineage.run);
  options->environment = std::move(lineage.environment);
  options->session_headers = settings.session_headers;
  options->agent_is_instrumented = settings.agent_is_instrumented;
  options->spans = span_options(settings);
  options->observers.recognize.hosts = settings.spans.providers;
  options->observers.prices = settings.prices;
  options->observers.reader = {.capture = settings.capture.content,
                               .content_bytes_max = settings.capture.max_bytes};
  options->observers.redact = settings.capture.redact;
  options->mcp_inject_meta = settings.mcp_inject_meta;
  options->via = settings.via;
  options->access_log = settings.log.access;
  options->limits = settings.limits.proxy;
  return options;
}

std::unique_ptr<lineage::Registry> make_registry(const Settings& settings,
                                                 const MemoryShares& shares) {
  if (!settings.tracing || !settings.lineage.turns.on) return nullptr;
  lineage::RegistryOptions options = settings.lineage;
  options.values_max = settings.limits.lineage_values.value_or(shares.lineage_values);
  options.ids = (settings.context_sources & bit_of(lineage::Source::kId)) != 0;
  options.echo = (settings.context_sources & bit_of(lineage::Source::kEcho)) != 0;
  lineage::HashKey key;
  [[maybe_unused]] const int failed = ::getentropy(&key, sizeof(key));
  assert(failed == 0);  // it asks for so little that there is no reason to
  return std::make_unique<lineage::Registry>(key, options);
}

report::PipelineOptions pipeline_options(const Settings& settings, const MemoryShares& shares) {
  const ExportSettings& exporting = settings.exporting;
  report::PipelineOptions options;
  options.origin.resource = resource(settings);
  options.origin.scope_version = version();
  options.origin.schema_url = semconv::kSchemaUrl;
  options.batch.spans_max = exporting.batch_spans;
  options.batch.bytes_max = exporting.batch_bytes;
  options.batch.delay = exporting.batch_delay;
  options.batch.queue_max = exporting.queue_spans;
  options.batch.queue_bytes_max = exporting.queue_bytes.value_or(shares.export_queue);
  if (!exporting.endpoint) return options;
  options.tail = settings.sampling.tail;
  if (options.tail) {
    options.tail->traces_max = settings.limits.tail_traces;
    options.tail->spans_max = settings.limits.tail_spans;
    options.tail->bytes_max = settings.limits.tail_bytes.value_or(shares.tail);
    options.tail->decisions_max = settings.limits.tail_decisions;
  }
  options.otlp = otlp_options(exporting, *exporting.endpoint);
  if (options.otlp->secure) {
    options.otlp->certificate =
        proxy::client_certificate_for(client_certificate_hosts(settings), options.otlp->host);
  }
  return options;
}

}  // namespace sidespan::app
