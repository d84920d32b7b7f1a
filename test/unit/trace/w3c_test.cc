#include "sidespan/trace/w3c.h"

#include <doctest/doctest.h>

#include <utility>

namespace sidespan::trace {
namespace {

using Fields = std::vector<std::pair<std::string, std::string>>;

constexpr std::string_view kIds = "4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7";

std::string traceparent(std::string_view version, std::string_view flags_and_more) {
  return std::string(version) + "-" + std::string(kIds) + "-" + std::string(flags_and_more);
}

Context extract(const Fields& fields) {
  Context context;
  W3cPropagator().extract(PairReader(fields), context);
  BaggagePropagator().extract(PairReader(fields), context);
  return context;
}

Fields inject(const Context& context, Parts parts, Fields fields) {
  PairWriter writer(fields);
  W3cPropagator().inject(context, parts, writer);
  BaggagePropagator().inject(context, parts, writer);
  return fields;
}

TEST_CASE("w3c: parse traceparent") {
  struct Row {
    const char* name;
    std::string value;
    int flags;  // -1: not a traceparent
  };
  const Row rows[] = {
      {"sampled", traceparent("00", "01"), 1},
      {"random", traceparent("00", "02"), 2},
      {"nothing set", traceparent("00", "00"), 0},
      {"unknown flags are dropped", traceparent("00", "fd"), 1},
      {"blanks at both ends", " \t" + traceparent("00", "03") + "\t ", 3},
      {"future version", traceparent("01", "03"), 3},
      {"future version with more", traceparent("fe", "01-what-comes-next"), 1},
      {"future version with an empty rest", traceparent("01", "01-"), 1},
      {"future version, longer flags", traceparent("01", "011"), -1},
      {"future version, comma list", traceparent("01", "01," + traceparent("01", "01")), -1},
      {"version 00 with more", traceparent("00", "01-x"), -1},
      {"version ff", traceparent("ff", "01"), -1},
      {"version in upper case", traceparent("0A", "01"), -1},
      {"flags in upper case", traceparent("00", "0A"), -1},
      {"one flag digit", traceparent("00", "1"), -1},
      {"inner blank", traceparent("00", " 1"), -1},
      {"zero byte", traceparent("00", std::string("0\0", 2)), -1},
      {"empty", "", -1},
      {"blanks only", " \t ", -1},
  };
  for (const Row& row : rows) {
    INFO(row.name);
    const auto context = parse_traceparent(row.value);
    REQUIRE(context.has_value() == (row.flags >= 0));
    if (!context) continue;
    CHECK(context->trace_id.to_string() == kIds.substr(0, 32));
    CHECK(context->span_id.to_string() == kIds.substr(33));
    CHECK(context->flags == row.flags);
    CHECK(context->tracestate.empty());
  }
}

TEST_CASE("w3c: no changed character of a traceparent goes unnoticed") {
  const std::string good = traceparent("00", "01");
  for (size_t i = 0; i < good.size(); ++i) {
    INFO(i);
    std::string bad = good;
    bad[i] = bad[i] == '-' ? '0' : '-';
    CHECK_FALSE(parse_traceparent(bad).has_value());
    bad[i] = static_cast<char>(0xe9);
    CHECK_FALSE(parse_traceparent(bad).has_value());
    CHECK_FALSE(parse_traceparent(good.substr(0, i)).has_value());
    CHECK_FALSE(parse_traceparent(good.substr(i + 1)).has_value());
  }
}

TEST_CASE("w3c: encode traceparent") {
  const SpanContext context{{0x1, 0xab}, {0xcd}, 0xff, {}};
  const auto value = encode_traceparent(context);
  CHECK(std::string_view(value.data(), value.size()) ==
        "00-000000000000000100000000000000ab-00000000000000cd-03");
}

TEST_CASE("w3c: extract leaves the context alone when there is nothing to read") {
  struct Row {
    const char* name;
    Fields fields;
  };
  const Row rows[] = {
      {"no field", {}},
      {"another field", {{"trace-parent", traceparent("00", "01")}}},
      {"bad traceparent", {{"traceparent", "00-bad"}, {"tracestate", "a=1"}}},
      {"tracestate alone", {{"tracestate", "a=1"}}},
      {"twice the same",
       {{"traceparent", traceparent("00", "01")}, {"Traceparent", traceparent("00", "01")}}},
      {"twice, one empty", {{"traceparent", traceparent("00", "01")}, {"traceparent", ""}}},
  };
  for (const Row& row : rows) {
    INFO(row.name);
    Context context;
    context.span = {{1, 2}, {3}, 1, TraceState::parse({"kept=1"})};
    context.extracted_by = "before";
    CHECK_FALSE(W3cPropagator().extract(PairReader(row.fields), context));
    CHECK(context.span.span_id.value == 3);
    CHECK(context.span.tracestate.to_string() == "kept=1");
    CHECK(context.extracted_by == "before");
  }
}

TEST_CASE("w3c: extract replaces the tracestate of another propagator") {
  Context context;
  context.span = {{1, 2}, {3}, 1, TraceState::parse({"old=1"})};
  const Fields fields = {{"traceparent", traceparent("00", "01")}};
  CHECK(W3cPropagator().extract(PairReader(fields), context));
  CHECK(context.span.tracestate.empty());
  CHECK(context.extracted_by == "tracecontext");
}

TEST_CASE("w3c: tracestate lines are one list") {
  const Context context = extract({{"tracestate", "a=1"},
                                   {"traceparent", traceparent("00", "01")},
                                   {"TraceState", "b=2, "},
                                   {"tracestate", "c=3"}});
  CHECK(context.span.tracestate.to_string() == "a=1,b=2,c=3");
}

TEST_CASE("w3c: what a destination may see") {
  const Fields received = {{"Host", "origin"},    {"Traceparent", traceparent("00", "03")},
                           {"tracestate", "a=1"}, {"Tracestate", "b=2"},
                           {"Baggage", "k=v"},    {"X-Other", "1"}};
  const Context context = extract(received);
  const std::string id = traceparent("00", "03");
  const Fields others = {{"Host", "origin"}, {"X-Other", "1"}};
  const auto with = [&](Fields more) {
    Fields all = others;
    all.insert(all.end(), more.begin(), more.end());
    return all;
  };
  CHECK(inject(context, {}, received) ==
        with({{"traceparent", id}, {"tracestate", "a=1,b=2"}, {"baggage", "k=v"}}));
  CHECK(inject(context, {.traceparent = true, .tracestate = false, .baggage = false}, received) ==
        with({{"traceparent", id}}));
  CHECK(inject(context, {.traceparent = false, .tracestate = true, .baggage = true}, received) ==
        with({{"baggage", "k=v"}}));
  CHECK(inject(context, {.traceparent = false, .tracestate = false, .baggage = false}, received) ==
        others);
}

TEST_CASE("w3c: without a context the fields that may be sent stay") {
  const Fields received = {{"traceparent", "00-not-ours"}, {"tracestate", "A b"}};
  CHECK(inject(Context{}, {}, received) == received);
  CHECK(inject(Context{}, {.traceparent = true, .tracestate = false}, received) ==
        Fields{{"traceparent", "00-not-ours"}});
}

TEST_CASE("w3c: a long tracestate is cut, an empty one removed") {
  Context context;
  context.span = {{1, 2}, {3}, 1, {}};
  CHECK(inject(context, {}, {{"tracestate", "a=1"}}).size() == 1);
  for (const char* key : {"a", "b", "c"}) {
    CHECK(context.span.tracestate.set(key, std::string(250, 'v')));
  }
  const Fields sent = inject(context, {}, {});
  REQUIRE(sent.size() == 2);
  CHECK(sent[1].second == "c=" + std::string(250, 'v') + ",b=" + std::string(250, 'v'));
}

TEST_CASE("w3c: baggage goes on as it came, or is mended") {
  struct Row {
    const char* name;
    std::vector<std::string> received, sent;
  };
  const Row rows[] = {
      {"nothing", {}, {}},
      {"one line", {"a = 1 ; p , b=2"}, {"a = 1 ; p , b=2"}},
      {"two lines", {"a=1", "b=%20"}, {"a=1", "b=%20"}},
      {"bad member", {"a=1", "b", "c= 3 ;p"}, {"a=1,c=3;p"}},
      {"nothing but blanks", {" ", "\t"}, {}},
      {"nothing good", {"a b=1"}, {}},
  };
  for (const Row& row : rows) {
    INFO(row.name);
    Fields fields;
    for (const std::string& line : row.received) fields.emplace_back("baggage", line);
    const Context context = extract(fields);
    std::vector<std::string> sent;
    for (const auto& [name, value] : inject(context, {}, fields)) sent.push_back(value);
    CHECK(sent == row.sent);
  }
}

}  // namespace
}  // namespace sidespan::trace
