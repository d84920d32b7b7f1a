#include "app/run_root.h"
#include <doctest/doctest.h>

#include <csignal>
#include <vector>

#include "app/child_status.h"
#include "app/run_report.h"

namespace sidespan::app {
namespace {

constexpr const char* kTraceparent =
    "TRACEPARENT=00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-03";

Settings settings(const char* sampler = "parentbased_always_on") {
  Settings out;
  out.sampling.sampler = sampler;
  out.context_sources = ~0U;
  out.service.name = "agent";
  return out;
}

RunRoot opened(const Settings& with, const std::vector<std::string>& own) {
  Random random(7);
  return open_run(with, "/usr/bin/agent.py", own, random);
}

TEST_CASE("a run of its own is a root") {
  const RunRoot root = opened(settings(), {"PATH=/bin"});
  CHECK(root.executable == "agent.py");
  CHECK(root.sampled);
  CHECK_FALSE(root.parent);
  CHECK(root.context.span.valid());
  CHECK(root.context.span.flags == (trace::kSampledFlag | trace::kRandomFlag));
  CHECK(root.id == root.context.span.span_id.to_string());
  REQUIRE(root.lineage.run);
  CHECK(root.lineage.run->id == root.id);
  CHECK(root.lineage.run->fixed_by == lineage::Source::kListener);
  CHECK(root.lineage.run->context.span_id == root.context.span.span_id);
}

TEST_CASE("a run within a trace is part of it") {
  const RunRoot root = opened(settings(), {kTraceparent, "TRACESTATE=a=1", "BAGGAGE=user=7"});
  REQUIRE(root.parent);
  CHECK(root.context.span.trace_id == root.parent->trace_id);
  CHECK(root.context.span.span_id != root.parent->span_id);
  CHECK(root.context.span.tracestate.to_string() == "a=1");
  CHECK(root.context.baggage.get("user") == "7");

  const trace::Span span = close_run(root, {}, {});
  CHECK(span.parent_id == root.parent->span_id);
  CHECK(span.parent_is_remote);
  CHECK(span.attributes.text("sidespan.parent.source") == "environment");
}

TEST_CASE("what was inherited may not count") {
  Settings without = settings();
  without.context_sources = 0;
  const RunRoot root = opened(without, {kTraceparent});
  CHECK_FALSE(root.parent);
  CHECK(root.context.span.trace_id.to_string() != "4bf92f3577b34da6a3ce929d0e0e4736");

  CHECK_FALSE(opened(settings(), {"TRACEPARENT=00-0-0-00"}).parent);
}

TEST_CASE("sampling and switching off") {
  CHECK_FALSE(opened(settings("always_off"), {}).sampled);
  CHECK_FALSE(
      opened(settings(), {"TRACEPARENT=00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00"})
          .sampled);
  Settings off = settings();
  off.tracing = false;
  const RunRoot root = opened(off, {kTraceparent});
  CHECK_FALSE(root.sampled);
  CHECK_FALSE(root.lineage.run);
  CHECK(root.context.span.span_id.to_string() == "00f067aa0ba902b7");
  CHECK(root.id.size() == 16);
}

TEST_CASE("how the command ended") {
  struct Row {
    const char* name;
    net::ProcessExit exit;
    int status;
    trace::SpanStatus span_status;
    const char* error_type;
  };
  const std::vector<Row> rows = {
      {"well", {0, 0}, 0, trace::SpanStatus::kUnset, ""},
      {"not well", {3, 0}, 3, trace::SpanStatus::kError, "3"},
      {"by a signal", {0, SIGTERM}, 143, trace::SpanStatus::kError, "SIGTERM"},
      {"by a real-time signal", {0, 40}, 168, trace::SpanStatus::kError, "signal 40"},
  };
  const RunRoot root = opened(settings(), {});
  for (const Row& row : rows) {
    CAPTURE(row.name);
    CHECK(exit_status(row.exit) == row.status);
    const Moment began{MonoTime(std::chrono::seconds(5)), WallTime(std::chrono::seconds(1000))};
    const trace::Span span = close_run(
        root, {},
        {.began = began, .ended = began.mono + Milliseconds(1500), .pid = 42, .exit = row.exit});
    CHECK(span.name == "agent.py");
    CHECK(span.kind == trace::SpanKind::kInternal);
    CHECK(span.start == began.wall);
    CHECK(span.duration == Milliseconds(1500));
    CHECK(span.status == row.span_status);
    CHECK(span.attributes.text("error.type") == row.error_type);
    CHECK(span.attributes.text("process.executable.name") == "agent.py");
    CHECK(span.attributes.text("sidespan.parent.source") == "root");
    CHECK(span.attributes.text("sidespan.execution.id") == root.id);
    CHECK(span.attributes.text("sidespan.execution.source") == "listener");
    CHECK(span.attributes.contains("process.pid"));
    CHECK(span.attributes.contains("process.exit.code"));
  }
}

TEST_CASE("where the spans went") {
  Settings with = settings();
  report::Totals totals;
  totals.emitted = 3;
  totals.exported = 3;
  CHECK(where_spans_went(with, {}, "").empty());
  CHECK(where_spans_went(with, totals, "").find("OTEL_EXPORTER_OTLP_ENDPOINT") !=
        std::string::npos);
  with.exporting.decided = true;
  CHECK(where_spans_went(with, totals, "") ==
        "sidespan: these spans were kept for this tree alone");
  with.exporting.endpoint = *http::parse_url("http://collector:4318/v1/traces?key=secret");
  CHECK(where_spans_went(with, totals, "") ==
        "sidespan: 3 spans exported to http://collector:4318/v1/traces");
  totals.exported = 1;
  CHECK(
      where_spans_went(with, totals, "/s/run/a.log") ==
      "sidespan: 1 of 3 spans exported to http://collector:4318/v1/traces; /s/run/a.log says why");
}

TEST_CASE("why there is no tree") {
  const RunRecord nothing;
  RunRoot root = opened(settings("always_off"), {});
  CHECK(run_report(settings("always_off"), root, nothing, {}) ==
        std::vector<std::string>{"sidespan: this run was not sampled (always_off)"});
  Settings off = settings();
  off.tracing = false;
  CHECK(run_report(off, opened(off, {}), nothing, {}) ==
        std::vector<std::string>{"sidespan: tracing is off (OTEL_SDK_DISABLED)"});
  CHECK(run_report(settings(), opened(settings(), {}), nothing, {}).size() == 1);
}

}  // namespace
}  // namespace sidespan::app
