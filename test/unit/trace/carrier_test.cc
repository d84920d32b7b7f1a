#include "sidespan/trace/carrier.h"

#include <doctest/doctest.h>

#include <map>
#include <unordered_map>

#include "sidespan/trace/w3c.h"

namespace sidespan::trace {
namespace {

using Fields = std::vector<std::pair<std::string, std::string>>;
using Texts = std::vector<std::string>;

Texts values_of(const CarrierReader& carrier, std::string_view name) {
  Texts values;
  carrier.visit(name, [&](std::string_view value) { values.emplace_back(value); });
  return values;
}

Texts pairs_of(const CarrierReader& carrier, std::string_view prefix) {
  Texts pairs;
  carrier.visit_prefix(prefix, [&](std::string_view name, std::string_view value) {
    pairs.push_back(std::string(name) + "=" + std::string(value));
  });
  return pairs;
}

TEST_CASE("carrier: pairs are read in order, whatever the case of their names") {
  const Fields fields = {
      {"A", "1"}, {"uberctx-x", "2"}, {"a", "3"}, {"Uberctx-Y", "4"}, {"ab", "5"}};
  const PairReader reader(fields);
  CHECK(values_of(reader, "a") == Texts{"1", "3"});
  CHECK(values_of(reader, "AB") == Texts{"5"});
  CHECK(values_of(reader, "b").empty());
  CHECK(pairs_of(reader, "UBERCTX-") == Texts{"uberctx-x=2", "Uberctx-Y=4"});
  CHECK(pairs_of(reader, "uberctx-xx").empty());
}

TEST_CASE("carrier: set leaves one line of a name") {
  Fields fields = {{"A", "1"}, {"b", "2"}, {"a", "3"}};
  PairWriter writer(fields);
  writer.set("a", fields[2].second);  // a view of what is replaced
  CHECK(fields == Fields{{"b", "2"}, {"a", "3"}});
  const std::string_view lines[] = {"4", "5"};
  writer.set_lines("A", lines);
  CHECK(fields == Fields{{"b", "2"}, {"A", "4"}, {"A", "5"}});
  writer.remove("B");
  CHECK(fields == Fields{{"A", "4"}, {"A", "5"}});
  writer.set("Uberctx-x", "6");
  writer.remove_prefix("uberctx-");
  CHECK(fields == Fields{{"A", "4"}, {"A", "5"}});
}

template <class Map>
void check_map() {
  Map map = {{"TraceParent", "old"}, {"other", "1"}, {"uberctx-x", "2"}};
  PairWriter writer(map);
  writer.set("traceparent", "new");
  const std::string_view lines[] = {"a=1", "b=2"};
  writer.set_lines("baggage", lines);
  writer.remove("OTHER");
  writer.remove_prefix("UBERCTX");
  CHECK(map == Map{{"traceparent", "new"}, {"baggage", "a=1,b=2"}});
  CHECK(values_of(PairReader(map), "Baggage") == Texts{"a=1,b=2"});
}

TEST_CASE("carrier: maps join what they cannot repeat") {
  check_map<std::map<std::string, std::string>>();
  check_map<std::unordered_map<std::string, std::string>>();
}

TEST_CASE("carrier: names in an environment") {
  struct Row {
    const char* field;
    const char* name;
  };
  const Row rows[] = {
      {"traceparent", "TRACEPARENT"},
      {"TraceState", "TRACESTATE"},
      {"x-b3-traceid", "X_B3_TRACEID"},
      {"a.b c\xe9", "A_B_C_"},
      {"0x", "_0X"},
  };
  for (const Row& row : rows) {
    INFO(row.field);
    CHECK(EnvironmentCarrier::name_of(row.field) == row.name);
  }
}

TEST_CASE("carrier: an environment is read and written") {
  EnvironmentCarrier carrier(
      {"PATH=/bin", "TRACEPARENT=tp", "traceparent=lower", "BAGGAGE=", "UBERCTX_A=b=c", "broken"});
  CHECK(values_of(carrier, "traceparent") == Texts{"tp"});
  CHECK(values_of(carrier, "baggage").empty());
  CHECK(values_of(carrier, "broken").empty());
  CHECK(pairs_of(carrier, "uberctx-") == Texts{"UBERCTX_A=b=c"});
  carrier.set("traceparent", "new");
  carrier.remove("baggage");
  carrier.remove_prefix("uberctx-");
  const std::string_view lines[] = {"a=1", "b=2"};
  carrier.set_lines("baggage", lines);
  CHECK(carrier.entries() ==
        Texts{"PATH=/bin", "traceparent=lower", "broken", "TRACEPARENT=new", "BAGGAGE=a=1,b=2"});
}

TEST_CASE("carrier: this process's environment") {
  CHECK(values_of(EnvironmentCarrier::of_process(), "path").size() == 1);
}

TEST_CASE("carrier: a trace through an environment") {
  const PropagatorRegistry registry;
  const CompositePropagator propagator(registry,
                                       std::vector<std::string>{"tracecontext", "baggage"});
  Context context;
  context.span = {{1, 2}, {3}, kSampledFlag, TraceState::parse({"a=1"})};
  context.baggage.set("user", "Am\xc3\xa9lie");
  EnvironmentCarrier carrier({"TRACESTATE=stale=1"});
  propagator.inject(context, {}, carrier);
  CHECK(carrier.entries() ==
        Texts{"TRACEPARENT=00-00000000000000010000000000000002-0000000000000003-01",
              "TRACESTATE=a=1", "BAGGAGE=user=Am%C3%A9lie"});
  Context read;
  CHECK(propagator.extract(carrier, read));
  CHECK(read.span.span_id == context.span.span_id);
  CHECK(read.span.tracestate == context.span.tracestate);
  CHECK(read.baggage.get("user") == "Am\xc3\xa9lie");
}

}  // namespace
}  // namespace sidespan::trace
