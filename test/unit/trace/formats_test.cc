#include "sidespan/trace/formats.h"

#include <doctest/doctest.h>

#include <string>
#include <utility>
#include <vector>

#include "sidespan/base/text.h"
#include "sidespan/trace/custom.h"
#include "sidespan/trace/propagator.h"
#include "sidespan/trace/sampler.h"

namespace sidespan::trace {
namespace {

using Fields = std::vector<std::pair<std::string, std::string>>;
using Names = std::vector<std::string>;

const PropagatorRegistry& registry() {
  static const PropagatorRegistry known;
  return known;
}

Context extract(std::string_view format, const Fields& fields) {
  Context context;
  registry().find(format)->extract(PairReader(fields), context);
  return context;
}

Fields inject(const Propagator& format, const Context& context, Parts parts = {},
              Fields fields = {}) {
  PairWriter writer(fields);
  format.inject(context, parts, writer);
  return fields;
}

Context ours(uint8_t flags = kSampledFlag) {
  Context context;
  context.span = {{0x80f198ee56343ba8, 0x64fe8b2a57d3eff7}, {0xe457b5a2e4d86bd1}, flags, {}};
  return context;
}

}  // namespace

TEST_CASE("what each format writes") {
  struct Row {
    std::string_view format;
    Fields sampled;
    Fields not_sampled;
  };
  const std::string trace = "80f198ee56343ba864fe8b2a57d3eff7";
  const std::string span = "e457b5a2e4d86bd1";
  const std::string tid = "_dd.p.tid=80f198ee56343ba8";
  const std::string xray = "Root=1-80f198ee-56343ba864fe8b2a57d3eff7;Parent=" + span;
  const std::string gcp = trace + "/16453819474850114513";
  const std::vector<Row> rows = {
      {"b3", {{"b3", trace + "-" + span + "-1"}}, {{"b3", trace + "-" + span + "-0"}}},
      {"b3multi",
       {{"x-b3-traceid", trace}, {"x-b3-spanid", span}, {"x-b3-sampled", "1"}},
       {{"x-b3-traceid", trace}, {"x-b3-spanid", span}, {"x-b3-sampled", "0"}}},
      {"jaeger",
       {{"uber-trace-id", trace + ":" + span + ":0:1"}},
       {{"uber-trace-id", trace + ":" + span + ":0:0"}}},
      {"datadog",
       {{"x-datadog-trace-id", "7277407061855694839"},
        {"x-datadog-parent-id", "16453819474850114513"},
        {"x-datadog-sampling-priority", "1"},
        {"x-datadog-tags", tid}},
       {{"x-datadog-trace-id", "7277407061855694839"},
        {"x-datadog-parent-id", "16453819474850114513"},
        {"x-datadog-sampling-priority", "0"},
        {"x-datadog-tags", tid}}},
      {"xray",
       {{"x-amzn-trace-id", xray + ";Sampled=1"}},
       {{"x-amzn-trace-id", xray + ";Sampled=0"}}},
      {"gcp", {{"x-cloud-trace-context", gcp + ";o=1"}}, {{"x-cloud-trace-context", gcp + ";o=0"}}},
      {"ottrace",
       {{"ot-tracer-traceid", "64fe8b2a57d3eff7"},
        {"ot-tracer-spanid", span},
        {"ot-tracer-sampled", "true"}},
       {{"ot-tracer-traceid", "64fe8b2a57d3eff7"},
        {"ot-tracer-spanid", span},
        {"ot-tracer-sampled", "false"}}},
      {"opencensus",
       {{"grpc-trace-bin", "AACA8ZjuVjQ7qGT+iypX0+/3AeRXtaLk2GvRAgE="}},
       {{"grpc-trace-bin", "AACA8ZjuVjQ7qGT+iypX0+/3AeRXtaLk2GvRAgA="}}},
  };
  CHECK(rows.size() == kVendorFormats.size());
  for (const Row& row : rows) {
    CAPTURE(row.format);
    const Propagator& format = *registry().find(row.format);
    CHECK(inject(format, ours()) == row.sampled);
    CHECK(inject(format, ours(0)) == row.not_sampled);
    // What it wrote it reads, and what it may not write it takes away.
    const Context again = extract(row.format, row.sampled);
    CHECK(again.span.span_id == ours().span.span_id);
    CHECK(again.span.trace_id.low == ours().span.trace_id.low);
    CHECK((again.span.trace_id.high == 0) == (row.format == "ottrace"));
    CHECK(again.span.sampled());
    CHECK(again.asked == Asked::kNothing);
    CHECK(again.extracted_by == row.format);
    CHECK(inject(format, ours(), {false, false, false}, row.sampled).empty());
    CHECK(inject(format, Context(), {}, row.sampled) == row.sampled);
    for (const auto& [name, value] : row.sampled) CHECK(vendor_field(name).has_value());
  }
}

TEST_CASE("what no format reads") {
  struct Row {
    std::string_view format;
    Fields fields;
  };
  const std::string trace(32, 'a');
  const std::string span(16, 'b');
  for (const auto& [format, fields] : {
           Row{"b3", {{"b3", trace + "-" + span + "-2"}}},
           Row{"b3", {{"b3", trace + "-" + span + "-1-" + span + "-x"}}},
           Row{"b3", {{"b3", trace + "-"}}},
           Row{"b3multi", {{"X-B3-TraceId", trace}}},
           Row{"b3multi", {{"X-B3-TraceId", trace}, {"X-B3-SpanId", "b"}}},
           Row{"jaeger", {{"uber-trace-id", trace + ":" + span + ":0:g"}}},
           Row{"jaeger", {{"uber-trace-id", trace + ":" + span + ":0:1:1"}}},
           Row{"jaeger", {{"uber-trace-id", trace + ":" + span + "b:0:1"}}},
           Row{"jaeger", {{"uber-trace-id", "%"}}},
           Row{"datadog",
               {{"x-datadog-trace-id", "18446744073709551616"}, {"x-datadog-parent-id", "1"}}},
           Row{"datadog", {{"x-datadog-trace-id", "1"}, {"x-datadog-parent-id", "0x1"}}},
           Row{"datadog", {{"x-datadog-trace-id", "0"}, {"x-datadog-parent-id", "1"}}},
           Row{"xray",
               {{"X-Amzn-Trace-Id", "Root=2-aaaaaaaa-" + trace.substr(8) + ";Parent=" + span}}},
           Row{"xray", {{"X-Amzn-Trace-Id", "Parent=" + span}}},
           Row{"gcp", {{"X-Cloud-Trace-Context", trace + "a/1;o=1"}}},
           Row{"gcp", {{"X-Cloud-Trace-Context", trace + "/x;o=1"}}},
           Row{"ottrace", {{"ot-tracer-traceid", trace + "a"}, {"ot-tracer-spanid", span}}},
           Row{"ottrace", {{"ot-tracer-traceid", trace}}},
       }) {
    CAPTURE(format);
    CAPTURE(fields[0].second);
    const Context context = extract(format, fields);
    CHECK_FALSE(context.span.valid());
    CHECK(context.asked == Asked::kNothing);
    CHECK_FALSE(context.trace_hint);
  }
}

TEST_CASE("debug goes on in the formats that have it") {
  Context context = ours();
  context.asked = Asked::kDebug;
  CHECK(inject(*registry().find("b3"), context)[0].second.ends_with("-d"));
  CHECK(inject(*registry().find("jaeger"), context)[0].second.ends_with(":3"));
  const Fields multi = inject(*registry().find("b3multi"), context, {},
                              {{"X-B3-Sampled", "1"}, {"X-B3-ParentSpanId", "1"}});
  CHECK(multi.size() == 3);
  CHECK(multi.back() == std::pair<std::string, std::string>("x-b3-flags", "1"));
  // What was asked for and not done is not told.
  context.span.flags = 0;
  CHECK(inject(*registry().find("b3"), context)[0].second.ends_with("-0"));
  CHECK(inject(*registry().find("jaeger"), context)[0].second.ends_with(":0"));
}

TEST_CASE("Datadog's luggage") {
  const Propagator& datadog = *registry().find("datadog");
  const Fields received = {{"x-datadog-trace-id", "7"},
                           {"x-datadog-parent-id", "9"},
                           {"x-datadog-sampling-priority", "2"},
                           {"x-datadog-origin", "rum"},
                           {"x-datadog-tags", "_dd.p.dm=-4,foo=1,_dd.p.usr=a=b"}};
  Context context = extract("datadog", received);
  CHECK(context.span.sampled());
  SUBCASE("goes on as it came where the decision is the sender's") {
    const Fields sent = inject(datadog, context);
    CHECK(sent[2].second == "2");
    CHECK(sent[3].second == "rum");
    CHECK(sent[4].second == "_dd.p.dm=-4,_dd.p.usr=a=b");
    CHECK(datadog.tracestate_value(context) == "s:2;p:0000000000000009;o:rum;t.dm:-4;t.usr:a~b");
  }
  SUBCASE("agrees with a decision of ours") {
    context.span.flags = 0;
    const Fields sent = inject(datadog, context);
    CHECK(sent[2].second == "0");
    CHECK(sent[4].second == "_dd.p.usr=a=b");
  }
  SUBCASE("is dropped with its trace") {
    context.adopt(ours().span, "tracecontext");
    CHECK(context.find_kept("x-datadog-origin").empty());
  }
  SUBCASE("also travels beside W3C's headers") {
    const CompositePropagator both(registry(), Names{"tracecontext", "datadog"});
    Context w3c = ours();
    w3c.span.tracestate.set("other", "1");
    w3c.span.tracestate.set("dd", "s:2;o:rum;t.usr:a~b;p:00f067aa0ba902b7");
    const Fields sent = inject(both, w3c);
    CHECK(sent[1].second == "dd=s:2;p:e457b5a2e4d86bd1;o:rum;t.usr:a~b,other=1");
    CHECK(sent[4].second == "2");
    CHECK(sent[5].second == "rum");
    CHECK(sent[6].second == "_dd.p.usr=a=b,_dd.p.tid=80f198ee56343ba8");
    // Where tracestate may not go, the member does not go either.
    CHECK(inject(both, w3c, {true, false, true})[1].first == "x-datadog-trace-id");
  }
  SUBCASE("a trace it cannot name is not written") {
    Context other = ours();
    other.span.trace_id.low = 0;
    CHECK(inject(datadog, other, {}, received).empty());
    CHECK(inject(*registry().find("ottrace"), other).empty());
  }
}

TEST_CASE("X-Ray without a parent is a trace to go on in") {
  const Context context = extract(
      "xray", {{"X-Amzn-Trace-Id", "Root=1-80f198ee-56343ba864fe8b2a57d3eff7;Lineage=a:0"}});
  CHECK_FALSE(context.span.valid());
  CHECK(context.trace_hint == ours().span.trace_id);
  Context next = context;
  next.span = ours().span;
  CHECK(inject(*registry().find("xray"), next)[0].second.ends_with(";Sampled=1;Lineage=a:0"));
}

TEST_CASE("baggage in headers of its own") {
  const std::string trace(32, 'a');
  Context context =
      extract("jaeger", {{"uberctx-Tier", "gold%20plus"}, {"jaeger-baggage", "user=7, bad, x=1"}});
  CHECK(context.baggage.get("tier") == "gold plus");
  CHECK(context.baggage.get("user") == "7");
  CHECK(context.baggage.get("x") == "1");
  context.span = ours().span;
  const Fields jaeger = inject(*registry().find("jaeger"), context, {}, {{"uberctx-old", "1"}});
  CHECK(jaeger[0] == std::pair<std::string, std::string>("uberctx-tier", "gold%20plus"));
  CHECK(jaeger.size() == 4);
  CHECK(inject(*registry().find("jaeger"), context, {true, false, false}, jaeger).size() == 1);

  CHECK(extract("ottrace", {{"ot-baggage-user", "7"}}).baggage.empty());
  CHECK(extract(
            "ottrace",
            {{"ot-tracer-traceid", trace}, {"ot-tracer-spanid", "1f"}, {"ot-baggage-User", "a b"}})
            .baggage.get("user") == "a b");
  const Fields ottrace = inject(*registry().find("ottrace"), context);
  CHECK(ottrace[3] == std::pair<std::string, std::string>("ot-baggage-tier", "gold plus"));
}

TEST_CASE("baggage in two formats is the same baggage, however many hops") {
  const std::string line = "userId=alice;p=1,tier=gold";
  for (const char* format : {"jaeger", "ottrace"}) {
    for (const bool first : {false, true}) {
      std::vector<std::string> names = {"tracecontext", "baggage"};
      names.insert(first ? names.begin() : names.end(), format);
      CAPTURE(names);
      const PropagatorRegistry registry;
      const CompositePropagator composite(registry, names);
      std::vector<std::pair<std::string, std::string>> fields = {
          {"traceparent", "00-80f198ee56343ba864fe8b2a57d3eff7-e457b5a2e4d86bd1-01"},
          {"baggage", line}};
      for (int hop = 0; hop < 3; ++hop) {
        Context context;
        composite.extract(PairReader(fields), context);
        CHECK(context.baggage.to_header() == line);
        PairWriter writer(fields);
        composite.inject(context, {}, writer);
      }
      fields.emplace_back(first ? "ot-baggage-more" : "OT-Baggage-more", "yes");
      fields.emplace_back("uberctx-more", "yes");
      Context context;
      composite.extract(PairReader(fields), context);
      CHECK(context.baggage.to_header() == line + ",more=yes");
    }
  }
}

TEST_CASE("what a sender put beside the ids goes where tracestate may") {
  const Context datadog = extract("datadog", {{"x-datadog-trace-id", "7"},
                                              {"x-datadog-parent-id", "8"},
                                              {"x-datadog-sampling-priority", "1"},
                                              {"x-datadog-origin", "rum"},
                                              {"x-datadog-tags", "_dd.p.usr.id=YWxpY2U"}});
  const Propagator& by_datadog = *registry().find("datadog");
  CHECK(inject(by_datadog, datadog).size() == 5);
  CHECK(inject(by_datadog, datadog, {true, false, true}).size() == 3);
  const Context xray = extract(
      "xray", {{"x-amzn-trace-id",
                "Root=1-67891233-abcdef012345678912345678;Parent=463ac35c9f6413ad;Lineage=a:b"}});
  const Propagator& by_xray = *registry().find("xray");
  CHECK(inject(by_xray, xray)[0].second.find("Lineage") != std::string::npos);
  CHECK(inject(by_xray, xray, {true, false, true})[0].second.find("Lineage") == std::string::npos);
}

TEST_CASE("the binary form of gRPC") {
  const auto read = [](std::string_view bytes) {
    return extract("opencensus", {{"grpc-trace-bin", text::base64(bytes)}}).span;
  };
  const std::string trace("\0\0abcdefghijklmnop", 18);
  const std::string span("\1stuvwxyz", 9);
  const std::string options("\2\1", 2);
  CHECK(read(trace + span + options).sampled());
  CHECK(read(trace + span + options).span_id.value == 0x737475767778797a);
  CHECK(read(trace + span + options).trace_id.low == 0x696a6b6c6d6e6f70);
  // Without options nothing is sampled; what stands behind them is of a later day.
  CHECK(read(trace + span).valid());
  CHECK_FALSE(read(trace + span).sampled());
  CHECK(read(trace + span + options + "\3later").sampled());
  CHECK(extract("opencensus", {{"grpc-trace-bin", "AACA8ZjuVjQ7qGT+iypX0+/3AeRXtaLk2GvRAgE"}})
            .span.span_id == ours().span.span_id);  // no padding, as gRPC sends it
  for (const std::string& bad :
       {std::string(), trace, span, trace + span.substr(0, 8), "\1" + trace.substr(1) + span,
        span + trace, trace + std::string("\1\0\0\0\0\0\0\0\0", 9), std::string(18, '\0') + span}) {
    CHECK_FALSE(read(bad).valid());
  }
  CHECK_FALSE(extract("opencensus", {{"grpc-trace-bin", "no base64!"}}).span.valid());
  CHECK_FALSE(extract("opencensus", {{"grpc-trace-bin", std::string(400, 'A')}}).span.valid());
}

TEST_CASE("whose a field is") {
  struct Row {
    std::string_view name;
    std::string_view format;  // empty: nobody's
    bool baggage = false;
  };
  for (const auto& [name, format, baggage] : {Row{"B3", "b3"},
                                              Row{"X-B3-TraceId", "b3multi"},
                                              Row{"x-b3-flags", "b3multi"},
                                              Row{"Uber-Trace-Id", "jaeger"},
                                              Row{"UberCtx-a", "jaeger", true},
                                              Row{"jaeger-baggage", "jaeger", true},
                                              Row{"x-datadog-origin", "datadog"},
                                              Row{"X-Amzn-Trace-Id", "xray"},
                                              Row{"X-Cloud-Trace-Context", "gcp"},
                                              Row{"ot-tracer-sampled", "ottrace"},
                                              Row{"OT-Baggage-a", "ottrace", true},
                                              Row{"Grpc-Trace-Bin", "opencensus"},
                                              Row{"grpc-timeout", ""},
                                              Row{"", ""},
                                              Row{"x-", ""},
                                              Row{"x-amz-date", ""},
                                              Row{"x-amzn-requestid", ""},
                                              Row{"b4", ""},
                                              Row{"origin", ""},
                                              Row{"x-stainless-lang", ""},
                                              Row{"traceparent", ""}}) {
    CAPTURE(name);
    const auto field = vendor_field(name);
    CHECK(field.has_value() == !format.empty());
    if (!field) continue;
    CHECK(kVendorFormats[field->format] == format);
    CHECK(field->baggage == baggage);
  }
}

TEST_CASE("what a sender asks of the decision") {
  struct Row {
    std::string_view sampler;
    bool parent;
    Asked asked;
    bool sampled;
  };
  Random random(3);
  for (const auto& [name, parent, asked, sampled] :
       {Row{"parentbased_always_on", false, Asked::kDrop, false},
        Row{"always_on", false, Asked::kDrop, false},
        Row{"parentbased_always_off", false, Asked::kDebug, true},
        Row{"parentbased_always_off", false, Asked::kKeep, true},
        Row{"always_off", false, Asked::kKeep, false},
        Row{"parentbased_always_off", true, Asked::kUndecided, false},
        Row{"parentbased_always_on", true, Asked::kUndecided, true},
        Row{"parentbased_always_on", true, Asked::kNothing, false},
        Row{"parentbased_always_on", true, Asked::kDebug, true},
        Row{"parentbased_always_on", false, Asked::kUndecided, true}}) {
    CAPTURE(name);
    CAPTURE(static_cast<int>(asked));
    const auto sampler = make_sampler(name);
    const SpanContext sender = ours(0).span;
    const StartedContext started =
        start_span_context(parent ? &sender : nullptr, asked, {}, **sampler, random);
    CHECK(started.sampled == sampled);
    CHECK(started.context.sampled() == sampled);
    CHECK(started.context.random() == !parent);
    CHECK((started.context.trace_id == sender.trace_id) == parent);
  }
}

TEST_CASE("a format of one's own") {
  struct Row {
    std::string_view pattern;
    std::string_view value;
    bool undecided = false;
    bool short_trace = false;
  };
  for (const auto& [pattern, value, undecided, short_trace] :
       {Row{"{trace_id}:{span_id}:{sampled}",
            "80f198ee56343ba864fe8b2a57d3eff7:e457b5a2e4d86bd1:1"},
        Row{"v1;{span_id}{trace_id_64}", "v1;e457b5a2e4d86bd164fe8b2a57d3eff7", true, true},
        Row{"{trace_id_decimal}/{span_id_decimal};o={sampled}",
            "7277407061855694839/16453819474850114513;o=1", false, true}}) {
    CAPTURE(pattern);
    const auto format = make_custom_propagator("acme", "X-Acme", pattern);
    REQUIRE(format.has_value());
    CHECK((*format)->name() == "acme");
    CHECK((*format)->fields()[0] == "x-acme");
    const Fields sent = inject(**format, ours(), {}, {{"x-acme", "stale"}});
    CHECK(sent == Fields{{"X-Acme", std::string(value)}});
    Context again;
    CHECK((*format)->extract(PairReader(sent), again));
    CHECK(again.span.span_id == ours().span.span_id);
    CHECK(again.span.trace_id.low == ours().span.trace_id.low);
    CHECK((again.span.trace_id.high == 0) == short_trace);
    CHECK((again.asked == Asked::kUndecided) == undecided);
    CHECK(again.span.sampled() == !undecided);
    for (size_t cut = 0; cut < value.size(); ++cut) {
      const Fields part = {{"x-acme", std::string(value.substr(0, cut))}};
      Context none;
      const bool read = (*format)->extract(PairReader(part), none);
      CHECK(read == none.span.valid());
    }
    CHECK(inject(**format, ours(), {false, false, false}, sent).empty());
  }
}

TEST_CASE("what is no format") {
  struct Row {
    std::string_view name;
    std::string_view header;
    std::string_view pattern;
  };
  for (const auto& [name, header, pattern] : {
           Row{"", "x", "{trace_id}{span_id}"},
           Row{"a b", "x", "{trace_id}{span_id}"},
           Row{"a", "x:", "{trace_id}{span_id}"},
           Row{"a", "x", "{trace_id}"},
           Row{"a", "x", "{span_id}"},
           Row{"a", "x", "{trace_id}{span_id}{trace_id_64}"},
           Row{"a", "x", "{trace_id}{span_id}{sampled}{sampled}"},
           Row{"a", "x", "{trace_id}{span_id"},
           Row{"a", "x", "{trace_id}{span_id}{x}"},
           Row{"a", "x", "{trace_id_decimal}{span_id}"},
           Row{"a", "x", "{trace_id_decimal}0{span_id}"},
           Row{"a", "x", " {trace_id}{span_id}"},
           Row{"a", "x", "{trace_id}\n{span_id}"},
       }) {
    CAPTURE(pattern);
    CHECK_FALSE(make_custom_propagator(std::string(name), std::string(header), pattern));
  }
}

}  // namespace sidespan::trace
