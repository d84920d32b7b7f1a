#include "app/doctor_variables.h"

#include <algorithm>
#include <array>

#include "app/timestamp.h"
#include "sidespan/base/text.h"
#include "sidespan/http/uri.h"
#include "sidespan/wire/second_proxy.h"

namespace sidespan::app {
namespace {

constexpr const char* kSetThem =
    "Start the client after variables=$(sidespan env) && eval \"$variables\", or by "
    "`sidespan run -- CMD`.";

std::string listed(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text.append(text.empty() ? "" : " ").append(name);
  return text;
}

bool leads_to(std::string_view value, const std::vector<net::Address>& egress) {
  const bool bare = value.find("://") == std::string_view::npos;
  const Result<http::Url> url = http::parse_url((bare ? "http://" : "") + std::string(value));
  if (!url || url->scheme != "http") return false;
  const std::string host = text::lower(url->authority.host);
  const auto literal = net::Address::parse(host, url->port());
  return std::ranges::any_of(egress, [&](const net::Address& address) {
    if (address.port() != url->port()) return false;
    return literal ? literal->same_ip(address) : host == "localhost" && address.is_loopback();
  });
}

// The names that programs look at for one kind of URL.
struct Spellings {
  std::string_view upper;
  std::string_view lower;
  bool needed;
};
constexpr std::array<Spellings, 3> kSpellings = {{{"HTTP_PROXY", "http_proxy", true},
                                                  {"HTTPS_PROXY", "https_proxy", true},
                                                  {"ALL_PROXY", "all_proxy", false}}};

struct ProxyVariables {
  std::vector<std::string> right;
  std::vector<std::string> elsewhere;
  std::vector<std::string> missing;
};

ProxyVariables sort(const Environment& own, const std::vector<net::Address>& egress) {
  ProxyVariables sorted;
  for (const Spellings& pair : kSpellings) {
    for (const std::string_view name : {pair.upper, pair.lower}) {
      const std::string_view value = text::trim(value_of(own, name));
      if (value.empty()) {
        if (pair.needed) sorted.missing.emplace_back(name);
      } else {
        (leads_to(value, egress) ? sorted.right : sorted.elsewhere).emplace_back(name);
      }
    }
  }
  return sorted;
}

Findings judge_spellings(const Environment& own) {
  Findings findings;
  for (const Spellings& pair : kSpellings) {
    const std::string_view upper = value_of(own, pair.upper);
    const std::string_view lower = value_of(own, pair.lower);
    if (upper.empty() || lower.empty() || upper == lower) continue;
    findings.push_back({Verdict::kFail,
                        std::string(pair.upper) + " and " + std::string(pair.lower) + " differ",
                        "Programs read one or the other: give both the same value."});
  }
  return findings;
}

bool is_metadata(std::string_view entry) {
  return std::ranges::find(metadata_hosts(), entry) != metadata_hosts().end();
}

bool is_loopback(std::string_view entry) {
  entry = wire::split_no_proxy(entry).host;
  const auto address = net::Address::parse(entry, 0);
  return entry == "localhost" || entry == "127.0.0.0/8" || (address && address->is_loopback());
}

// As most programs read an entry: a name with all below it.
bool takes(std::string_view member, std::string_view host) {
  const std::string lower = text::lower(wire::split_no_proxy(member).host);
  std::string_view entry = lower;
  if (entry.starts_with("*.")) entry.remove_prefix(1);
  if (entry.starts_with('.')) return host.ends_with(entry) || host == entry.substr(1);
  return host == entry || host.ends_with("." + std::string(entry));
}

Findings judge_entry(std::string_view name, std::string_view entry,
                     const std::vector<std::string>& routed) {
  const std::string which = std::string(name) + " has " + std::string(entry);
  const std::string remove = "Take it out of " + std::string(name) + ".";
  if (is_metadata(entry)) return {};
  if (entry == "*") {
    return {{Verdict::kFail, which + ": all calls go past the sidecar", remove}};
  }
  const auto route =
      std::ranges::find_if(routed, [&](const std::string& host) { return takes(entry, host); });
  if (route != routed.end()) {
    return {{Verdict::kFail,
             which + ": calls to " + *route + ", which a route leads to, go past the sidecar",
             remove}};
  }
  if (is_loopback(entry)) {
    return {{Verdict::kWarn, which + ": calls to tools on this machine go past the sidecar",
             "Where they are worth a span: " + remove}};
  }
  return {{Verdict::kWarn, which + ": calls to it go past the sidecar",
           "Where that is not meant: " + remove}};
}

Findings judge_named(const NamedRoots& named, const TrustFacts& facts) {
  const std::string which = named.variable + " names " + named.path;
  if (!named.fault.empty()) {
    return {{Verdict::kFail, named.variable + ": " + named.fault, kSetThem}};
  }
  if (!named.has_ours) {
    return {{Verdict::kFail, which + ", which does not hold our certificate",
             "Let it name " + facts.directory + (named.adds ? "/ca.pem" : "/bundle.pem") +
                 "; `sidespan env` joins yours and ours."}};
  }
  if (!named.adds && named.count <= facts.own_count) {
    return {{Verdict::kWarn, which + ", which holds our certificate alone",
             "Hosts that are not opened will not be trusted: let it name " + facts.directory +
                 "/bundle.pem."}};
  }
  return {};
}

Findings judge_authority(const TrustFacts& facts) {
  if (!facts.fault.empty()) {
    return {{Verdict::kFail, "no certificate for clients to trust: " + facts.fault,
             "Start the sidecar with the same configuration and SIDESPAN_STATE_DIR, or mount "
             "tls.authority.export_dir here."}};
  }
  const std::string until = timestamp(facts.not_after, 0);
  Findings findings;
  if (facts.not_after <= facts.now) {
    findings.push_back({Verdict::kFail, "our certificate was valid until " + until,
                        "Restart the sidecar, which makes a new one, and then the clients."});
  } else {
    findings.push_back({Verdict::kOk, "our certificate in " + facts.directory +
                                          "/ca.pem is valid until " + until});
  }
  if (!facts.bundle_current) {
    findings.push_back({Verdict::kFail,
                        facts.directory + "/bundle.pem is not the system's roots and ours",
                        "Restart the sidecar, or `sidespan ca rotate`, which writes it anew."});
  }
  return findings;
}

}  // namespace

Findings judge_proxy_variables(const Environment& own, const std::vector<net::Address>& egress) {
  const ProxyVariables sorted = sort(own, egress);
  if (sorted.right.empty() && sorted.elsewhere.empty()) {
    return {{Verdict::kFail, "no proxy variable is set: clients call directly", kSetThem}};
  }
  Findings findings = judge_spellings(own);
  if (!sorted.elsewhere.empty()) {
    findings.push_back({Verdict::kFail, "not the sidecar's address: " + listed(sorted.elsewhere),
                        "It listens at " + proxy_url(egress.front()) + ". " + kSetThem});
  }
  if (!sorted.missing.empty()) {
    findings.push_back({Verdict::kFail, "not set: " + listed(sorted.missing),
                        "Programs differ in the spelling they read, so that all four are needed. " +
                            std::string(kSetThem)});
  }
  if (findings.empty()) {
    findings.push_back({Verdict::kOk, "the proxy variables lead to " + proxy_url(egress.front())});
  }
  if (value_of(own, kNodeProxyName) != "1") {
    findings.push_back({Verdict::kWarn, "NODE_USE_ENV_PROXY is not 1",
                        "Without it Node reads no proxy variables."});
  }
  return findings;
}

Findings judge_no_proxy(const Environment& own, const std::vector<std::string>& routed) {
  Findings findings;
  std::vector<std::string_view> seen;
  for (const std::string_view name : no_proxy_names()) {
    for (const std::string_view entry : text::list_members(value_of(own, name))) {
      if (std::ranges::find(seen, entry) != seen.end()) continue;
      seen.push_back(entry);
      append(findings, judge_entry(name, entry, routed));
    }
  }
  if (findings.empty()) {
    findings.push_back(
        {Verdict::kOk, "NO_PROXY takes no calls past the sidecar but the cloud's metadata"});
  }
  return findings;
}

Findings judge_trust(const TrustFacts& facts) {
  Findings findings = judge_authority(facts);
  if (!facts.fault.empty()) return findings;
  if (facts.named.empty()) {
    findings.push_back({Verdict::kFail, "no variable names our certificate to clients", kSetThem});
    return findings;
  }
  Findings named;
  for (const NamedRoots& each : facts.named) append(named, judge_named(each, facts));
  if (named.empty()) {
    std::vector<std::string> names;
    names.reserve(facts.named.size());
    for (const NamedRoots& each : facts.named) names.push_back(each.variable);
    named.push_back({Verdict::kOk, "our certificate is in what these name: " + listed(names)});
  }
  append(findings, std::move(named));
  if (!facts.unset.empty()) {
    findings.push_back(
        {Verdict::kWarn, "not set: " + listed(facts.unset),
         "Clients that read only these do not trust the sidecar. " + std::string(kSetThem)});
  }
  return findings;
}

}  // namespace sidespan::app
