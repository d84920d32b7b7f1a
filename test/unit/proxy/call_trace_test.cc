#include "proxy/call_trace.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "sidespan/trace/sampler.h"

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
    target = *http::parse_url(url);
    return CallTrace(options, request, target, random);
  }

  http::Headers sent(const CallTrace& trace, std::string_view host = "localhost",
                     std::string_view ip = "127.0.0.1") {
    http::Headers headers = request.headers;
    const net::Address address = *net::Address::parse(ip, 80);
    trace.inject(headers, rule_for(options.destinations, host, &address));
    return headers;
  }

  Options options;
  http::Head request;
  http::Url target;
  Random random{1};
};

semconv::HttpFacts facts_of(const CallTrace& trace) {
  semconv::HttpFacts facts;
  trace.describe(facts);
  return facts;
}

TEST_CASE("without evidence a call is a root, and the origin sees its id") {
  Rig rig;
  const CallTrace trace = rig.call();
  const semconv::HttpFacts facts = facts_of(trace);
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
  const CallTrace trace = rig.call();
  const semconv::HttpFacts facts = facts_of(trace);
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
  const semconv::HttpFacts first = facts_of(trace);
  trace.next_attempt(rig.random);
  const semconv::HttpFacts second = facts_of(trace);
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
  const CallTrace trace = rig.call();
  CHECK(trace.active());
  CHECK_FALSE(trace.sampled());
  const http::Headers sent = rig.sent(trace);
  CHECK(sent.find("traceparent")->ends_with("-00"));
  CHECK(sent.find("traceparent")->substr(3, 32) == kTraceId);
}

TEST_CASE("what is ignored has no context of ours") {
  Rig rig;
  rig.options.ignore_paths = {"/v1/traces", "/quiet/*"};
  rig.request.headers.add("traceparent", kParent);
  struct Row {
    std::string_view url;
    bool active;
  };
  for (const auto& [url, active] :
       {Row{"http://h/v1/traces", false}, Row{"http://h/v1/traces?x", false},
        Row{"http://h/quiet/a/b", false}, Row{"http://h/quiet", true},
        Row{"http://h/v1/traces/more", true}}) {
    CAPTURE(url);
    const CallTrace trace = rig.call(url);
    CHECK(trace.active() == active);
    CHECK((rig.sent(trace).find("traceparent") == kParent) == !active);
  }
  const CallTrace ignored = rig.call("http://h/v1/traces");
  CHECK_FALSE(ignored.sampled());
}

TEST_CASE("baggage is filtered and added to where it may go") {
  Rig rig;
  rig.options.baggage_allow = {"ten*"};
  rig.options.baggage_add = {{"cell", "eu"}};
  rig.request.headers.add("baggage", "tenant=a,user=7");
  const CallTrace trace = rig.call();
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
  const semconv::HttpFacts facts = facts_of(rig.call());
  CHECK(facts.parent_id == run.context.span_id);
  CHECK_FALSE(facts.parent_is_remote);
  CHECK(facts.execution_id == "run-1");
}

}  // namespace
}  // namespace sidespan::proxy
