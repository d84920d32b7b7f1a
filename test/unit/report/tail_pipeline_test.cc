#include <doctest/doctest.h>

#include <array>

#include "rig.h"

namespace sidespan::report {
namespace {

trace::Span span_in(uint64_t trace, uint64_t id, bool error = false) {
  trace::Span span = make_span(id);
  span.context.trace_id = {1, trace};
  if (error) span.status = trace::SpanStatus::kError;
  return span;
}

struct TailRig : Rig {
  explicit TailRig(Milliseconds wait = Milliseconds(30)) {
    options.tail.emplace();
    options.tail->wait = wait;
    options.tail->policies = {{TailError{}}};
    start();
  }
  void emit(uint64_t trace, bool error = false) {
    const std::array spans = {span_in(trace, ++given, error)};
    pipeline->accept(spans);
    check_law();
  }
  double metric(std::string_view name, std::string_view label = {}) const {
    metrics::Snapshot snapshot;
    pipeline->collect(snapshot);
    double sum = 0;
    for (const metrics::Family& family : snapshot) {
      for (const metrics::Sample& sample : family.samples) {
        const bool counts =
            label.empty() || (!sample.labels.empty() && sample.labels.back().value == label);
        if (family.name == name && counts) sum += sample.value;
      }
    }
    return sum;
  }
};

}  // namespace

TEST_CASE("tail pipeline: what waits is queued, what is not kept is dropped for its reason") {
  TailRig rig;
  rig.emit(1);
  rig.emit(2);
  rig.emit(1, true);
  CHECK(rig.pipeline->totals().queued == 3);
  CHECK(rig.metric("sidespan_tail_traces") == 2);
  CHECK(rig.metric("sidespan_tail_spans") == 3);
  REQUIRE(rig.settled());
  CHECK(rig.exported() == 2);
  CHECK(rig.dropped(DropReason::kTail) == 1);
  CHECK(ids_in(rig.origin.requests().at(0)) == std::vector<uint64_t>{1, 3});
  CHECK(rig.metric("sidespan_spans_dropped", "tail") == 1);
  CHECK(rig.metric("sidespan_tail_decisions", "keep") == 1);
  CHECK(rig.metric("sidespan_tail_decisions", "drop") == 1);
  CHECK(rig.metric("sidespan_tail_bytes") == 0);
}

TEST_CASE("tail pipeline: a held trace waits") {
  TailRig rig;
  rig.pipeline->hold({1, 1});
  rig.emit(1, true);
  rig.run_for(Milliseconds(150));
  CHECK(rig.exported() == 0);
  rig.pipeline->release({1, 1});
  REQUIRE(rig.settled());
  CHECK(rig.exported() == 1);
}

TEST_CASE("tail pipeline: others do not wait for a held trace") {
  TailRig rig;
  rig.pipeline->hold({1, 1});
  rig.emit(1, true);
  rig.run_for(Milliseconds(30));
  rig.emit(2, true);
  REQUIRE(rig.until([&] { return rig.exported() == 1; }));
  CHECK(rig.pipeline->totals().queued == 1);
}

TEST_CASE("tail pipeline: a drain decides at once, and feeds the queue as it empties") {
  TailRig rig(Milliseconds(60'000));
  rig.options.batch.queue_max = 8;
  rig.options.batch.spans_max = 4;
  rig.start();
  for (uint64_t trace = 1; trace <= 40; ++trace) {
    rig.emit(trace);
    rig.emit(trace, trace % 2 == 0);
  }
  int done = 0;
  rig.pipeline->drain({rig.loop.precise_now().mono + Milliseconds(5000)}, [&] { ++done; });
  rig.emit(50, true);  // comes meanwhile
  REQUIRE(rig.until([&] { return done > 0; }));
  CHECK(rig.exported() == 41);
  CHECK(rig.dropped(DropReason::kTail) == 40);
  CHECK(rig.pipeline->totals().queued == 0);
}

TEST_CASE("tail pipeline: what the drain's deadline leaves is dropped by what was decided") {
  TailRig rig(Milliseconds(60'000));
  rig.emit(1, true);
  rig.emit(2);
  int done = 0;
  rig.pipeline->drain({rig.loop.precise_now().mono}, [&] { ++done; });
  REQUIRE(rig.until([&] { return done > 0; }));
  rig.emit(3, true);
  rig.emit(4);
  CHECK(rig.exported() == 0);
  CHECK(rig.dropped(DropReason::kShutdown) == 2);
  CHECK(rig.dropped(DropReason::kTail) == 2);
}

TEST_CASE("tail pipeline: without an exporter nothing waits") {
  TailRig rig;
  rig.options.otlp.reset();
  rig.start();
  CHECK(rig.pipeline->tail_rules() == nullptr);
  rig.emit(1);
  CHECK(rig.dropped(DropReason::kNoExporter) == 1);
}

TEST_CASE("tail pipeline: a worker reads what policies ask for") {
  TailRig rig;
  net::Mailbox mailbox(rig.loop);
  WorkerSpans worker(rig.loop, mailbox, *rig.pipeline);
  worker.emit(span_in(1, 1));
  worker.emit(span_in(2, 2));
  worker.emit(span_in(1, 3, true));
  REQUIRE(rig.until([&] { return rig.exported() == 2; }));
  CHECK(rig.dropped(DropReason::kTail) == 1);
}

TEST_CASE(
    "tail pipeline: what a worker holds waits until it is released, spans that are late too") {
  TailRig rig;
  net::Mailbox mailbox(rig.loop);
  WorkerSpans worker(rig.loop, mailbox, *rig.pipeline);
  worker.hold({1, 1});
  worker.emit(span_in(1, 1));
  worker.emit(span_in(2, 2));
  REQUIRE(rig.until([&] { return rig.dropped(DropReason::kTail) == 1; }));
  rig.run_for(Milliseconds(150));
  CHECK(rig.pipeline->totals().queued == 1);
  // The error comes with the release, and is judged before it.
  worker.emit(span_in(1, 3, true));
  worker.release({1, 1});
  REQUIRE(rig.until([&] { return rig.exported() == 2; }));
  CHECK(rig.dropped(DropReason::kTail) == 1);
}

TEST_CASE("tail pipeline: a worker's release comes though no span does") {
  TailRig rig;
  net::Mailbox mailbox(rig.loop);
  WorkerSpans worker(rig.loop, mailbox, *rig.pipeline);
  worker.hold({1, 1});
  worker.emit(span_in(1, 1, true));
  rig.run_for(Milliseconds(150));
  CHECK(rig.exported() == 0);
  worker.release({1, 1});
  REQUIRE(rig.until([&] { return rig.exported() == 1; }));
}

TEST_CASE("tail pipeline: what ends as soon as it begins is not held, and other holds stay") {
  TailRig rig;
  net::Mailbox mailbox(rig.loop);
  WorkerSpans worker(rig.loop, mailbox, *rig.pipeline);
  CHECK(worker.hold({1, 1}));
  CHECK(worker.hold({2, 2}));
  CHECK(worker.hold({1, 1}));
  worker.release({2, 2});
  worker.release({1, 1});
  worker.emit(span_in(1, 1));
  worker.emit(span_in(2, 2));
  REQUIRE(rig.until([&] { return rig.dropped(DropReason::kTail) == 1; }));
  rig.run_for(Milliseconds(150));
  CHECK(rig.pipeline->totals().queued == 1);
  worker.release({1, 1});
  REQUIRE(rig.until([&] { return rig.dropped(DropReason::kTail) == 2; }));
}

TEST_CASE("tail pipeline: where it is off, nothing is read or held") {
  Rig rig;
  rig.start();
  net::Mailbox mailbox(rig.loop);
  WorkerSpans worker(rig.loop, mailbox, *rig.pipeline);
  CHECK_FALSE(worker.hold({1, 1}));
  EncodedSpans spans;
  spans.add(make_span(1), rig.pipeline->tail_rules());
  CHECK(spans.sizes.size() == 1);
  CHECK(spans.tail.empty());
  CHECK(spans.tail.capacity() == 0);
}

}  // namespace sidespan::report
