#include <doctest/doctest.h>

#include <array>
#include <atomic>
#include <optional>
#include <thread>
#include <vector>

#include "rig.h"

namespace sidespan::report {

TEST_CASE("worker spans: the spans of a moment arrive together") {
  Rig rig;
  rig.start();
  net::Mailbox mailbox(rig.loop);
  WorkerSpans worker(rig.loop, mailbox, *rig.pipeline);
  for (uint64_t id = 1; id <= 3; ++id) worker.emit(make_span(id));
  CHECK(rig.pipeline->totals().emitted == 0);
  REQUIRE(rig.until([&] { return rig.exported() == 3; }));
  CHECK(rig.origin.requests().size() == 1);
  CHECK(ids_in(rig.origin.requests()[0]) == std::vector<uint64_t>{1, 2, 3});
}

TEST_CASE("worker spans: a tap sees them whole, and they are exported all the same") {
  Rig rig;
  std::vector<uint64_t> seen;
  rig.start([&](const trace::Span& span) {
    CHECK(span.name == "nnnn");
    CHECK(span.attributes.text("key") == "value");
    seen.push_back(span.context.span_id.value);
  });
  net::Mailbox mailbox(rig.loop);
  WorkerSpans worker(rig.loop, mailbox, *rig.pipeline);
  for (uint64_t id = 1; id <= 3; ++id) {
    trace::Span span = make_span(id);
    span.attributes.set("key", "value");
    worker.emit(std::move(span));
  }
  REQUIRE(rig.until([&] { return rig.exported() == 3; }));
  CHECK(seen == std::vector<uint64_t>{1, 2, 3});
  CHECK(ids_in(rig.origin.requests()[0]) == seen);
}

TEST_CASE("worker spans: many need not wait for the moment to end") {
  Rig rig;
  rig.options.batch.queue_max = 10;
  rig.start();
  net::Mailbox mailbox(rig.loop);
  WorkerSpans worker(rig.loop, mailbox, *rig.pipeline);
  for (uint64_t id = 1; id <= 5; ++id) worker.emit(make_span(id));
  rig.run_for(Milliseconds(2));
  CHECK(rig.pipeline->totals().emitted == 5);
}

TEST_CASE("worker spans: what is too much on the way is dropped and counted on both sides") {
  Rig rig;
  rig.options.batch.queue_max = 4;
  rig.start();
  net::Mailbox mailbox(rig.loop);
  {
    WorkerSpans worker(rig.loop, mailbox, *rig.pipeline);
    for (uint64_t id = 1; id <= 10; ++id) worker.emit(make_span(id));
    CHECK(worker.overflowed() == 6);
    rig.check_law();
    CHECK(rig.pipeline->totals().emitted == 6);
    REQUIRE(rig.until([&] { return rig.exported() == 4; }));
    worker.emit(make_span(11));
    CHECK(worker.overflowed() == 6);
  }
  REQUIRE(rig.until([&] { return rig.exported() == 5; }));
  CHECK(rig.pipeline->totals().emitted == 11);
  CHECK(rig.dropped(DropReason::kQueueFull) == 6);
  CHECK(rig.log.count("the queue is full spans=6") == 1);
}

TEST_CASE("worker spans: on their way they take no more bytes than the queue, and one span") {
  constexpr size_t kName = 1000;
  Rig rig;
  rig.options.batch.queue_bytes_max = 16 * kName;
  rig.start();
  net::Mailbox mailbox(rig.loop);
  WorkerSpans worker(rig.loop, mailbox, *rig.pipeline);
  for (uint64_t id = 1; id <= 10; ++id) worker.emit(make_span(id, kName));
  CHECK(worker.overflowed() == 6);
  rig.check_law();
  REQUIRE(rig.until([&] { return rig.pipeline->totals().emitted == 10 && rig.exported() > 0; }));
  worker.emit(make_span(11, kName));
  CHECK(worker.overflowed() == 6);
  worker.flush();
  REQUIRE(rig.until([&] { return rig.exported() == 5; }));
  CHECK(rig.pipeline->totals().emitted == 11);
}

TEST_CASE("worker spans: after the telemetry thread's end spans are counted as late") {
  Rig rig;
  rig.start();
  net::Mailbox mailbox(rig.loop);
  WorkerSpans worker(rig.loop, mailbox, *rig.pipeline);
  mailbox.close();
  worker.emit(make_span(1));
  worker.emit(make_span(2));
  worker.flush();
  rig.check_law();
  CHECK(rig.pipeline->totals().emitted == 2);
  CHECK(rig.dropped(DropReason::kShutdown) == 2);
}

TEST_CASE("worker spans: several threads, a slow collector, every span accounted for") {
  constexpr size_t kWorkers = 3;
  constexpr uint64_t kSpans = 4000;
  Rig rig;
  rig.options.batch.queue_max = 500;
  rig.options.batch.spans_max = 100;
  rig.origin.otherwise.delay = Milliseconds(1);
  rig.start();
  net::Mailbox mailbox(rig.loop);
  std::atomic<size_t> running = kWorkers;
  // All of them live until the end: TSan does not see libuv close a descriptor, and takes the next
  // thread that is given its number for a race.
  std::array<net::Loop, kWorkers> loops;
  std::vector<std::thread> threads;
  for (net::Loop& loop : loops) {
    threads.emplace_back([&] {
      {
        WorkerSpans worker(loop, mailbox, *rig.pipeline);
        for (uint64_t id = 1; id <= kSpans; ++id) {
          worker.emit(make_span(id));
          if (id % 16 == 0) loop.run();
        }
      }
      --running;
    });
  }
  const auto all_in = [&] {
    return running == 0 && rig.pipeline->totals().emitted == kWorkers * kSpans;
  };
  CHECK(rig.until([&] { return all_in() && rig.pipeline->totals().queued == 0; },
                  Milliseconds(60'000)));
  for (std::thread& thread : threads) thread.join();
  rig.check_law();
  CHECK(rig.pipeline->totals().emitted == kWorkers * kSpans);
  CHECK(rig.exported() > 0);
}

}  // namespace sidespan::report
