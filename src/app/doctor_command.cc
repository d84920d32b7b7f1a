#include "app/doctor_command.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "app/ask.h"
#include "app/collector_probe.h"
#include "app/doctor_run.h"
#include "app/doctor_sidecar.h"
#include "app/doctor_variables.h"
#include "app/file.h"
#include "app/finding.h"
#include "app/health_command.h"
#include "app/options.h"
#include "app/tls_setup.h"
#include "app/trust_files.h"
#include "sidespan/base/text.h"
#include "sidespan/tls/certificate_list.h"

namespace sidespan::app {
namespace {

constexpr Milliseconds kTimeMax{2000};
constexpr size_t kAnswerBytesMax = size_t{4} * 1024;
constexpr size_t kMetricsBytesMax = size_t{8} * 1024 * 1024;

MonoTime soon() {
  return SystemClock().now().mono + kTimeMax;
}

int say(const Findings& findings) {
  const std::string text = text_of(findings);
  const bool written = std::fputs(text.c_str(), stdout) >= 0 && std::fflush(stdout) == 0;
  return any_failed(findings) || !written ? 1 : 0;
}

std::vector<net::Address> reachable_all(const ListenAddress& listen) {
  std::vector<net::Address> addresses;
  addresses.reserve(listen.addresses.size());
  for (const net::Address& address : listen.addresses) addresses.push_back(reachable(address));
  return addresses;
}

std::vector<std::string> routed_hosts(const Settings& settings) {
  std::vector<std::string> hosts;
  hosts.reserve(settings.routes.size());
  for (const proxy::Route& route : settings.routes) {
    hosts.push_back(text::lower(route.to.authority.host));
  }
  return hosts;
}

NamedRoots look_at(std::string_view variable, const std::string& path, bool adds,
                   const std::string& ours) {
  NamedRoots named{.variable = std::string(variable), .path = path, .adds = adds};
  const Result<std::string> pem = read_file(path, kBundleBytesMax);
  if (!pem) {
    named.fault = pem.error().what;
    return named;
  }
  const std::vector<tls::ListedCertificate> found = tls::certificates_in(*pem);
  named.count = found.size();
  named.has_ours = std::ranges::find(found, ours, &tls::ListedCertificate::der) != found.end();
  return named;
}

TrustFacts trust_facts(const Settings& settings, const Environment& own) {
  TrustFacts facts;
  facts.now = SystemClock().now().wall;
  const Result<std::string> directory = trust_directory(settings, own);
  if (!directory) {
    facts.fault = directory.error().what;
    return facts;
  }
  facts.directory = *directory;
  const std::string file = *directory + "/" + kCertificateName;
  const Result<std::string> pem = read_file(file, kBundleBytesMax);
  const auto ours = pem ? tls::certificates_in(*pem) : std::vector<tls::ListedCertificate>();
  if (ours.empty()) {
    facts.fault = pem ? file + ": holds no certificate" : pem.error().what;
    return facts;
  }
  facts.not_after = ours.front().not_after;
  facts.own_count = ours.size();
  const Result<std::string> bundle = read_file(*directory + "/" + kBundleName, kBundleBytesMax);
  facts.bundle_current = bundle && *bundle == bundle_of(*pem);
  const auto look = [&](std::string_view name, bool adds) {
    const std::string path(value_of(own, name));
    if (path.empty()) return facts.unset.emplace_back(name), void();
    facts.named.push_back(look_at(name, path, adds, ours.front().der));
  };
  for (const std::string_view name : replacing_trust_names()) look(name, false);
  for (const std::string_view name : adding_trust_names()) look(name, true);
  return facts;
}

std::string fault_of(const net::Address& asked, std::string_view path) {
  const Result<Answered> answer = ask(asked, path, kMetricsBytesMax, soon());
  if (!answer) return answer.error().what;
  if (answer->status == 200) return "";
  return asked.to_string() + " answers " + std::to_string(answer->status) + " to " +
         std::string(path);
}

// Of the first of several that takes a connection.
Result<net::Address> who_connects(const std::vector<net::Address>& addresses) {
  std::optional<Error> fault;
  for (const net::Address& address : addresses) {
    const Result<void> connected = try_to_connect(address, soon());
    if (connected) return address;
    if (!fault) fault = connected.error();
  }
  return std::unexpected(*std::move(fault));
}

// Whether it is sidespan that takes calls there: a URL without a host, which nobody can pass on, is
// refused in its words, and with 403 where it is the client that is not let in.
void look_at_egress(const net::Address& egress, SidecarFacts& facts) {
  constexpr std::string_view kOurs = "sidespan: ";
  constexpr uint64_t kNotLetIn = 403;
  const Result<Answered> answer = ask(egress, "http://", kAnswerBytesMax, soon());
  if (!answer) {
    facts.stranger = answer.error().what;
  } else if (!answer->body.starts_with(kOurs)) {
    facts.stranger = "it answers " + std::to_string(answer->status) + " to what sidespan refuses";
  } else if (answer->status == kNotLetIn) {
    const size_t end = answer->body.find_last_not_of(".\n") + 1;
    facts.refusal = answer->body.substr(kOurs.size(), end - kOurs.size());
  }
}

SidecarFacts sidecar_facts(const Settings& settings) {
  const std::vector<net::Address> egress = reachable_all(settings.listen.egress);
  SidecarFacts facts{.egress = proxy_url(egress.front())};
  const Result<net::Address> connected = who_connects(egress);
  if (connected) {
    look_at_egress(*connected, facts);
  } else {
    facts.egress_fault = connected.error().what;
  }
  const ListenAddress& listen = asked_for_health(settings.listen);
  const bool takes_calls = connected && facts.stranger.empty() && facts.refusal.empty();
  if (!takes_calls || !listen) return facts;
  const std::vector<net::Address> all = reachable_all(listen);
  const auto there = std::ranges::find_if(
      all, [](const net::Address& one) { return try_to_connect(one, soon()).has_value(); });
  const net::Address& asked = there == all.end() ? all.front() : *there;
  facts.asked = asked.to_string();
  facts.alive_fault = fault_of(asked, "/healthz");
  facts.ready_fault = fault_of(asked, "/readyz");
  if (const auto page = ask(asked, "/metrics", kMetricsBytesMax, soon())) {
    facts.metrics = MetricsPage(page->body);
  }
  return facts;
}

Findings warned_of(const Settings& settings, const TlsSetup& tls) {
  Findings findings;
  for (const std::string& warning : settings.warnings) {
    findings.push_back({Verdict::kWarn, warning});
  }
  for (const std::string& warning : tls.warnings) {
    findings.push_back({warning == kNoRoots ? Verdict::kFail : Verdict::kWarn, warning});
  }
  return findings;
}

Findings look_at_interception(const Settings& settings, const Environment& own) {
  if (settings.tls.interception.mode == proxy::Interception::Mode::kOff) {
    return {{Verdict::kWarn, "HTTPS is not opened: its calls are tunnels without requests",
             "tls.intercept.mode: all or listed opens it."}};
  }
  return judge_trust(trust_facts(settings, own));
}

int look_around(const Settings& settings, const Environment& own, const TlsSetup& tls) {
  const Result<net::Address> named = egress_of_sidecar(settings);
  if (!named) {
    return say({{Verdict::kFail, named.error().what,
                 "Give listen.egress an address and port that clients can be told."}});
  }
  Findings findings = judge_sidecar(sidecar_facts(settings));
  append(findings, judge_proxy_variables(own, reachable_all(settings.listen.egress)));
  append(findings, judge_no_proxy(own, routed_hosts(settings)));
  append(findings, look_at_interception(settings, own));
  append(findings, warned_of(settings, tls));
  append(findings, judge_collector(probe_collector(settings, tls)));
  return say(findings);
}

// As execvp() would find it; what cannot be read says nothing.
std::string first_bytes_of(const std::string& command, const Environment& own) {
  if (command.find('/') != std::string::npos) {
    return read_file(command, kFirstBytes).value_or("");
  }
  std::optional<std::string_view> rest = value_of(own, "PATH");
  while (rest) {
    const std::string path = std::string(text::split_first(rest, ':')).append("/").append(command);
    if (::access(path.c_str(), X_OK) == 0) return read_file(path, kFirstBytes).value_or("");
  }
  return "";
}

int look_at_command(const Settings& settings, const Environment& own, const RunOptions& options) {
  const Result<TlsSetup> tls = set_up_command_tls(settings, own, SystemClock().now().wall);
  if (!tls) return say({{Verdict::kFail, tls.error().what}});
  RunOptions silent = options;
  silent.print = RunPrint::kNone;
  std::optional<RunSeen> run = watch_command(settings, *tls, silent);
  if (!run) return 1;
  run->second_proxy = second_proxy(settings.egress);
  const std::string& command = options.argv.front();
  run->kind = client_kind(command, first_bytes_of(command, own));
  Findings findings = judge_run(*run);
  append(findings, judge_no_proxy(own, routed_hosts(settings)));
  append(findings, warned_of(settings, *tls));
  append(findings, judge_collector(probe_collector(settings, *tls)));
  return say(findings);
}

}  // namespace

int doctor_command(const Settings& settings, const Environment& own, const RunOptions& options) {
  if (!options.argv.empty()) return look_at_command(settings, own, options);
  const Result<TlsSetup> tls = set_up_origin_tls(settings, own);
  if (!tls) return say({{Verdict::kFail, tls.error().what}});
  return look_around(settings, own, *tls);
}

}  // namespace sidespan::app
