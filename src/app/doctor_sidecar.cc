#include "app/doctor_sidecar.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "app/opaque_words.h"

namespace sidespan::app {
namespace {

constexpr double kPercent = 100;

struct DropAdvice {
  std::string_view reason;
  std::string_view advice;
  bool meant = false;
};
constexpr std::array<DropAdvice, 7> kDropped = {{
    {"queue_full", "The collector is slower than the agent, or was away: export.batch.queue."},
    {"rejected", "The collector said never; the sidecar's log has its words."},
    {"too_large", "One span alone is more than the collector takes."},
    {"shutdown", "drain.deadline came before they were exported."},
    {"no_exporter", "export.otlp.endpoint or OTEL_EXPORTER_OTLP_ENDPOINT names a collector."},
    {"retry_time", "The collector put them off for limits.export_retry_time."},
    {"tail", "That is what sampling.tail is for.", true},
}};

Findings judge_opaque(const MetricsPage& metrics) {
  Findings findings;
  for (const auto& [reason, count] : metrics.by_label("sidespan_tunnels_opaque_total", "reason")) {
    const OpaqueWords& words = words_for(reason);
    findings.push_back({words.meant ? Verdict::kOk : Verdict::kWarn,
                        counted(count, "tunnel") + " passed unopened: " + reason,
                        std::string(words.advice)});
  }
  return findings;
}

Findings judge_parents(const MetricsPage& metrics) {
  const double all = metrics.total("sidespan_span_parents_total");
  if (all == 0) {
    return {{Verdict::kWarn, "no call has come through the sidecar since it started",
             "Let the client make one, or look at it alone: sidespan doctor -- CMD."}};
  }
  const auto by_source = metrics.by_label("sidespan_span_parents_total", "source");
  const auto root = by_source.find("root");
  if (root == by_source.end())
    return {{Verdict::kOk, counted(all, "call") + ", all with a parent"}};
  const double share = std::round(kPercent * root->second / all);
  return {
      {Verdict::kWarn,
       counted(root->second, "call") + " of " + std::to_string(std::lround(all)) + " (" +
           std::to_string(std::lround(share)) + " %) without a parent",
       "They had no trace headers, and the sidecar was started without TRACEPARENT: each begins "
       "a turn or a trace of its own. `sidespan run` gives the calls of one command one parent."}};
}

Findings judge_dropped(const MetricsPage& metrics) {
  Findings findings;
  for (const auto& [reason, count] : metrics.by_label("sidespan_spans_dropped_total", "reason")) {
    const auto known = std::ranges::find(kDropped, reason, &DropAdvice::reason);
    const bool is_known = known != kDropped.end();
    findings.push_back({is_known && known->meant ? Verdict::kOk : Verdict::kFail,
                        counted(count, "span") + " dropped: " + reason,
                        is_known ? std::string(known->advice) : ""});
  }
  return findings;
}

Findings judge_refused(const MetricsPage& metrics) {
  struct Row {
    const char* name;
    const char* what;
    const char* advice;
  };
  constexpr std::array<Row, 3> kRows = {
      {{"sidespan_connections_refused_total", "connection", "limits.connections is their number."},
       {"sidespan_connections_shed_total", "connection",
        "No descriptor was left: ulimit -n is too low."},
       {"sidespan_origin_connections_refused_total", "call",
        "limits.origin_connections is how many connections an origin may have."}}};
  Findings findings;
  for (const Row& row : kRows) {
    const double count = metrics.total(row.name);
    if (count == 0) continue;
    findings.push_back(
        {Verdict::kFail, counted(count, row.what) + " of clients refused", row.advice});
  }
  const auto reactions = metrics.by_label("sidespan_memory_reactions_total", "reaction");
  if (const auto refused = reactions.find("refused"); refused != reactions.end()) {
    findings.push_back({Verdict::kFail, counted(refused->second, "request") + " refused",
                        "Memory was short: limits.memory."});
  }
  return findings;
}

}  // namespace

std::string counted(double number, std::string_view what) {
  const long whole = std::lround(number);
  return std::to_string(whole) + " " + std::string(what) + (whole == 1 ? "" : "s");
}

Findings judge_sidecar(const SidecarFacts& facts) {
  if (!facts.egress_fault.empty()) {
    return {{Verdict::kFail, "no sidecar: " + facts.egress_fault,
             "Start it (sidespan proxy, with this configuration), or name the one that runs by "
             "--config or SIDESPAN_LISTEN_EGRESS."}};
  }
  if (!facts.stranger.empty()) {
    return {{Verdict::kFail,
             "something else than sidespan listens at " + facts.egress + ": " + facts.stranger,
             "End it, or give listen.egress another address."}};
  }
  if (!facts.refusal.empty()) {
    return {{Verdict::kFail,
             "the sidecar at " + facts.egress + " takes no calls from here: " + facts.refusal,
             "egress.allow_from names the networks whose clients may connect."}};
  }
  Findings findings = {{Verdict::kOk, "the sidecar listens at " + facts.egress}};
  if (facts.asked.empty()) {
    findings.push_back({Verdict::kWarn, "listen.admin and listen.health are off",
                        "With one of them the sidecar's counts could be looked at."});
    return findings;
  }
  if (!facts.alive_fault.empty()) {
    findings.push_back({Verdict::kFail, "not alive: " + facts.alive_fault,
                        "Restart the sidecar; its log may say more."});
  }
  if (!facts.ready_fault.empty()) {
    findings.push_back({Verdict::kFail, "not ready: " + facts.ready_fault,
                        "It starts or ends just now, or what listens there is another program."});
  }
  if (facts.metrics.empty()) return findings;
  append(findings, judge_parents(facts.metrics));
  append(findings, judge_opaque(facts.metrics));
  append(findings, judge_dropped(facts.metrics));
  append(findings, judge_refused(facts.metrics));
  return findings;
}

Findings judge_collector(const CollectorFacts& facts) {
  if (!facts.tracing) {
    return {{Verdict::kFail, "tracing is off", "Unset OTEL_SDK_DISABLED."}};
  }
  if (facts.endpoint.empty()) {
    return {{facts.decided ? Verdict::kOk : Verdict::kWarn, "no collector: spans are not exported",
             "export.otlp.endpoint or OTEL_EXPORTER_OTLP_ENDPOINT names one."}};
  }
  if (!facts.fault.empty()) {
    return {{Verdict::kFail, "the collector at " + facts.endpoint + ": " + facts.fault,
             "Start it, or correct export.otlp.endpoint (OTEL_EXPORTER_OTLP_ENDPOINT); over https "
             "tls.trust.certificates must hold its root."}};
  }
  const std::string answers = "the collector at " + facts.endpoint + " answers " + facts.status;
  const auto is_one_of = [&](std::initializer_list<std::string_view> known) {
    return std::ranges::find(known, facts.status) != known.end();
  };
  if (facts.status == "OK" || facts.status.starts_with('2')) return {{Verdict::kOk, answers}};
  if (is_one_of({"401", "403", "UNAUTHENTICATED", "PERMISSION_DENIED"})) {
    return {{Verdict::kFail, answers, "It wants credentials: export.otlp.headers."}};
  }
  if (is_one_of({"404", "405", "UNIMPLEMENTED"})) {
    return {{Verdict::kFail, answers,
             "That is not where it takes spans: OTLP over HTTP is port 4318, path /v1/traces, over "
             "gRPC port 4317."}};
  }
  if (is_one_of({"429", "503", "UNAVAILABLE", "RESOURCE_EXHAUSTED"})) {
    return {{Verdict::kWarn, answers, "It is busy; spans wait and are sent again."}};
  }
  return {{Verdict::kFail, answers, "It took no empty export; its own log may say why."}};
}

}  // namespace sidespan::app
