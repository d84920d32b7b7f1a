#include "sidespan/lineage/resolver.h"

#include <doctest/doctest.h>

#include <vector>

using sidespan::lineage::bit_of;
using sidespan::lineage::Evidence;
using sidespan::lineage::Execution;
using sidespan::lineage::kSourceCount;
using sidespan::lineage::Parent;
using sidespan::lineage::resolve;
using sidespan::lineage::Source;
using sidespan::trace::SpanContext;

namespace {

constexpr uint32_t kAll = ~0U;
constexpr uint32_t kNoWire = kAll & ~bit_of(Source::kWire);
constexpr uint32_t kNoListener = kAll & ~bit_of(Source::kListener);
constexpr uint32_t kNoEnvironment = kAll & ~bit_of(Source::kEnvironment);

SpanContext context_of(uint64_t n) {
  SpanContext context;
  context.trace_id = {n, n};
  context.span_id = {n};
  return context;
}

struct World {
  SpanContext wire = context_of(1);
  Execution run{"run-1", Source::kListener, context_of(2)};
  Execution request{"request-1", Source::kIngress, context_of(5)};
  SpanContext environment = context_of(3);
};

// What of `World` is offered, and whether it is valid.
enum class Offer { kAbsent, kGood, kZeroTrace, kZeroSpan };

void spoil(SpanContext& context, Offer offer) {
  if (offer == Offer::kZeroTrace) context.trace_id = {};
  if (offer == Offer::kZeroSpan) context.span_id = {};
}

}  // namespace

TEST_CASE("the strongest evidence that holds decides") {
  constexpr Offer kNo = Offer::kAbsent;
  constexpr Offer kYes = Offer::kGood;
  struct Row {
    const char* test;
    Offer wire;
    Offer listener;
    Offer environment;
    uint32_t sources;
    Source source;
    bool in_run;
  };
  const std::vector<Row> rows = {
      {"nothing is a root", kNo, kNo, kNo, kAll, Source::kRoot, false},
      {"wire alone", kYes, kNo, kNo, kAll, Source::kWire, false},
      {"listener alone", kNo, kYes, kNo, kAll, Source::kListener, true},
      {"environment alone", kNo, kNo, kYes, kAll, Source::kEnvironment, false},
      {"wire inside a run", kYes, kYes, kNo, kAll, Source::kWire, true},
      {"wire before environment", kYes, kNo, kYes, kAll, Source::kWire, false},
      {"listener before environment", kNo, kYes, kYes, kAll, Source::kListener, true},
      {"all three", kYes, kYes, kYes, kAll, Source::kWire, true},

      {"wire off: the run", kYes, kYes, kYes, kNoWire, Source::kListener, true},
      {"wire off, no run", kYes, kNo, kYes, kNoWire, Source::kEnvironment, false},
      {"wire off, nothing else", kYes, kNo, kNo, kNoWire, Source::kRoot, false},
      {"listener off: no execution either", kNo, kYes, kNo, kNoListener, Source::kRoot, false},
      {"listener off, wire", kYes, kYes, kNo, kNoListener, Source::kWire, false},
      {"listener off, environment", kNo, kYes, kYes, kNoListener, Source::kEnvironment, false},
      {"environment off", kNo, kNo, kYes, kNoEnvironment, Source::kRoot, false},
      {"everything off", kYes, kYes, kYes, 0, Source::kRoot, false},
      {"root needs no bit", kNo, kNo, kNo, 0, Source::kRoot, false},

      {"invalid wire", Offer::kZeroTrace, kYes, kNo, kAll, Source::kListener, true},
      {"wire without a span id", Offer::kZeroSpan, kNo, kYes, kAll, Source::kEnvironment, false},
      {"run without a span", kNo, Offer::kZeroSpan, kNo, kAll, Source::kRoot, true},
      {"run without a trace", kNo, Offer::kZeroTrace, kYes, kAll, Source::kEnvironment, true},
      {"invalid environment", kNo, kNo, Offer::kZeroTrace, kAll, Source::kRoot, false},
  };
  for (const Row& row : rows) {
    CAPTURE(row.test);
    World world;
    spoil(world.wire, row.wire);
    spoil(world.run.context, row.listener);
    spoil(world.environment, row.environment);
    Evidence evidence;
    if (row.wire != kNo) evidence.wire = &world.wire;
    if (row.listener != kNo) evidence.listener = &world.run;
    if (row.environment != kNo) evidence.environment = &world.environment;

    const Parent parent = resolve(evidence, row.sources);
    CHECK(parent.source == row.source);
    CHECK(parent.execution == (row.in_run ? &world.run : nullptr));
    const SpanContext* expected = nullptr;
    if (row.source == Source::kWire) expected = &world.wire;
    if (row.source == Source::kListener) expected = &world.run.context;
    if (row.source == Source::kEnvironment) expected = &world.environment;
    CHECK(parent.context == expected);
  }
}

