#include "app/doctor_run.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "app/doctor_sidecar.h"
#include "app/opaque_words.h"
#include "app/run_words.h"
#include "sidespan/lineage/resolver.h"
#include "sidespan/semconv/attributes.h"
#include "sidespan/wire/second_proxy.h"

namespace sidespan::app {
namespace {

namespace attribute = semconv::attribute;

constexpr std::string_view kConnect = "CONNECT";
constexpr std::string_view kOriginFault = "certificate_";
// Of an origin that is not there, and of one that does not answer to its end.
constexpr std::array kAbsent = {Code::kConnectionRefused, Code::kDnsFailure, Code::kUnreachable,
                                Code::kConnectTimeout};
constexpr std::array kBroken = {Code::kTimeout, Code::kTlsFailure, Code::kConnectionReset,
                                Code::kConnectionClosed, Code::kTruncated};

std::string host_of(const RunSpan& span) {
  std::string host(span.attributes.text(attribute::kServerAddress));
  if (const auto port = integer(span, attribute::kServerPort))
    host.append(":").append(std::to_string(*port));
  return host;
}

// Hosts by what became of the calls to them.
struct Sorted {
  std::set<std::string> read;                           // of any request, well or not
  std::set<std::string> called;                         // and nothing was wrong
  std::set<std::string> refused;                        // our certificate was not taken
  std::set<std::string> left;                           // opened, and then no request came
  std::map<std::string, std::set<std::string>> opaque;  // by reason
  std::map<std::string, std::set<std::string>> faults;  // certificates of origins, by error
  std::map<std::string, std::set<std::string>> down;    // by error
  std::set<std::string> second_proxy;                   // what is wrong with it
  bool through_it = false;                              // something was called
  uint64_t calls = 0;
  uint64_t roots = 0;
};

// A CONNECT has a span only where no request came out of it.
void sort_tunnel(const RunSpan& span, Sorted& sorted) {
  const std::string reason(span.attributes.text(attribute::kTunnelReason));
  if (!reason.empty()) {
    sorted.opaque[reason].insert(host_of(span));
  } else if (span.attributes.text(attribute::kMode) == "intercept") {
    const bool refused = span.attributes.text(attribute::kEnd) == "refused";
    (refused ? sorted.refused : sorted.left).insert(host_of(span));
  }
}

// The origin, and not the client that did not go on, or what limits and drains cut off.
bool is_ended_by_origin(const RunSpan& span) {
  const std::string_view end = span.attributes.text(attribute::kEnd);
  if (end != "timeout") return end == "origin_closed";
  return !span.status_message.starts_with("the " + std::string(name_of(Side::kAgent)));
}

bool is_down(const RunSpan& span, std::string_view error) {
  const auto is_it = [&](Code code) { return name_of(code) == error; };
  // Of an opened tunnel the agent's side may be the one that broke.
  return std::ranges::any_of(kAbsent, is_it) ||
         (span.name != kConnect && std::ranges::any_of(kBroken, is_it) && is_ended_by_origin(span));
}

void sort_call(const RunSpan& span, const wire::SecondProxy& second_proxy, Sorted& sorted) {
  const std::string error(span.attributes.text(attribute::kErrorType));
  if (span.name != kConnect) sorted.read.insert(host_of(span));
  if (span.status_message.starts_with(wire::kSecondProxyWords)) {
    sorted.second_proxy.insert(span.status_message);
  } else if (is_down(span, error)) {
    sorted.down[error].insert(host_of(span));
  } else if (span.name == kConnect) {
    sort_tunnel(span, sorted);
  } else if (error.starts_with(kOriginFault)) {
    sorted.faults[error].insert(host_of(span));
  } else {
    sorted.called.insert(host_of(span));
    const int64_t port = integer(span, attribute::kServerPort).value_or(0);
    sorted.through_it |= second_proxy.leads_to(span.attributes.text(attribute::kServerAddress),
                                               static_cast<uint16_t>(port));
  }
}

Sorted sort(const RunSeen& run) {
  Sorted sorted;
  for (const RunSpan& span : run.record.spans) {
    if (span.span_id == run.record.root) continue;
    ++sorted.calls;
    if (span.attributes.text(attribute::kParentSource) ==
        lineage::name_of(lineage::Source::kRoot)) {
      ++sorted.roots;
    }
    sort_call(span, run.second_proxy, sorted);
  }
  // Whoever went without a request, and made one before or after, had connected for nothing.
  for (const std::string& host : sorted.left) {
    if (!sorted.read.contains(host)) sorted.refused.insert(host);
  }
  return sorted;
}

std::string listed(const std::set<std::string>& hosts) {
  std::string text;
  for (const std::string& host : hosts) text.append(text.empty() ? "" : " ").append(host);
  return text;
}

Findings judge_refused(const Sorted& sorted, ClientKind kind) {
  std::set<std::string> hosts = sorted.refused;
  if (const auto pinned = sorted.opaque.find("pinned"); pinned != sorted.opaque.end()) {
    hosts.insert(pinned->second.begin(), pinned->second.end());
  }
  if (hosts.empty()) return {};
  return {{Verdict::kFail, "the client refused our certificate for " + listed(hosts),
           std::string(trust_advice(kind)) +
               " Where it cannot be told, tls.intercept.bypass leaves these hosts alone."}};
}

Findings judge_opaque(const Sorted& sorted) {
  Findings findings;
  for (const auto& [reason, hosts] : sorted.opaque) {
    if (reason == "pinned") continue;
    findings.push_back({Verdict::kWarn, "passed unopened (" + reason + "): " + listed(hosts),
                        std::string(words_for(reason).advice)});
  }
  return findings;
}

// What helps depends on what is wrong with the certificate.
std::string advice_on(std::string_view error) {
  if (error == name_of(Code::kCertificateUntrusted)) {
    return "Calls to them got 502. Where the certificate is right, tls.trust.certificates names "
           "its root.";
  }
  if (error == name_of(Code::kCertificateRequired)) {
    return "Calls to them got 502. tls.client_certificates can hold a certificate for them.";
  }
  return "Calls to them got 502. Who runs the origin has to renew or correct its certificate; "
         "tls.intercept.bypass leaves these hosts to the client, which may take them as they are.";
}

Findings judge_origins(const Sorted& sorted) {
  Findings findings;
  for (const auto& [error, hosts] : sorted.faults) {
    findings.push_back({Verdict::kFail,
                        "origins that do not verify (" + error + "): " + listed(hosts),
                        advice_on(error)});
  }
  for (const auto& [error, hosts] : sorted.down) {
    findings.push_back({Verdict::kWarn,
                        "origins that gave no whole answer (" + error + "): " + listed(hosts),
                        "Where none had begun, sidespan's own, 502 or 504, told the client why."});
  }
  return findings;
}

Findings judge_second_proxy(const Sorted& sorted) {
  Findings findings;
  for (const std::string& what : sorted.second_proxy) {
    if (sorted.through_it) {
      findings.push_back({Verdict::kWarn, what,
                          "Other calls got through it: it may have been away for a moment, or not "
                          "lead to that origin."});
      continue;
    }
    findings.push_back({Verdict::kFail, what,
                        "egress.via names it, else what HTTPS_PROXY, HTTP_PROXY or ALL_PROXY is "
                        "here: correct that, or unset it to reach origins directly."});
  }
  return findings;
}

Findings judge_parents(const Sorted& sorted) {
  if (sorted.calls == 0) return {};
  const auto calls = static_cast<double>(sorted.calls);
  if (sorted.roots == 0) {
    return {{Verdict::kOk, counted(calls, "call") + ", all with a parent"}};
  }
  return {{Verdict::kWarn,
           counted(static_cast<double>(sorted.roots), "call") + " of " +
               std::to_string(sorted.calls) + " without a parent",
           "context.sources leaves out `listener`, by which the calls of a run have one."}};
}

Findings judge_export(const report::Totals& totals) {
  const uint64_t rejected = totals.dropped[static_cast<size_t>(report::DropReason::kRejected)] +
                            totals.dropped[static_cast<size_t>(report::DropReason::kTooLarge)];
  if (rejected == 0) return {};
  return {{Verdict::kFail, counted(static_cast<double>(rejected), "span") + " not taken",
           "The collector said never; the run's log has its words."}};
}

}  // namespace

Findings judge_run(const RunSeen& run) {
  const Sorted sorted = sort(run);
  Findings findings;
  if (run.status != 0) {
    findings.push_back({Verdict::kWarn, "the command ended with " + std::to_string(run.status),
                        "What it says itself stands above."});
  }
  if (run.requests == 0 && sorted.calls == 0) {
    findings.push_back({Verdict::kFail,
                        "no request came: the command made none, or ignores the "
                        "proxy variables",
                        std::string(proxy_advice(run.kind))});
    return findings;
  }
  if (!sorted.called.empty()) {
    findings.push_back({Verdict::kOk, "seen: " + listed(sorted.called)});
  }
  append(findings, judge_refused(sorted, run.kind));
  append(findings, judge_opaque(sorted));
  append(findings, judge_second_proxy(sorted));
  append(findings, judge_origins(sorted));
  append(findings, judge_parents(sorted));
  append(findings, judge_export(run.totals));
  return findings;
}

}  // namespace sidespan::app
