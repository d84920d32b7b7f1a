#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "app/client_kind.h"
#include "app/doctor_run.h"
#include "app/doctor_sidecar.h"
#include "app/doctor_variables.h"
#include "app/opaque_words.h"
#include "sidespan/proxy/interceptor.h"
#include "sidespan/semconv/attributes.h"

namespace sidespan::app {
namespace {

using std::string_literals::operator""s;

// Each finding's verdict and words without the advice: what a row is held to.
std::string said(const Findings& findings) {
  std::string text;
  for (const Finding& finding : findings) {
    text += text_of({{finding.verdict, finding.what}});
  }
  return text;
}

Environment all_proxies(const std::string& value) {
  Environment own = {{"NODE_USE_ENV_PROXY", "1"}};
  for (const std::string_view name : proxy_names()) own.emplace(name, value);
  return own;
}

Environment with(Environment own, const Environment& more) {
  for (const auto& [name, value] : more) own.insert_or_assign(name, value);
  return own;
}

TEST_CASE("each reason not to open a tunnel has its words and its advice") {
  for (size_t i = 0; i < proxy::kOpaqueCount; ++i) {
    const OpaqueWords& row = words_for(proxy::name_of(static_cast<proxy::Opaque>(i)));
    CHECK(row.reason == proxy::name_of(static_cast<proxy::Opaque>(i)));
    CHECK_FALSE(row.words.empty());
    CHECK_FALSE(row.advice.empty());
  }
}

TEST_CASE("findings as text") {
  const Findings findings = {{Verdict::kOk, "a"}, {Verdict::kWarn, "b\nc", "do"}};
  CHECK(text_of(findings) == "ok   a\nwarn b?c\n     do\n");
  CHECK(text_of({{Verdict::kOk, "a\u009b31m"}}) == "ok   a\\x9b31m\n");
  CHECK_FALSE(any_failed(findings));
  CHECK(any_failed({{Verdict::kOk, "a"}, {Verdict::kFail, "b"}}));
}

TEST_CASE("do the proxy variables lead to the sidecar") {
  const std::vector<net::Address> egress = {*net::Address::parse("127.0.0.1", 17001),
                                            *net::Address::parse("::1", 17001)};
  const Environment right = all_proxies("http://127.0.0.1:17001");
  const std::string fine = "ok   the proxy variables lead to http://127.0.0.1:17001\n";
  struct Row {
    const char* name;
    Environment own;
    std::string said;
  };
  const Row rows[] = {
      {"all of them", right, fine},
      {"by name", all_proxies("http://LocalHost:17001/"), fine},
      {"by the other address", all_proxies("http://[::1]:17001"), fine},
      {"without a scheme", all_proxies("127.0.0.1:17001"), fine},
      {"none", {}, "FAIL no proxy variable is set: clients call directly\n"},
      {"another port", all_proxies("http://127.0.0.1:3128"),
       "FAIL not the sidecar's address: HTTP_PROXY http_proxy HTTPS_PROXY https_proxy ALL_PROXY "
       "all_proxy\n"},
      {"no HTTP proxy", all_proxies("socks5://127.0.0.1:17001"),
       "FAIL not the sidecar's address: HTTP_PROXY http_proxy HTTPS_PROXY https_proxy ALL_PROXY "
       "all_proxy\n"},
      {"two that differ", with(right, {{"https_proxy", "http://corp:3128"}}),
       "FAIL HTTPS_PROXY and https_proxy differ\nFAIL not the sidecar's address: https_proxy\n"},
      {"one spelling alone",
       {{"HTTP_PROXY", "http://127.0.0.1:17001"},
        {"HTTPS_PROXY", "http://127.0.0.1:17001"},
        {"NODE_USE_ENV_PROXY", "1"}},
       "FAIL not set: http_proxy https_proxy\n"},
      {"Node", with(right, {{"NODE_USE_ENV_PROXY", ""}}),
       fine + "warn NODE_USE_ENV_PROXY is not 1\n"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    CHECK(said(judge_proxy_variables(row.own, egress)) == row.said);
  }
}

TEST_CASE("what NO_PROXY takes past the sidecar") {
  const std::string fine =
      "ok   NO_PROXY takes no calls past the sidecar but the cloud's metadata\n";
  struct Row {
    const char* name;
    Environment own;
    std::string said;
  };
  const Row rows[] = {
      {"nothing", {}, fine},
      {"what we set", {{"NO_PROXY", no_proxy({})}, {"no_proxy", no_proxy({})}}, fine},
      {"all", {{"no_proxy", "*"}}, "FAIL no_proxy has *: all calls go past the sidecar\n"},
      {"this machine",
       {{"NO_PROXY", "localhost,127.0.0.1"}},
       "warn NO_PROXY has localhost: calls to tools on this machine go past the sidecar\n"
       "warn NO_PROXY has 127.0.0.1: calls to tools on this machine go past the sidecar\n"},
      {"both spellings are said once",
       {{"NO_PROXY", "a.test"}, {"no_proxy", "a.test"}},
       "warn NO_PROXY has a.test: calls to it go past the sidecar\n"},
      {"a route's host",
       {{"NO_PROXY", ".openai.com"}},
       "FAIL NO_PROXY has .openai.com: calls to api.openai.com, which a route leads to, go past "
       "the sidecar\n"},
      {"a name that only ends like it",
       {{"NO_PROXY", "i.openai.com"}},
       "warn NO_PROXY has i.openai.com: calls to it go past the sidecar\n"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    CHECK(said(judge_no_proxy(row.own, {"api.openai.com"})) == row.said);
  }
}

TEST_CASE("is our certificate trusted") {
  const WallTime end{std::chrono::sys_days(std::chrono::year(2030) / 6 / 15)};
  const NamedRoots good{.variable = "SSL_CERT_FILE", .path = "/t/b", .has_ours = true, .count = 9};
  const auto facts = [&](std::vector<NamedRoots> named) {
    return TrustFacts{.directory = "/t",
                      .fault = "",
                      .not_after = end,
                      .now = end - std::chrono::hours(1),
                      .own_count = 1,
                      .bundle_current = true,
                      .named = std::move(named),
                      .unset = {}};
  };
  const std::string valid =
      "ok   our certificate in /t/ca.pem is valid until 2030-06-15T00:00:00Z\n";
  const std::string in = "ok   our certificate is in what these name: SSL_CERT_FILE\n";
  const std::string which = "SSL_CERT_FILE names /t/b, which ";
  struct Row {
    const char* name;
    TrustFacts facts;
    std::string said;
  };
  std::vector<Row> rows = {
      {"all well", facts({good}), valid + in},
      {"none named", facts({}), valid + "FAIL no variable names our certificate to clients\n"},
      {"a file that is gone", facts({good}), valid + "FAIL SSL_CERT_FILE: /t/b: gone\n"},
      {"another's", facts({good}), valid + "FAIL " + which + "does not hold our certificate\n"},
      {"ours alone", facts({good}), valid + "warn " + which + "holds our certificate alone\n"},
      {"ours alone, added", facts({good}), valid + in},
      {"some unset", facts({good}), valid + in + "warn not set: PIP_CERT\n"},
      {"old bundle", facts({good}),
       valid + "FAIL /t/bundle.pem is not the system's roots and ours\n" + in},
      {"its time is over", facts({good}),
       "FAIL our certificate was valid until 2030-06-15T00:00:00Z\n" + in},
      {"none at all", facts({good}), "FAIL no certificate for clients to trust: gone\n"},
  };
  rows[2].facts.named[0].fault = "/t/b: gone";
  rows[3].facts.named[0].has_ours = false;
  rows[4].facts.named[0].count = 1;
  rows[5].facts.named[0].count = 1;
  rows[5].facts.named[0].adds = true;
  rows[6].facts.unset = {"PIP_CERT"};
  rows[7].facts.bundle_current = false;
  rows[8].facts.now = end;
  rows[9].facts.fault = "gone";
  for (const Row& row : rows) {
    CAPTURE(row.name);
    CHECK(said(judge_trust(row.facts)) == row.said);
  }
}

TEST_CASE("a page of metrics") {
  const MetricsPage page(
      "# HELP x y\nx_total{a=\"1\",b=\"p\"} 2\nx_total{a=\"2\",b=\"p\"} 3\nx_total{a=\"3\"} 0\n"
      "plain 7\nnonsense\n");
  CHECK(page.total("x_total") == 5);
  CHECK(page.total("plain") == 7);
  CHECK(page.total("x") == 0);
  CHECK(page.by_label("x_total", "a") == std::map<std::string, double>{{"1", 2}, {"2", 3}});
  CHECK(page.by_label("x_total", "b") == std::map<std::string, double>{{"p", 5}});
  CHECK(MetricsPage("").empty());
}

TEST_CASE("a sidecar that runs") {
  const std::string there = "ok   the sidecar listens at http://127.0.0.1:1\n";
  const std::string one = "sidespan_span_parents_total{source=\"wire\"} 1\n";
  struct Row {
    const char* name;
    SidecarFacts facts;
    std::string said;
  };
  const auto counting = [](const std::string& page) {
    return SidecarFacts{.egress = "http://127.0.0.1:1", .asked = "x", .metrics = MetricsPage(page)};
  };
  const Row rows[] = {
      {"not there", {.egress_fault = "nobody"}, "FAIL no sidecar: nobody\n"},
      {"another program",
       {.egress = "http://127.0.0.1:1", .stranger = "it waves", .asked = "x"},
       "FAIL something else than sidespan listens at http://127.0.0.1:1: it waves\n"},
      {"it lets nobody in from here",
       {.egress = "http://10.0.0.1:1",
        .refusal = "10.0.0.1 is not in egress.allow_from",
        .asked = "x"},
       "FAIL the sidecar at http://10.0.0.1:1 takes no calls from here: 10.0.0.1 is not in "
       "egress.allow_from\n"},
      {"nobody to ask",
       {.egress = "http://127.0.0.1:1"},
       there + "warn listen.admin and listen.health are off\n"},
      {"neither alive nor ready",
       {.egress = "http://127.0.0.1:1", .asked = "x", .alive_fault = "a", .ready_fault = "b"},
       there + "FAIL not alive: a\nFAIL not ready: b\n"},
      {"all have parents", counting(one), there + "ok   1 call, all with a parent\n"},
      {"no call", counting("sidespan_span_parents_total{source=\"root\"} 0\n"),
       there + "warn no call has come through the sidecar since it started\n"},
      {"roots", counting(one + "sidespan_span_parents_total{source=\"root\"} 2\n"),
       there + "warn 2 calls of 3 (67 %) without a parent\n"},
      {"pinned", counting(one + "sidespan_tunnels_opaque_total{reason=\"pinned\"} 2\n"),
       there + "ok   1 call, all with a parent\nwarn 2 tunnels passed unopened: pinned\n"},
      {"meant", counting(one + "sidespan_tunnels_opaque_total{reason=\"bypass\"} 1\n"),
       there + "ok   1 call, all with a parent\nok   1 tunnel passed unopened: bypass\n"},
      {"left out", counting(one + "sidespan_spans_dropped_total{reason=\"tail\"} 1\n"),
       there + "ok   1 call, all with a parent\nok   1 span dropped: tail\n"},
      {"dropped", counting(one + "sidespan_spans_dropped_total{reason=\"rejected\"} 1\n"),
       there + "ok   1 call, all with a parent\nFAIL 1 span dropped: rejected\n"},
      {"refused", counting(one + "sidespan_connections_refused_total 4\n"),
       there + "ok   1 call, all with a parent\nFAIL 4 connections of clients refused\n"},
      {"refused for an origin", counting(one + "sidespan_origin_connections_refused_total 4\n"),
       there + "ok   1 call, all with a parent\nFAIL 4 calls of clients refused\n"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    CHECK(said(judge_sidecar(row.facts)) == row.said);
  }
}

TEST_CASE("what a collector answers") {
  struct Row {
    const char* name;
    CollectorFacts facts;
    Verdict verdict;
  };
  const auto answering = [](const char* status) {
    return CollectorFacts{.endpoint = "http://c", .fault = "", .status = status};
  };
  const Row rows[] = {
      {"none", {.endpoint = "", .fault = ""}, Verdict::kWarn},
      {"none, and that was said", {.endpoint = "", .decided = true, .fault = ""}, Verdict::kOk},
      {"tracing is off", {.tracing = false, .endpoint = "http://c", .fault = ""}, Verdict::kFail},
      {"nobody there", {.endpoint = "http://c", .fault = "refused"}, Verdict::kFail},
      {"fine", answering("200"), Verdict::kOk},
      {"accepted", answering("202"), Verdict::kOk},
      {"credentials", answering("401"), Verdict::kFail},
      {"another path", answering("404"), Verdict::kFail},
      {"busy", answering("503"), Verdict::kWarn},
      {"fine by gRPC", answering("OK"), Verdict::kOk},
      {"credentials by gRPC", answering("UNAUTHENTICATED"), Verdict::kFail},
      {"busy by gRPC", answering("UNAVAILABLE"), Verdict::kWarn},
      {"no by gRPC", answering("INTERNAL"), Verdict::kFail},
      {"no", answering("500"), Verdict::kFail},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    const Findings findings = judge_collector(row.facts);
    REQUIRE(findings.size() == 1);
    CHECK(findings[0].verdict == row.verdict);
  }
}

RunSpan call(const std::string& host, const std::string& name = "GET",
             const std::vector<std::pair<std::string, std::string>>& more = {}) {
  RunSpan span;
  span.span_id = *trace::SpanId::parse("00000000000000a1");
  span.name = name;
  span.attributes.set(semconv::attribute::kServerAddress, std::string_view(host));
  span.attributes.set(semconv::attribute::kServerPort, int64_t{443});
  span.attributes.set(semconv::attribute::kParentSource, "listener");
  for (const auto& [key, value] : more) span.attributes.set(key, std::string_view(value));
  return span;
}

TEST_CASE("what a run tells of its command") {
  const RunSpan refused = call(
      "a", "CONNECT",
      {{"sidespan.mode", "intercept"}, {"sidespan.end", "refused"}, {"error.type", "tls_failure"}});
  const RunSpan left =
      call("a", "CONNECT", {{"sidespan.mode", "intercept"}, {"sidespan.end", "agent_cancelled"}});
  RunSpan behind_second_proxy = call("a", "GET", {{"error.type", "connection_refused"}});
  behind_second_proxy.status_message = "the second proxy (egress.via) is gone";
  RunSpan slow_client = call("a", "POST", {{"error.type", "timeout"}, {"sidespan.end", "timeout"}});
  slow_client.status_message = "the agent was silent for 30000 ms";
  const auto opaque = [](const std::string& reason) {
    return call("a", "CONNECT", {{"sidespan.mode", "tunnel"}, {"sidespan.tunnel.reason", reason}});
  };
  const std::string not_taken = "FAIL the client refused our certificate for a:443\n";
  const std::string one = "ok   1 call, all with a parent\n";
  const std::string two = "ok   2 calls, all with a parent\n";
  struct Row {
    const char* name;
    std::vector<RunSpan> spans;
    std::string said;
  };
  const Row rows[] = {
      {"nothing came",
       {},
       "FAIL no request came: the command made none, or ignores the proxy variables\n"},
      {"a call", {call("a")}, "ok   seen: a:443\n" + one},
      {"our certificate was refused", {refused}, not_taken + one},
      {"and it passed after that", {refused, opaque("pinned")}, not_taken + two},
      {"it went without a request", {left}, not_taken + one},
      {"it had connected for nothing", {left, call("a")}, "ok   seen: a:443\n" + two},
      {"bypassed", {opaque("bypass")}, "warn passed unopened (bypass): a:443\n" + one},
      {"an origin's certificate",
       {call("a", "GET", {{"error.type", "certificate_expired"}})},
       "FAIL origins that do not verify (certificate_expired): a:443\n" + one},
      {"an origin that is not there",
       {call("a", "GET", {{"error.type", "connection_refused"}})},
       "warn origins that gave no whole answer (connection_refused): a:443\n" + one},
      {"nor is it for a tunnel",
       {call("a", "CONNECT", {{"sidespan.mode", "tunnel"}, {"error.type", "dns_failure"}})},
       "warn origins that gave no whole answer (dns_failure): a:443\n" + one},
      {"that it had connected for nothing says no more then",
       {left, call("a", "GET", {{"error.type", "timeout"}, {"sidespan.end", "timeout"}})},
       "warn origins that gave no whole answer (timeout): a:443\n" + two},
      {"one that broke off",
       {call("a", "GET", {{"error.type", "connection_reset"}, {"sidespan.end", "origin_closed"}})},
       "warn origins that gave no whole answer (connection_reset): a:443\n" + one},
      {"one that the client was too slow for", {slow_client}, "ok   seen: a:443\n" + one},
      {"what a drain cut off",
       {call("a", "GET", {{"error.type", "timeout"}, {"sidespan.end", "drain"}})},
       "ok   seen: a:443\n" + one},
      {"the second proxy",
       {behind_second_proxy, behind_second_proxy},
       "FAIL the second proxy (egress.via) is gone\n" + two},
      {"the second proxy, and a call past it",
       {behind_second_proxy, call("past")},
       "ok   seen: past:443\nFAIL the second proxy (egress.via) is gone\n" + two},
      {"the second proxy, which let another through",
       {behind_second_proxy, call("b")},
       "ok   seen: b:443\nwarn the second proxy (egress.via) is gone\n" + two},
      {"another error is none of them",
       {call("a", "GET", {{"error.type", "503"}})},
       "ok   seen: a:443\n" + one},
      {"without a parent",
       {call("a", "GET", {{"sidespan.parent.source", "root"}})},
       "ok   seen: a:443\nwarn 1 call of 1 without a parent\n"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    RunSeen run;
    run.record.spans = row.spans;
    run.requests = row.spans.size();
    run.second_proxy = {.host = "proxy", .port = 3128, .authorization = "", .except = {"past"}};
    CHECK(said(judge_run(run)) == row.said);
  }
  RunSeen failed;
  failed.status = 3;
  failed.requests = 1;
  failed.totals.dropped[static_cast<size_t>(report::DropReason::kRejected)] = 2;
  CHECK(said(judge_run(failed)) == "warn the command ended with 3\nFAIL 2 spans not taken\n");
}

TEST_CASE("what is advised for an origin's certificate helps with it") {
  struct Row {
    const char* error;
    const char* setting;
  };
  const Row rows[] = {{"certificate_untrusted", "tls.trust.certificates"},
                      {"certificate_expired", "tls.intercept.bypass"},
                      {"certificate_not_yet_valid", "tls.intercept.bypass"},
                      {"certificate_name_mismatch", "tls.intercept.bypass"},
                      {"certificate_invalid", "tls.intercept.bypass"},
                      {"certificate_required", "tls.client_certificates"}};
  for (const Row& row : rows) {
    CAPTURE(row.error);
    RunSeen run;
    run.record.spans = {call("a", "GET", {{"error.type", row.error}})};
    const std::string text = text_of(judge_run(run));
    for (const Row& other : rows) {
      const bool named = text.find(other.setting) != std::string::npos;
      CHECK(named == (other.setting == std::string_view(row.setting)));
    }
  }
}

TEST_CASE("what kind of client a command is") {
  struct Row {
    const char* name;
    std::string command;
    std::string bytes;
    ClientKind kind;
  };
  const Row rows[] = {
      {"curl", "/usr/bin/curl",
       "\x7f"
       "ELF",
       ClientKind::kCurl},
      {"Python and its version", "python3.11", "", ClientKind::kPython},
      {"Node", "node", "", ClientKind::kNode},
      {"Java", "./gradlew", "#!/bin/sh\n", ClientKind::kJava},
      {"a script of Python's", "agent", "#!/usr/bin/env -S python3 -u\nimport x",
       ClientKind::kPython},
      {"of Node's", "agent", "#!/opt/bin/node\n", ClientKind::kNode},
      {"of a shell", "agent", "#!/bin/sh\npython3 x\n", ClientKind::kUnknown},
      {"a line without an end", "agent", "#!/usr/bin/python3", ClientKind::kPython},
      {"Go's note", "agent",
       "\x7f"
       "ELF...\x04\0\0\0Go\0\0abc"s,
       ClientKind::kGo},
      {"something else", "agent",
       "\x7f"
       "ELF",
       ClientKind::kUnknown},
      {"a name that begins like one", "gopher", "", ClientKind::kUnknown},
      {"nothing", "", "", ClientKind::kUnknown},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    CHECK(client_kind(row.command, row.bytes) == row.kind);
    CHECK_FALSE(proxy_advice(row.kind).empty());
    CHECK_FALSE(trust_advice(row.kind).empty());
  }
}

}  // namespace
}  // namespace sidespan::app