TEST_CASE(
    "never a wrong parent: whatever is offered, the parent is valid, allowed and its source's") {
  const Offer offers[] = {Offer::kAbsent, Offer::kGood, Offer::kZeroTrace, Offer::kZeroSpan};
  for (const Offer wire : offers) {
    for (const Offer listener : offers) {
      for (const Offer environment : offers) {
        for (uint32_t sources = 0; sources < 1U << kSourceCount; ++sources) {
          const Offer ingress = offers[sources % 4];
          World world;
          spoil(world.wire, wire);
          spoil(world.run.context, listener);
          spoil(world.request.context, ingress);
          spoil(world.environment, environment);
          const Evidence evidence{
              .wire = wire == Offer::kAbsent ? nullptr : &world.wire,
              .listener = listener == Offer::kAbsent ? nullptr : &world.run,
              .ingress = ingress == Offer::kAbsent ? nullptr : &world.request,
              .environment = environment == Offer::kAbsent ? nullptr : &world.environment};
          const Parent parent = resolve(evidence, sources);
          CHECK((parent.context == nullptr) == (parent.source == Source::kRoot));
          if (parent.context == nullptr) continue;
          CHECK(parent.context->valid());
          CHECK((sources & bit_of(parent.source)) != 0);
          const bool is_runs = parent.context == &world.run.context;
          CHECK(is_runs == (parent.source == Source::kListener));
          const bool is_requests = parent.context == &world.request.context;
          CHECK(is_requests == (parent.source == Source::kIngress));
          CHECK((parent.context == evidence.wire) == (parent.source == Source::kWire));
        }
      }
    }
  }
}

TEST_CASE("source names are the contract's") {
  CHECK(name_of(Source::kWire) == "wire");
  CHECK(name_of(Source::kListener) == "listener");
  CHECK(name_of(Source::kEnvironment) == "environment");
  CHECK(name_of(Source::kIngress) == "ingress");
  CHECK(name_of(Source::kRoot) == "root");
}

TEST_CASE("what a message itself says comes before all else") {
  World world;
  const SpanContext meta = context_of(4);
  const Evidence evidence{.mcp_meta = &meta,
                          .wire = &world.wire,
                          .listener = &world.run,
                          .environment = &world.environment};
  const Parent parent = resolve(evidence, kAll);
  CHECK(parent.context == &meta);
  CHECK(parent.source == Source::kMcpMeta);
  CHECK(parent.execution == &world.run);
  CHECK(resolve(evidence, kAll & ~bit_of(Source::kMcpMeta)).source == Source::kWire);
  const SpanContext none;
  CHECK(resolve({.mcp_meta = &none, .wire = &world.wire}, kAll).source == Source::kWire);
}

TEST_CASE("the only request on the ingress comes after what is exact, and before the environment") {
  World world;
  const Evidence alone{.ingress = &world.request, .environment = &world.environment};
  const Parent parent = resolve(alone, kAll);
  CHECK(parent.context == &world.request.context);
  CHECK(parent.source == Source::kIngress);
  CHECK(parent.execution == &world.request);
  CHECK(resolve(alone, kAll & ~bit_of(Source::kIngress)).source == Source::kEnvironment);
  CHECK(resolve(alone, kAll & ~bit_of(Source::kIngress)).execution == nullptr);

  const Evidence in_run{.listener = &world.run, .ingress = &world.request};
  CHECK(resolve(in_run, kAll).source == Source::kListener);
  CHECK(resolve(in_run, kAll).execution == &world.run);
}

TEST_CASE("a parent on the wire belongs to the request on the ingress if it is in its trace") {
  World world;
  const Evidence evidence{.wire = &world.wire, .ingress = &world.request};
  CHECK(resolve(evidence, kAll).source == Source::kWire);
  CHECK(resolve(evidence, kAll).execution == nullptr);
  world.wire.trace_id = world.request.context.trace_id;
  CHECK(resolve(evidence, kAll).source == Source::kWire);
  CHECK(resolve(evidence, kAll).execution == &world.request);
  CHECK(resolve(evidence, kAll & ~bit_of(Source::kIngress)).execution == nullptr);
}
