#include "proxy_metrics.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

namespace sidespan::proxy {
namespace {

using metrics::Kind;

constexpr std::array<std::string_view, 6> kClassNames = {"none", "1xx", "2xx", "3xx", "4xx", "5xx"};

metrics::Sample number(std::vector<metrics::Label> labels, double value) {
  return {std::move(labels), value, {}};
}

metrics::LabelView outcome_label(std::string_view status, std::string_view reason) {
  if (reason.empty()) return {"http_response_status_code", status};
  return {"error_type", reason};
}

}  // namespace

ProxyMetrics::ProxyMetrics(size_t series_max)
    : models(series_max),
      durations_({.name = "http_client_request_duration_seconds",
                  .help = "Time from an attempt's start to the last byte of its answer.",
                  .series_max = series_max}),
      served_durations_({.name = "http_server_request_duration_seconds",
                         .help = "Time from the first byte of a request on the ingress to the last "
                                 "one of its answer.",
                         .series_max = series_max}) {}

void ProxyMetrics::count_request(semconv::Mode mode, int status) {
  const auto status_class = static_cast<size_t>(std::clamp(status / 100, 0, 5));
  requests_[static_cast<size_t>(mode)][status_class].add();
  requests_ended_.add();
}

metrics::Histogram& ProxyMetrics::durations_of(const Attempt& attempt) {
  const std::string status = std::to_string(attempt.status);
  return durations_.of(std::array<metrics::LabelView, 3>{{{"http_request_method", attempt.method},
                                                          {"server_address", attempt.host},
                                                          outcome_label(status, attempt.reason)}});
}

metrics::Histogram& ProxyMetrics::served_durations_of(const Served& served) {
  const std::string status = std::to_string(served.status);
  return served_durations_.of(
      std::array<metrics::LabelView, 3>{{{"http_request_method", served.method},
                                         {"url_scheme", served.scheme},
                                         outcome_label(status, served.reason)}});
}

void ProxyMetrics::collect(metrics::Snapshot& snapshot) const {
  for (size_t mode = 0; mode < kModes; ++mode) {
    for (size_t c = 0; c < kClasses; ++c) {
      const uint64_t count = requests_[mode][c].value();
      if (count == 0) continue;
      metrics::merge(
          snapshot, "sidespan_requests", "Requests of the agent, by the answer it got.",
          Kind::kCounter,
          number({{"listener",
                   mode == static_cast<size_t>(semconv::Mode::kIngress) ? "ingress" : "egress"},
                  {"mode", std::string(name_of(static_cast<semconv::Mode>(mode)))},
                  {"status_class", std::string(kClassNames[c])}},
                 static_cast<double>(count)));
    }
  }
  for (size_t i = 0; i < lineage::kSourceCount; ++i) {
    metrics::merge(
        snapshot, "sidespan_span_parents", "Calls by the evidence for their parent.",
        Kind::kCounter,
        number({{"source", std::string(lineage::name_of(static_cast<lineage::Source>(i)))}},
               static_cast<double>(parents_[i].value())));
  }
  for (size_t i = 0; i < kOpaqueCount; ++i) {
    metrics::merge(snapshot, "sidespan_tunnels_opaque",
                   "CONNECT tunnels passed without a look inside, by the reason.", Kind::kCounter,
                   number({{"reason", std::string(name_of(static_cast<Opaque>(i)))}},
                          static_cast<double>(tunnels[i].value())));
  }
  metrics::merge(snapshot, "sidespan_connections_refused",
                 "Agent connections answered 503 because there were too many.", Kind::kCounter,
                 number({}, static_cast<double>(refused_connections.value())));
  metrics::merge(snapshot, "sidespan_connections_parted",
                 "Agent connections at rest that were closed for others to come.", Kind::kCounter,
                 number({}, static_cast<double>(parted_connections.value())));
  metrics::merge(snapshot, "sidespan_connections", "Agent connections that are open.", Kind::kGauge,
                 number({}, static_cast<double>(connections.value())));
  const std::array<std::pair<const char*, const metrics::Counter*>, 3> reactions = {
      {{"tap_off", &memory_taps_off}, {"refused", &memory_refused}, {"reset", &memory_reset}}};
  for (const auto& [reaction, counter] : reactions) {
    metrics::merge(snapshot, "sidespan_memory_reactions",
                   "Taps silenced, requests refused and connections reset for limits.memory.",
                   Kind::kCounter,
                   number({{"reaction", reaction}}, static_cast<double>(counter->value())));
  }
  collect_mcp(snapshot);
  collect_websockets(snapshot);
  collect_lineage(snapshot);
  durations_.collect(snapshot);
  served_durations_.collect(snapshot);
  models.collect(snapshot);
}

void ProxyMetrics::collect_mcp(metrics::Snapshot& snapshot) const {
  for (size_t i = 0; i < semconv::kEndingCount; ++i) {
    if (mcp_calls[i].value() == 0) continue;
    metrics::merge(snapshot, "sidespan_mcp_calls",
                   "MCP requests with a span of their own, by how they ended.", Kind::kCounter,
                   number({{"end", std::string(name_of(static_cast<semconv::Ending>(i)))}},
                          static_cast<double>(mcp_calls[i].value())));
  }
  metrics::merge(snapshot, "sidespan_mcp_calls_left_out",
                 "MCP requests of a batch that got no span, for limits.mcp_calls.", Kind::kCounter,
                 number({}, static_cast<double>(mcp_calls_left_out.value())));
}

void ProxyMetrics::collect_websockets(metrics::Snapshot& snapshot) const {
  for (size_t i = 0; i < semconv::kUnreadCount; ++i) {
    const std::vector<metrics::Label> reason = {
        {"reason", std::string(name_of(static_cast<semconv::Unread>(i)))}};
    metrics::merge(
        snapshot, "sidespan_model_websockets_unread",
        "WebSockets whose calls of models were not read, or not any more, by the reason.",
        Kind::kCounter, number(reason, static_cast<double>(websockets_unread[i].value())));
    metrics::merge(snapshot, "sidespan_model_websocket_calls_lost",
                   "Calls of models that were under way then and have no span, by the reason.",
                   Kind::kCounter,
                   number(reason, static_cast<double>(websocket_calls_lost[i].value())));
  }
}

void ProxyMetrics::collect_lineage(metrics::Snapshot& snapshot) const {
  metrics::merge(snapshot, "sidespan_turns", "Turns of agents that were told as spans.",
                 Kind::kCounter, number({}, static_cast<double>(turns.value())));
  metrics::merge(snapshot, "sidespan_lineage_ambiguous",
                 "Calls whose content fits several executions, which are linked then.",
                 Kind::kCounter, number({}, static_cast<double>(lineage_ambiguous.value())));
  metrics::merge(snapshot, "sidespan_lineage_hold_seconds",
                 "How long requests waited for the body that may tell whose call they are.",
                 Kind::kHistogram,
                 {.labels = {}, .value = 0, .histogram = lineage_hold.snapshot()});
}

}  // namespace sidespan::proxy
