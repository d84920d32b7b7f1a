#include "proxy/call_trace.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "proxy/ignored_paths.h"
#include "sidespan/trace/sampler.h"
#include "sidespan/trace/w3c.h"

namespace sidespan::proxy {
namespace {

constexpr std::string_view kParent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
constexpr std::string_view kTraceId = "0af7651916cd43dd8448eb211c80319c";

struct Rig {
  Rig() {
    options.extract = options.inject = formats({"tracecontext", "baggage"});
    options.sampler = sampler("parentbased_always_on");
  }

  static std::shared_ptr<const trace::Propagator> formats(const std::vector<std::string>& names) {
    static const trace::PropagatorRegistry registry;
    return std::make_shared<const trace::CompositePropagator>(registry, names);
  }

  static std::shared_ptr<const trace::Sampler> sampler(std::string_view name) {
    return std::shared_ptr<const trace::Sampler>(std::move(*trace::make_sampler(name)));
  }

  CallTrace call(std::string_view url = "http://h.example/x") {
    CallTrace trace = undecided(url);
    trace.decide(nullptr, {}, random);
    return trace;
  }
  CallTrace undecided(std::string_view url = "http://h.example/x") {
    target = *http::parse_url(url);
    return CallTrace(options, request, target,
                     {.ignored = IgnoredPaths(options.ignore_paths).names(target.path),
                      .authorization = request.headers.find("authorization").value_or(""),
                      .credential = credential},
                     random);
  }
  // Made while `served` was the only request in flight on the ingress.
  CallTrace call_for(const CallTrace& served) {
    CallTrace trace(options, request, target, {.ingress = served.execution()}, random);
    trace.decide(nullptr, {}, random);
    return trace;
  }
  CallTrace served(std::string_view url = "http://agent.example/chat") {
    target = *http::parse_url(url);
    CallTrace trace(options, request, target, {.served = true}, random);
    trace.decide(nullptr, {}, random);
    return trace;
  }

  http::Headers sent(CallTrace& trace, std::string_view host = "localhost",
                     std::string_view ip = "127.0.0.1") {
    http::Headers headers = request.headers;
    const net::Address address = *net::Address::parse(ip, 80);
    trace.inject(headers, rule_for(options.destinations, Door::kEgress, host, &address), random);
    return headers;
  }
  http::Headers sent(CallTrace&& trace, std::string_view host = "localhost",
                     std::string_view ip = "127.0.0.1") {
    return sent(trace, host, ip);
  }

  // As the app does it.
  void use(const std::vector<std::string>& extract, const std::vector<std::string>& inject) {
    static const trace::PropagatorRegistry registry;
    options.extract = std::make_shared<const trace::CompositePropagator>(registry, extract);
    const auto written = std::make_shared<const trace::CompositePropagator>(registry, inject);
    options.inject = written;
    options.other_formats.registry = &registry;
    options.other_formats.injects_w3c = written->has("tracecontext");
    options.other_formats.injected = 0;
    for (size_t i = 0; i < trace::kVendorFormats.size(); ++i) {
      const bool has = written->has(trace::kVendorFormats[i]);
      options.other_formats.injected |= trace::VendorFormats{has ? 1U : 0U} << i;
    }
  }

