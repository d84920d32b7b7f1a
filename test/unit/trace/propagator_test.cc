#include "sidespan/trace/propagator.h"

#include <doctest/doctest.h>

#include <array>
#include <utility>

namespace sidespan::trace {
namespace {

using Fields = std::vector<std::pair<std::string, std::string>>;
using Names = std::vector<std::string>;

// `x-test: <trace id digit>` for a given digit; shows who was asked in which order.
class TestPropagator final : public Propagator {
 public:
  TestPropagator(std::string name, std::string field)
      : name_(std::move(name)), field_(std::move(field)), fields_{field_} {}

  std::string_view name() const override { return name_; }
  bool extract(const CarrierReader& carrier, Context& context) const override {
    std::string_view value;
    carrier.visit(field_, [&](std::string_view line) { value = line; });
    if (value.size() != 1) return false;
    context.span = {{0, static_cast<uint64_t>(value[0])}, {1}, 0, {}};
    context.extracted_by = name_;
    return true;
  }
  void inject(const Context& context, Parts parts, CarrierWriter& carrier) const override {
    if (!parts.traceparent) {
      carrier.remove(field_);
    } else if (context.span.valid()) {
      carrier.set(field_, std::string(1, static_cast<char>(context.span.trace_id.low)));
    }
  }
  std::span<const std::string_view> fields() const override { return fields_; }

 private:
  std::string name_;
  std::string field_;
  std::array<std::string_view, 1> fields_;
};

PropagatorRegistry with_tests() {
  PropagatorRegistry registry;
  registry.add(std::make_unique<TestPropagator>("one", "x-one"));
  registry.add(std::make_unique<TestPropagator>("two", "x-two"));
  return registry;
}

TEST_CASE("composite: whether it is W3C's formats and no others") {
  const PropagatorRegistry registry = with_tests();
  const auto is_w3c = [&](const Names& names) {
    return CompositePropagator(registry, names).is_w3c();
  };
  CHECK(is_w3c({"tracecontext"}));
  CHECK(is_w3c({"baggage", "tracecontext"}));
  CHECK(is_w3c({"TraceContext", "nobody's"}));
  CHECK_FALSE(is_w3c({"baggage"}));
  CHECK_FALSE(is_w3c({"tracecontext", "baggage", "b3"}));
  CHECK_FALSE(is_w3c({"tracecontext", "one"}));
  CHECK_FALSE(is_w3c({}));
  CHECK_FALSE(CompositePropagator().is_w3c());
}

TEST_CASE("registry: names") {
  PropagatorRegistry registry = with_tests();
  CHECK(registry.names() == std::vector<std::string_view>{
                                "tracecontext", "baggage", "b3", "b3multi", "jaeger", "datadog",
                                "xray", "gcp", "ottrace", "opencensus", "one", "two"});
  CHECK(registry.find("two") != nullptr);
  CHECK(registry.find("TraceContext") == registry.find("tracecontext"));
  CHECK(registry.find("three") == nullptr);
  CHECK(registry.find("") == nullptr);
  CHECK_FALSE(registry.add(std::make_unique<TestPropagator>("one", "x-other")));
  CHECK_FALSE(registry.add(std::make_unique<TestPropagator>("Baggage", "x-other")));
  CHECK_FALSE(registry.add(std::make_unique<TestPropagator>("none", "x-other")));
  CHECK_FALSE(registry.add(std::make_unique<TestPropagator>("", "x-other")));
  CHECK(registry.names().size() == 12);
}

TEST_CASE("composite: from names") {
  struct Row {
    const char* name;
    Names names;
    std::vector<std::string_view> fields;
    Names unknown;
  };
  const Row rows[] = {
      {"default", {"tracecontext", "baggage"}, {"traceparent", "tracestate", "baggage"}, {}},
      {"no names", {}, {}, {}},
      {"none", {"none"}, {}, {}},
      {"none beside others", {"one", "None"}, {}, {}},
      {"duplicates", {"one", "two", "ONE"}, {"x-one", "x-two"}, {}},
      {"unknown ones", {"b4", "one", "b4", ""}, {"x-one"}, {"b4", ""}},
  };
  const PropagatorRegistry registry = with_tests();
  for (const Row& row : rows) {
    INFO(row.name);
    const CompositePropagator composite(registry, row.names);
    const auto fields = composite.fields();
    CHECK(std::vector<std::string_view>(fields.begin(), fields.end()) == row.fields);
    CHECK(composite.unknown() == row.unknown);
    CHECK(composite.empty() == row.fields.empty());
  }
}

TEST_CASE("composite: the last success wins") {
  struct Row {
    const char* name;
    Fields fields;
    std::string by;
    uint64_t id;
  };
  const Row rows[] = {
      {"nobody", {{"x-three", "3"}}, "", 0},
      {"first alone", {{"x-one", "1"}}, "one", '1'},
      {"second alone", {{"X-Two", "2"}}, "two", '2'},
      {"both", {{"x-two", "2"}, {"x-one", "1"}}, "two", '2'},
      {"a failing one changes nothing", {{"x-one", "1"}, {"x-two", "bad"}}, "one", '1'},
  };
  const PropagatorRegistry registry = with_tests();
  const CompositePropagator composite(registry, Names{"one", "two"});
  for (const Row& row : rows) {
    INFO(row.name);
    Context context;
    CHECK(composite.extract(PairReader(row.fields), context) == !row.by.empty());
    CHECK(context.extracted_by == row.by);
    CHECK(context.span.trace_id.low == row.id);
  }
}

TEST_CASE("composite: all inject, or all remove") {
  const PropagatorRegistry registry = with_tests();
  const CompositePropagator composite(registry, Names{"one", "tracecontext", "two"});
  Context context;
  context.span = {{0, 'x'}, {1}, 1, {}};
  Fields fields = {{"X-ONE", "stale"}, {"other", "1"}};
  PairWriter writer(fields);
  composite.inject(context, {}, writer);
  CHECK(fields == Fields{{"other", "1"},
                         {"x-one", "x"},
                         {"traceparent", "00-00000000000000000000000000000078-0000000000000001-01"},
                         {"x-two", "x"}});
  composite.inject(context, {.traceparent = false, .tracestate = false, .baggage = false}, writer);
  CHECK(fields == Fields{{"other", "1"}});
}

TEST_CASE("composite: empty touches nothing") {
  const CompositePropagator composite;
  Context context;
  Fields fields = {{"traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}};
  const Fields before = fields;
  CHECK_FALSE(composite.extract(PairReader(fields), context));
  PairWriter writer(fields);
  composite.inject(context, {.traceparent = false}, writer);
  CHECK(fields == before);
}

}  // namespace
}  // namespace sidespan::trace
