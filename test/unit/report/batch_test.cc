#include "report/batch.h"

#include <doctest/doctest.h>

#include <numeric>
#include <string>

#include "sidespan/base/random.h"
#include "sidespan/otlp/encode.h"

namespace sidespan::report {
namespace {

std::string span_named(std::string name) {
  trace::Span span;
  span.context.trace_id = {1, 2};
  span.context.span_id = {3};
  span.name = std::move(name);
  std::string out;
  otlp::append_span(out, span);
  return out;
}

const MonoTime kStart{std::chrono::hours(1)};

void check_sizes(const Batch& batch) {
  CHECK(std::accumulate(batch.sizes.begin(), batch.sizes.end(), size_t{0}) == batch.bytes.size());
}

}  // namespace

TEST_CASE("batch: a batch is due when its first span has waited, or at once when it is full") {
  BatchQueue queue({.spans_max = 3, .delay = Milliseconds(1000)});
  CHECK(queue.empty());
  queue.push(span_named("a"), kStart);
  queue.push(span_named("b"), kStart + Milliseconds(900));
  CHECK(queue.due() == kStart + Milliseconds(1000));
  queue.push(span_named("c"), kStart + Milliseconds(910));
  CHECK(queue.due() == MonoTime::min());
  queue.push(span_named("d"), kStart + Milliseconds(920));
  CHECK(queue.pop_first() == 3);
  CHECK(queue.due() == kStart + Milliseconds(1920));
}

TEST_CASE("batch: nothing is added to the batch under way") {
  BatchQueue queue({});
  queue.push(span_named("a"), kStart);
  const Batch& first = queue.close_first();
  CHECK(first.count() == 1);
  queue.push(span_named("b"), kStart);
  CHECK(first.count() == 1);
  CHECK(queue.spans() == 2);
  CHECK(queue.pop_first() == 1);
  CHECK(queue.spans() == 1);
  CHECK(queue.close_first().count() == 1);
}

TEST_CASE("batch: bytes part batches too") {
  const size_t size = span_named("a").size();
  BatchQueue queue({.spans_max = 100, .bytes_max = size * 2 + size / 2});
  for (int i = 0; i < 5; ++i) CHECK_FALSE(queue.push(span_named("a"), kStart).has_value());
  for (const size_t expected : {2, 2, 1}) {
    check_sizes(queue.close_first());
    CHECK(queue.close_first().bytes.size() == expected * size);
    CHECK(queue.pop_first() == expected);
  }
  CHECK(queue.empty());
  CHECK(queue.bytes() == 0);
}

TEST_CASE("batch: a span over the batch's bytes goes alone") {
  BatchQueue queue({.spans_max = 100, .bytes_max = 500});
  queue.push(span_named("a"), kStart);
  queue.push(span_named(std::string(2000, 'b')), kStart);
  queue.push(span_named("c"), kStart);
  for (int i = 0; i < 3; ++i) {
    check_sizes(queue.close_first());
    CHECK(queue.pop_first() == 1);
  }
}

TEST_CASE("batch: the limit on spans counts what is under way, and drops what comes") {
  BatchQueue queue({.spans_max = 2, .queue_max = 3});
  CHECK_FALSE(queue.push(span_named("a"), kStart).has_value());
  CHECK_FALSE(queue.push(span_named("b"), kStart).has_value());
  queue.close_first();
  CHECK_FALSE(queue.push(span_named("c"), kStart).has_value());
  CHECK(queue.push(span_named("d"), kStart) == DropReason::kQueueFull);
  CHECK(queue.spans() == 3);
  queue.pop_first();
  CHECK_FALSE(queue.push(span_named("d"), kStart).has_value());
  CHECK(queue.spans() == 2);
}

TEST_CASE("batch: the limit on bytes") {
  const size_t size = span_named("a").size();
  BatchQueue queue({.queue_bytes_max = 2 * size + 1});
  CHECK(queue.push(span_named(std::string(1000, 'x')), kStart) == DropReason::kTooLarge);
  CHECK(queue.empty());
  CHECK_FALSE(queue.push(span_named("a"), kStart).has_value());
  CHECK_FALSE(queue.push(span_named("a"), kStart).has_value());
  CHECK(queue.push(span_named("a"), kStart) == DropReason::kQueueFull);
  CHECK(queue.spans() == 2);
  CHECK(queue.bytes() == 2 * size);
  check_sizes(queue.close_first());
  queue.pop_first();
  CHECK(queue.empty());
}

TEST_CASE("batch: split down to single spans, in order, without losing a byte") {
  for (size_t count = 2; count <= 9; ++count) {
    CAPTURE(count);
    BatchQueue queue({});
    std::string all;
    for (size_t i = 0; i < count; ++i) {
      const std::string span = span_named(std::string(i * 7, 'n'));
      all += span;
      queue.push(span, kStart);
    }
    queue.close_first();
    queue.push(span_named("later"), kStart);
    std::string seen;
    while (seen.size() < all.size()) {
      if (queue.close_first().count() > 1) {
        const size_t before = queue.spans();
        queue.split_first();
        CHECK(queue.spans() == before);
        continue;
      }
      check_sizes(queue.close_first());
      seen += queue.close_first().bytes;
      queue.pop_first();
    }
    CHECK(seen == all);
    CHECK(queue.pop_first() == 1);
    CHECK(queue.empty());
  }
}

TEST_CASE("batch: halves differ by one span at most, the first being the smaller") {
  Batch batch;
  for (uint32_t i = 0; i < 7; ++i) {
    batch.sizes.push_back(i);
    batch.bytes.append(i, static_cast<char>('0' + i));
  }
  const Batch second = batch.split();
  CHECK(batch.bytes == "122");
  CHECK(batch.sizes == std::vector<uint32_t>{0, 1, 2});
  CHECK(second.bytes == "333444455555666666");
  CHECK(second.count() == 4);
}

TEST_CASE("batch: any sequence of pushes, splits and pops keeps the counts") {
  Random random(3);
  BatchQueue queue({.spans_max = 5, .bytes_max = 600, .queue_max = 40, .queue_bytes_max = 4000});
  uint64_t in = 0;
  uint64_t out = 0;
  uint64_t dropped = 0;
  for (int step = 0; step < 20'000; ++step) {
    const uint64_t what = random.below(10);
    if (what < 7) {
      ++in;
      if (queue.push(span_named(std::string(random.below(200), 'n')), kStart)) ++dropped;
    } else if (!queue.empty() && what == 7 && queue.close_first().count() > 1) {
      queue.split_first();
    } else if (!queue.empty()) {
      check_sizes(queue.close_first());
      out += queue.pop_first();
    }
    REQUIRE(in == out + dropped + queue.spans());
    REQUIRE(queue.spans() <= 40);
    REQUIRE(queue.bytes() <= 4000);
  }
  CHECK(dropped > 0);
  CHECK(out > 1000);
}

}  // namespace sidespan::report