  Options options;
  std::shared_ptr<const lineage::Execution> credential;
  http::Head request;
  http::Url target;
  Random random{1};
};

// With what the call's own context was then.
struct Facts : semconv::HttpFacts {
  trace::SpanContext context;
};

Facts facts_of(const CallTrace& trace) {
  Facts facts;
  facts.context = trace.span();
  facts.parent_id = trace.parent_id();
  facts.parent_is_remote = trace.parent_is_remote();
  facts.parent_source = lineage::name_of(trace.source());
  facts.context_blocked = trace.context_blocked();
  facts.resend_count = trace.resend_count();
  trace.describe(facts);
  return facts;
}

TEST_CASE("without evidence a call is a root, and the origin sees its id") {
  Rig rig;
  CallTrace trace = rig.call();
  const Facts facts = facts_of(trace);
  CHECK(trace.source() == lineage::Source::kRoot);
  CHECK(trace.sampled());
  CHECK(facts.parent_id == trace::SpanId());
  const http::Headers sent = rig.sent(trace);
  CHECK(sent.count("traceparent") == 1);
  CHECK(sent.find("traceparent")->substr(36, 16) == facts.context.span_id.to_string());
}

TEST_CASE("the request's context is the parent") {
  Rig rig;
  rig.request.headers.add("TraceParent", kParent);
  rig.request.headers.add("tracestate", "a=1");
  rig.request.headers.add("baggage", "k=v");
  CallTrace trace = rig.call();
  const Facts facts = facts_of(trace);
  CHECK(trace.source() == lineage::Source::kWire);
  CHECK(facts.parent_id.to_string() == "b7ad6b7169203331");
  CHECK(facts.parent_is_remote);
  CHECK(facts.context.trace_id.to_string() == kTraceId);

  SUBCASE("a local destination gets all of it") {
    const http::Headers sent = rig.sent(trace);
    CHECK(sent.count("traceparent") == 1);
    CHECK(sent.find("tracestate") == "a=1");
    CHECK(sent.find("baggage") == "k=v");
  }
  SUBCASE("the outside gets traceparent alone") {
    const http::Headers sent = rig.sent(trace, "example.com", "192.0.2.1");
    CHECK(sent.contains("traceparent"));
    CHECK_FALSE(sent.contains("tracestate"));
    CHECK_FALSE(sent.contains("baggage"));
  }
}

TEST_CASE("each attempt has its own id and names the one before") {
  Rig rig;
  CallTrace trace = rig.call();
  const Facts first = facts_of(trace);
  trace.next_attempt(rig.random);
  const Facts second = facts_of(trace);
  CHECK(first.resend_count == 0);
  CHECK(second.resend_count == 1);
  CHECK(second.context.trace_id == first.context.trace_id);
  CHECK(second.context.span_id != first.context.span_id);
  CHECK(first.earlier == nullptr);
  REQUIRE(second.earlier != nullptr);
  CHECK(second.earlier->span_id == first.context.span_id);
  CHECK(rig.sent(trace).find("traceparent")->substr(36, 16) == second.context.span_id.to_string());
}

TEST_CASE("unsampled calls carry context with the bit clear") {
  Rig rig;
  rig.options.sampler = Rig::sampler("always_off");
  rig.request.headers.add("traceparent", kParent);
  CallTrace trace = rig.call();
  CHECK(trace.active());
  CHECK_FALSE(trace.sampled());
  const http::Headers sent = rig.sent(trace);
  CHECK(sent.find("traceparent")->ends_with("-00"));
  CHECK(sent.find("traceparent")->substr(3, 32) == kTraceId);
}

TEST_CASE("some calls have another sampler, also where _meta names the parent") {
  Rig rig;
  rig.options.sampling_rules = {
      {{.hosts = {}, .paths = {"/quiet*"}, .methods = {}}, Rig::sampler("always_off")}};
  rig.request.set_method("POST");
  CHECK(rig.call("http://h.example/x").sampled());
  CallTrace quiet = rig.undecided("http://h.example/quiet?x=1");
  CHECK(quiet.active());
  quiet.decide(nullptr, {.traceparent = kParent, .tracestate = {}, .baggage = {}}, rig.random);
  CHECK_FALSE(quiet.sampled());
  CHECK_FALSE(rig.call("http://h.example/quiet?x=1").sampled());
}

TEST_CASE("what is ignored has no context of ours") {
  Rig rig;
  rig.options.ignore_paths = {"/v1/traces", "/quiet/*", "/*/still", "*.ico"};
  rig.request.headers.add("traceparent", kParent);
  struct Row {
    std::string_view url;
    bool active;
  };
  for (const auto& [url, active] :
       {Row{"http://h/v1/traces", false}, Row{"http://h/v1/traces?x", false},
        Row{"http://h/quiet/a/b", false}, Row{"http://h/quiet", true},
        Row{"http://h/V1/traces", false}, Row{"http://h/be/still", false},
        Row{"http://h/a.ico", false}, Row{"http://h/", true},
        Row{"http://h/v1/traces/more", true}}) {
    CAPTURE(url);
    CallTrace trace = rig.call(url);
    CHECK(trace.active() == active);
    CHECK((rig.sent(trace).find("traceparent") == kParent) == !active);
  }
  CallTrace ignored = rig.call("http://h/v1/traces");
  CHECK_FALSE(ignored.sampled());
}

TEST_CASE("baggage is filtered and added to where it may go") {
  Rig rig;
  rig.options.baggage_allow = {"ten*"};
  rig.options.baggage_add = {{"cell", "eu"}};
  rig.request.headers.add("baggage", "tenant=a,user=7");
  CallTrace trace = rig.call();
  const http::Headers sent = rig.sent(trace);
  const std::string baggage(*sent.find("baggage"));
  CHECK(baggage.contains("tenant=a"));
  CHECK(baggage.contains("cell=eu"));
  CHECK_FALSE(baggage.contains("user"));
  CHECK_FALSE(rig.sent(trace, "example.com", "192.0.2.1").contains("baggage"));
}

TEST_CASE("the agent's own fields obey the destination's rule whatever formats are injected") {
  struct Row {
    const char* name;
    std::vector<std::string> formats;
    std::string_view url;
    bool traceparent, tracestate, baggage;  // what the rule lets pass
  };
  const std::vector<Row> rows = {
      {"baggage is no format of ours", {"tracecontext"}, "http://h/x", true, false, false},
      {"trace context is no format of ours", {"baggage"}, "http://h/x", true, false, false},
      {"nothing may pass, one format", {"baggage"}, "http://h/x", false, false, false},
      {"everything may pass", {"tracecontext"}, "http://h/x", true, true, true},
      {"ignored, baggage is no format", {"tracecontext"}, "http://h/v1/traces", true, false, false},
      {"ignored, trace context is none", {"baggage"}, "http://h/v1/traces", true, false, true},
      {"ignored, nothing may pass", {"baggage"}, "http://h/v1/traces", false, false, false},
      {"ignored, everything may pass", {"baggage"}, "http://h/v1/traces", true, true, true},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    Rig rig;
    rig.options.ignore_paths = {"/v1/traces"};
    rig.options.extract = rig.options.inject = Rig::formats(row.formats);
    rig.options.destinations = {
        {{*HostPattern::parse("*")}, row.traceparent, row.tracestate, row.baggage}};
    rig.request.headers.add("Traceparent", kParent);
    rig.request.headers.add("Tracestate", "a=1");
    rig.request.headers.add("Baggage", "k=v");
    const http::Headers sent = rig.sent(rig.call(row.url));
    CHECK(sent.contains("traceparent") == row.traceparent);
    CHECK(sent.contains("tracestate") == row.tracestate);
    CHECK(sent.contains("baggage") == row.baggage);
  }
}

TEST_CASE("without any format headers pass untouched") {
  Rig rig;
  rig.options.extract = rig.options.inject = nullptr;
  rig.request.headers.add("baggage", "k=v");
  CHECK(rig.sent(rig.call(), "example.com", "192.0.2.1").contains("baggage"));
}

TEST_CASE("a run's listener is the parent where the wire says nothing") {
  Rig rig;
  lineage::Execution run;
  run.id = "run-1";
  run.fixed_by = lineage::Source::kListener;
  run.context.trace_id = trace::TraceId::make(rig.random);
  run.context.span_id = trace::SpanId::make(rig.random);
  rig.options.run = run;
  const Facts facts = facts_of(rig.call());
  CHECK(facts.parent_id == run.context.span_id);
  CHECK_FALSE(facts.parent_is_remote);
  CHECK(facts.execution_id == "run-1");
}

constexpr std::string_view kB3 = "80f198ee56343ba864fe8b2a57d3eff7-e457b5a2e4d86bd1-1";

TEST_CASE("no header names another span than ours, unless that is wanted") {
  using Policy = OtherFormats::Policy;
  struct Row {
    const char* name;
    std::vector<std::string> inject;
    Policy policy;
    bool traceparent;                   // whether the destination may see it
    std::string_view b3, w3c, baggage;  // ours, agent's, or empty: gone
  };
  const std::vector<Row> rows = {
      {"removed", {"tracecontext"}, Policy::kRemove, true, "", "ours", "agent's"},
      {"rewritten", {"tracecontext"}, Policy::kRewrite, true, "ours", "ours", "agent's"},
      {"kept", {"tracecontext"}, Policy::kKeep, true, "agent's", "ours", "agent's"},
      {"injected", {"tracecontext", "b3"}, Policy::kRemove, true, "ours", "ours", "agent's"},
      {"W3C removed", {"b3"}, Policy::kRemove, true, "ours", "", "agent's"},
      {"W3C rewritten", {"b3"}, Policy::kRewrite, true, "ours", "ours", "agent's"},
      {"W3C kept", {"b3"}, Policy::kKeep, true, "ours", "agent's", "agent's"},
      {"withheld", {"tracecontext", "b3"}, Policy::kKeep, false, "", "", ""},
      {"withheld, not injected", {"baggage"}, Policy::kRewrite, false, "", "", ""},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    Rig rig;
    rig.use({"tracecontext"}, row.inject);
    rig.options.other_formats.policy = row.policy;
    DestinationRule rule = default_destinations()[0];
    rule.traceparent = rule.tracestate = rule.baggage = row.traceparent;
    rig.options.destinations = {rule};
    rig.request.headers.add("traceparent", kParent);
    rig.request.headers.add("B3", kB3);
    rig.request.headers.add("uberctx-user", "7");
    rig.request.headers.add("X-Stainless-Lang", "python");
    CallTrace trace = rig.call();
    const http::Headers sent = rig.sent(trace);
    const std::string own = facts_of(trace).context.span_id.to_string();
    const auto state = [&](std::string_view field, std::string_view agents) {
      const auto value = sent.find(field);
      if (!value) return "";
      return *value == agents ? "agent's" : value->contains(own) ? "ours" : "neither";
    };
    CHECK(state("b3", kB3) == row.b3);
    CHECK(state("traceparent", kParent) == row.w3c);
    CHECK(state("uberctx-user", "7") == row.baggage);
    CHECK(sent.contains("x-stainless-lang"));
  }
}

TEST_CASE("a bare denial is honoured and passed on, also where B3 is not read") {
  Rig rig;
  rig.request.headers.add("b3", "0");
  SUBCASE("alone") {
    CallTrace trace = rig.call();
    CHECK(trace.active());
    CHECK_FALSE(trace.sampled());
    const http::Headers sent = rig.sent(trace);
    CHECK(sent.find("b3") == "0");
    CHECK(sent.find("traceparent")->ends_with("-02"));
  }
  SUBCASE("in a run") {
    lineage::Execution run;
    run.fixed_by = lineage::Source::kListener;
    run.context = {{1, 2}, {3}, trace::kSampledFlag, {}};
    rig.options.run = run;
    CallTrace trace = rig.call();
    CHECK_FALSE(trace.sampled());
    CHECK(facts_of(trace).parent_id == run.context.span_id);
  }
  SUBCASE("not beside a parent of its own") {
    rig.request.headers.add("traceparent", kParent);
    CHECK(rig.call().sampled());
  }
  SUBCASE("not where nothing is read") {
    rig.options.extract = nullptr;
    CHECK(rig.call().sampled());
  }
}

TEST_CASE("a debug request is recorded and says so to the next hop") {
  Rig rig;
  rig.options.sampler = Rig::sampler("parentbased_always_off");
  rig.use({"b3", "jaeger"}, {"b3"});
  SUBCASE("b3") {
    rig.request.headers.add("b3", "d");
  }
  SUBCASE("jaeger") {
    rig.request.headers.add("jaeger-debug-id", "bug-42");
  }
  CallTrace trace = rig.call();
  CHECK(trace.sampled());
  const http::Headers sent = rig.sent(trace);
  CHECK(sent.find("b3")->ends_with("-d"));
  CHECK_FALSE(sent.contains("jaeger-debug-id"));
  const Facts facts = facts_of(trace);
  if (!rig.request.headers.contains("jaeger-debug-id")) return;
  REQUIRE(facts.further_attributes.size() == 1);
  CHECK(facts.further_attributes[0] ==
        std::pair<std::string, std::string>("jaeger-debug-id", "bug-42"));
}

TEST_CASE("a trace without a parent goes on where the wire may say so") {
  Rig rig;
  rig.use({"xray"}, {"xray"});
  rig.request.headers.add("X-Amzn-Trace-Id",
                          "Root=1-80f198ee-56343ba864fe8b2a57d3eff7;Lineage=a:0");
  SUBCASE("as a root in it") {
    CallTrace trace = rig.call();
    const Facts facts = facts_of(trace);
    CHECK(facts.context.trace_id.to_string() == "80f198ee56343ba864fe8b2a57d3eff7");
    CHECK_FALSE(facts.parent_id);
    CHECK(rig.sent(trace).find("x-amzn-trace-id")->ends_with(";Sampled=1;Lineage=a:0"));
  }
  SUBCASE("not where the wire is no evidence") {
    rig.options.context_sources = 0;
    CHECK(facts_of(rig.call()).context.trace_id.to_string() != "80f198ee56343ba864fe8b2a57d3eff7");
  }
  SUBCASE("not in a run") {
    lineage::Execution run;
    run.fixed_by = lineage::Source::kListener;
    run.context = {{1, 2}, {3}, trace::kSampledFlag, {}};
    rig.options.run = run;
    CallTrace trace = rig.call();
    CHECK(facts_of(trace).context.trace_id == run.context.trace_id);
    CHECK(rig.sent(trace).find("x-amzn-trace-id")->ends_with(";Sampled=1"));
  }
}

TEST_CASE("a signature blocks what it covers") {
  const std::string signing = "AWS4-HMAC-SHA256 Credential=a, Signature=0, SignedHeaders=host;";
  Rig rig;
  rig.request.headers.add("traceparent", kParent);
  SUBCASE("traceparent: it passes as it came, and is the parent") {
    rig.request.headers.add("Authorization", signing + "traceparent");
    CallTrace trace = rig.call();
    CHECK(rig.sent(trace).find("traceparent") == kParent);
    CHECK(facts_of(trace).context_blocked);
    CHECK(facts_of(trace).parent_id.to_string() == "b7ad6b7169203331");
  }
  SUBCASE("traceparent: its trace is not left either") {
    rig.options.destinations[0].restart = true;
    rig.request.headers.add("Authorization", signing + "traceparent");
    CallTrace trace = rig.call();
    CHECK(rig.sent(trace).find("traceparent") == kParent);
    CHECK(facts_of(trace).context.trace_id.to_string() == kTraceId);
    CHECK(facts_of(trace).left == nullptr);
  }
  SUBCASE("others: ours is written") {
    rig.request.headers.add("Authorization", signing + "x-amz-date");
    CallTrace trace = rig.call();
    const http::Headers sent = rig.sent(trace);
    CHECK(sent.find("traceparent")->contains(facts_of(trace).context.span_id.to_string()));
    CHECK_FALSE(facts_of(trace).context_blocked);
  }
}

TEST_CASE("a destination may begin a trace of its own") {
  Rig rig;
  rig.options.destinations[1].restart = true;
  rig.options.destinations[1].tracestate = true;
  rig.request.headers.add("traceparent", kParent);
  rig.request.headers.add("tracestate", "a=1");
  CallTrace trace = rig.call();
  CHECK(facts_of(trace).left == nullptr);
  const http::Headers sent = rig.sent(trace, "example.com", "192.0.2.1");
  const Facts facts = facts_of(trace);
  CHECK_FALSE(sent.find("traceparent")->contains(kTraceId));
  CHECK_FALSE(sent.contains("tracestate"));
  CHECK(sent.find("traceparent")->ends_with("-03"));
  CHECK(sent.find("traceparent")->substr(3, 32) == facts.context.trace_id.to_string());
  CHECK_FALSE(facts.parent_id);
  CHECK(trace.source() == lineage::Source::kRoot);
  REQUIRE(facts.left != nullptr);
  CHECK(facts.left->trace_id.to_string() == kTraceId);
  CHECK(facts.left->span_id.to_string() == "b7ad6b7169203331");
  // Another attempt stays in the new trace.
  trace.next_attempt(rig.random);
  const http::Headers again = rig.sent(trace, "example.com", "192.0.2.1");
  CHECK(again.find("traceparent")->substr(3, 32) == facts.context.trace_id.to_string());
  // A root has left nothing.
  Rig other;
  other.options.destinations[1].restart = true;
  CallTrace root = other.call();
  const trace::TraceId before = facts_of(root).context.trace_id;
  other.sent(root, "example.com", "192.0.2.1");
  CHECK(facts_of(root).left == nullptr);
  CHECK(facts_of(root).context.trace_id == before);
}

TEST_CASE("baggage by destination, and as attributes") {
  Rig rig;
  rig.options.destinations[0].baggage_keys = {"ten*"};
  rig.options.baggage_add = {{"cell", "eu"}};
  rig.options.baggage_to_attributes = {"user", "cell"};
  rig.request.headers.add("baggage", "tenant=a,user=7");
  CallTrace trace = rig.call();
  CHECK(rig.sent(trace).find("baggage") == "tenant=a");
  const Facts facts = facts_of(trace);
  REQUIRE(facts.further_attributes.size() == 2);
  CHECK(facts.further_attributes[0] == std::pair<std::string, std::string>("cell", "eu"));
  CHECK(facts.further_attributes[1] == std::pair<std::string, std::string>("user", "7"));
}

}  // namespace

TEST_CASE("what a turn tells of its first call's baggage is no debug id") {
  Rig rig;
  rig.use({"jaeger", "baggage"}, {"tracecontext"});
  rig.options.baggage_to_attributes = {"*"};
  rig.request.headers.add("jaeger-debug-id", "look");
  rig.request.headers.add("baggage", "user=7");
  const CallTrace trace = rig.call();
  CHECK(trace.further_attributes().size() == 2);
  CHECK(trace.told_baggage() == lineage::Told{{"user", "7"}});
}

TEST_CASE("keys of baggage are chosen in every format, or the whole goes") {
  Rig rig;
  rig.request.headers.add("traceparent", kParent);
  rig.request.headers.add("baggage", "tenant=a,user=alice");
  rig.request.headers.add("uberctx-user", "alice");
  rig.request.headers.add("ot-baggage-user", "alice");
  rig.request.headers.add("jaeger-baggage", "user=alice");
  SUBCASE("by what may go anywhere") {
    rig.options.baggage_allow = {"tenant"};
  }
  SUBCASE("by destination") {
    for (DestinationRule& rule : rig.options.destinations) rule.baggage_keys = {"tenant"};
  }
  const http::Headers sent = rig.sent(rig.call());
  CHECK(sent.find("baggage") == "tenant=a");
  for (const std::string_view field : {"uberctx-user", "ot-baggage-user", "jaeger-baggage"}) {
    CHECK_FALSE(sent.contains(field));
  }
}

TEST_CASE("what an MCP request says of its parent comes before the trace headers") {
  constexpr std::string_view kMeta = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
  Rig rig;
  SUBCASE("and they are linked where they say otherwise") {
    rig.request.headers.add("traceparent", kParent);
    CallTrace trace = rig.undecided();
    trace.decide(nullptr, {kMeta, "a=b", "k=v"}, rig.random);
    const Facts facts = facts_of(trace);
    CHECK(trace.source() == lineage::Source::kMcpMeta);
    CHECK(facts.context.trace_id.to_string() == "4bf92f3577b34da6a3ce929d0e0e4736");
    CHECK(facts.parent_id.to_string() == "00f067aa0ba902b7");
    REQUIRE(facts.links.size() == 1);
    CHECK(facts.links[0].trace_id.to_string() == kTraceId);
    CHECK(facts.links[0].span_id.to_string() == "b7ad6b7169203331");
    const http::Headers sent = rig.sent(trace);
    CHECK(sent.find("traceparent")->starts_with("00-4bf92f3577b34da6a3ce929d0e0e4736-"));
    CHECK(sent.find("tracestate") == "a=b");
    CHECK(sent.find("baggage") == "k=v");
  }
  SUBCASE("and say nothing where they agree") {
    rig.request.headers.add("traceparent", kMeta);
    CallTrace trace = rig.undecided();
    trace.decide(nullptr, {kMeta, "", ""}, rig.random);
    CHECK(facts_of(trace).links.empty());
  }
  SUBCASE("unless it is malformed") {
    CallTrace trace = rig.undecided();
    trace.decide(nullptr, {"00-x", "", ""}, rig.random);
    CHECK(trace.source() == lineage::Source::kRoot);
  }
  SUBCASE("unless nobody listens to it") {
    rig.options.context_sources = bit_of(lineage::Source::kWire);
    CallTrace trace = rig.undecided();
    trace.decide(nullptr, {kMeta, "", ""}, rig.random);
    trace.link_meta({kMeta, "", ""});
    CHECK(trace.source() == lineage::Source::kRoot);
    CHECK(facts_of(trace).links.empty());
  }
  SUBCASE("and is linked where it is read too late") {
    CallTrace trace = rig.call();
    trace.link_meta({kMeta, "", ""});
    CHECK(trace.source() == lineage::Source::kRoot);
    REQUIRE(facts_of(trace).links.size() == 1);
    CHECK(facts_of(trace).links[0].span_id.to_string() == "00f067aa0ba902b7");
  }
}

TEST_CASE("a request to the agent's server is an execution, with its own span as the id") {
  Rig rig;
  CallTrace trace = rig.served();
  CHECK(trace.source() == lineage::Source::kRoot);
  CHECK(facts_of(trace).execution_id == facts_of(trace).context.span_id.to_string());
  CHECK(facts_of(trace).execution_source == "ingress");
  rig.request.headers.add("traceparent", kParent);
  CallTrace continued = rig.served();
  CHECK(continued.source() == lineage::Source::kWire);
  CHECK(facts_of(continued).context.trace_id.to_string() == kTraceId);
  CHECK(facts_of(continued).parent_is_remote);
  CHECK(continued.execution()->context.span_id == facts_of(continued).context.span_id);
}

TEST_CASE("neither a run nor the environment is the parent of a request to the agent's server") {
  Rig rig;
  rig.options.environment = trace::parse_traceparent(kParent);
  rig.options.run = lineage::Execution{"run", lineage::Source::kListener, *rig.options.environment};
  const CallTrace trace = rig.served();
  CHECK(trace.source() == lineage::Source::kRoot);
  CHECK(facts_of(trace).context.trace_id.to_string() != kTraceId);
}

TEST_CASE("a call that is made for a request is its child, with its state and its baggage") {
  Rig rig;
  rig.request.headers.add("traceparent", kParent);
  rig.request.headers.add("tracestate", "a=1,b=2");
  rig.request.headers.add("baggage", "user=7");
  const CallTrace served = rig.served();
  rig.request.headers.clear();
  CallTrace call = rig.call_for(served);
  const Facts facts = facts_of(call);
  CHECK(call.source() == lineage::Source::kIngress);
  CHECK(facts.parent_id == facts_of(served).context.span_id);
  CHECK(facts.context.trace_id.to_string() == kTraceId);
  CHECK_FALSE(facts.parent_is_remote);
  CHECK(facts.parent_source == "ingress");
  CHECK(facts.execution_id == served.execution()->id);
  CHECK_FALSE(call.agent_counts_itself());
  const http::Headers near = rig.sent(call);
  CHECK(near.find("tracestate") == "a=1,b=2");
  CHECK(near.find("baggage") == "user=7");
  const http::Headers far = rig.sent(call, "api.example.com", "192.0.2.1");
  CHECK_FALSE(far.contains("tracestate"));
  CHECK_FALSE(far.contains("baggage"));
}

TEST_CASE("the agent's own baggage and context count before those of the request") {
  Rig rig;
  CallTrace served = rig.served();
  const std::string passed_in(rig.sent(served).find("traceparent").value());
  rig.request.headers.add("baggage", "own=1");
  CallTrace call = rig.call_for(served);
  CHECK(rig.sent(call).find("baggage") == "own=1");

  // An agent that hands on what it was sent tells nothing of its own.
  rig.request.headers.add("traceparent", passed_in);
  const CallTrace handed_on = rig.call_for(served);
  CHECK(handed_on.source() == lineage::Source::kWire);
  CHECK(facts_of(handed_on).execution_id == served.execution()->id);
  CHECK_FALSE(handed_on.agent_counts_itself());
}

TEST_CASE("where the agent's server begins a trace of its own, its calls are in that one") {
  Rig rig;
  rig.options.destinations.front().restart = true;
  rig.request.headers.add("traceparent", kParent);
  CallTrace served = rig.served();
  CHECK(served.execution()->context.trace_id.to_string() == kTraceId);
  rig.sent(served);
  const Facts facts = facts_of(served);
  CHECK(facts.context.trace_id.to_string() != kTraceId);
  CHECK(served.execution()->context.trace_id == facts.context.trace_id);
  CHECK(facts.execution_id == facts.context.span_id.to_string());
}

TEST_CASE("a turn in a request on the ingress is the parent, and the request the execution") {
  Rig rig;
  const CallTrace served = rig.served();
  CallTrace trace(rig.options, rig.request, rig.target, {.ingress = served.execution()},
                  rig.random);
  lineage::Call call;
  trace.ask(call, {1, 2}, rig.random);
  CHECK(call.scope.span.span_id == facts_of(served).context.span_id);
  CHECK(call.scope.execution_id == served.execution()->id);
  lineage::Joined joined{.verdict = lineage::Joined::Verdict::kOne,
                         .source = lineage::Source::kEcho,
                         .execution = {7},
                         .parent = {call.trace, {0x1234}, trace::kSampledFlag}};
  trace.decide(&joined, {}, rig.random);
  const Facts facts = facts_of(trace);
  CHECK(facts.parent_id.value == 0x1234);
  CHECK(facts.parent_source == "echo");
  CHECK(facts.execution_id == served.execution()->id);
  CHECK(facts.context.trace_id == facts_of(served).context.trace_id);
}

TEST_CASE("what an execution keeps of a trace state is what is sent on") {
  Rig rig;
  rig.request.headers.add("traceparent", kParent);
  std::string members;
  for (int i = 0; i < 30; ++i)
    members += "v" + std::to_string(i) + "=" + std::string(100, 'x') + ",";
  rig.request.headers.add("tracestate", members + "last=1");
  CallTrace trace(rig.options, rig.request, rig.target, {}, rig.random);
  trace.decide(nullptr, {}, rig.random);
  CHECK(trace.span().tracestate.to_string().size() > 2000);
  CHECK(trace.tracestate().size() <= trace::TraceState::kPropagatedBytes);
  CHECK(trace.tracestate().starts_with("v0="));
}

TEST_CASE("a probe has no span, and its context passes as it came") {
  Rig rig;
  rig.request.headers.add("traceparent", kParent);
  rig.target = *http::parse_url("http://agent.example/healthz");
  CallTrace trace(rig.options, rig.request, rig.target, {.served = true, .ignored = true},
                  rig.random);
  CHECK_FALSE(trace.active());
  CHECK(trace.execution() == nullptr);
  CHECK(rig.sent(trace).find("traceparent") == kParent);
}

// As the registry would answer.
lineage::Joined turn_of(trace::TraceId trace, bool opened) {
  return {.verdict = lineage::Joined::Verdict::kOne,
          .source = opened ? lineage::Source::kRoot : lineage::Source::kEcho,
          .execution = {7},
          .opened = opened,
          .parent = {trace, {0x1234}, trace::kSampledFlag | trace::kRandomFlag},
          .tracestate = "ot=th:8",
          .step = 3,
          .links = {{trace, {0x99}, 1}}};
}

TEST_CASE("the turn that a call belongs to is its parent") {
  Rig rig;
  CallTrace trace = rig.undecided();
  CHECK(trace.is_open());
  CHECK_FALSE(trace.decided());
  lineage::Call call;
  trace.ask(call, {1, 2}, rig.random);
  REQUIRE(call.trace);
  CHECK_FALSE(call.is_sent);
  const trace::TraceId other{1, ~uint64_t{0}};
  const lineage::Joined joined = turn_of(other, false);
  trace.decide(&joined, {}, rig.random);
  const Facts facts = facts_of(trace);
  CHECK(facts.context.trace_id == other);
  CHECK(facts.context.span_id == call.span);
  CHECK(facts.context.tracestate.to_string() == "ot=th:8");
  CHECK(facts.parent_id.value == 0x1234);
  CHECK_FALSE(facts.parent_is_remote);
  CHECK(facts.parent_source == "echo");
  CHECK(facts.turn_id == facts.parent_id.to_string());
  CHECK(facts.turn_step == 3);
  CHECK(facts.execution_id == facts.turn_id);
  REQUIRE(facts.links.size() == 1);
  CHECK(facts.links[0].span_id.value == 0x99);
}

TEST_CASE("the trace that a request names is a scope, unless the call may leave it") {
  Rig rig;
  const lineage::HashKey key{1, 2};
  CHECK(rig.call().named_scope(key) == 0);
  rig.request.headers.add("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
  CallTrace trace = rig.call();
  lineage::Call call;
  trace.ask_within(call, key);
  CHECK(call.scope.id == trace.named_scope(key));
  CHECK(call.scope.id != 0);
  CHECK_FALSE(call.scope.span);
  CHECK(call.trace == trace.span().trace_id);
  CHECK(call.span == trace.span().span_id);
  CHECK(call.flags == trace.flags());

  CallTrace said = rig.undecided();
  said.decide(nullptr, {"00-1af7651916cd43dd8448eb211c80319c-c7ad6b7169203331-01", "", ""},
              rig.random);
  CHECK(said.named_scope(key) != 0);
  CHECK(said.named_scope(key) != trace.named_scope(key));
  rig.options.destinations[1].restart = true;
  CHECK(rig.call().named_scope(key) == 0);
}

TEST_CASE("a turn that begins with a call is in its trace, and sampled as a root") {
  Rig rig;
  rig.options.sampler = Rig::sampler("parentbased_always_off");
  CallTrace trace = rig.undecided();
  lineage::Call call;
  trace.ask(call, {1, 2}, rig.random);
  const lineage::Joined joined = turn_of(call.trace, true);
  trace.decide(&joined, {}, rig.random);
  CHECK_FALSE(trace.sampled());
  const Facts facts = facts_of(trace);
  CHECK(facts.context.trace_id == call.trace);
  CHECK(facts.context.random());
  CHECK(facts.context.tracestate.empty());
  CHECK(facts.parent_id.value == 0x1234);
  CHECK(facts.parent_source == "root");
}

TEST_CASE("a turn that is found when the head has gone") {
  Rig rig;
  CallTrace trace = rig.call();
  lineage::Call call;
  trace.ask(call, {1, 2}, rig.random);
  CHECK(call.is_sent);
  const trace::TraceId own = facts_of(trace).context.trace_id;
  CHECK(call.trace == own);
  SUBCASE("is the parent in the same trace") {
    trace.join_late(turn_of(own, true));
    CHECK(facts_of(trace).parent_id.value == 0x1234);
    CHECK(facts_of(trace).context.trace_id == own);
  }
  SUBCASE("is linked where it has another") {
    trace.join_late(turn_of({1, 2}, false));
    CHECK_FALSE(facts_of(trace).parent_id);
    CHECK(facts_of(trace).parent_source == "root");
    CHECK(facts_of(trace).turn_id.empty());
    REQUIRE(facts_of(trace).links.size() == 2);
    CHECK(facts_of(trace).links[1].span_id.value == 0x1234);
  }
}

TEST_CASE("in a run the turn is the run's child") {
  Rig rig;
  const trace::SpanContext run{{5, 6}, {7}, trace::kSampledFlag | trace::kRandomFlag, {}};
  rig.options.run = lineage::Execution{"run", lineage::Source::kListener, run};
  CallTrace trace = rig.undecided();
  CHECK(trace.is_open());
  lineage::Call call;
  trace.ask(call, {1, 2}, rig.random);
  CHECK(call.trace == run.trace_id);
  CHECK(call.scope.span == lineage::SpanRef{run.trace_id, run.span_id, run.flags});
  const lineage::Joined joined = turn_of(run.trace_id, true);
  trace.decide(&joined, {}, rig.random);
  const Facts facts = facts_of(trace);
  CHECK(facts.context.trace_id == run.trace_id);
  CHECK(facts.parent_source == "listener");
  CHECK(facts.execution_id == "run");
  CHECK(facts.turn_id == facts.parent_id.to_string());
  CHECK(trace.sampled());
}

}  // namespace sidespan::proxy
