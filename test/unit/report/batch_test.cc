#include "report/batch.h"

#include <doctest/doctest.h>

#include <string>
#include <string_view>
#include <vector>

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

BatchQueue::LeftOut push(BatchQueue& queue, std::string_view span, MonoTime now = kStart) {
  const auto size = static_cast<uint32_t>(span.size());
  return queue.push(span, {&size, 1}, now);
}

bool takes(BatchQueue& queue, std::string_view span) {
  const BatchQueue::LeftOut left_out = push(queue, span);
  return left_out.queue_full + left_out.too_large == 0;
}

}  // namespace

TEST_CASE("batch: a batch is due when its first span has waited, or at once when it is full") {
  BatchQueue queue({.spans_max = 3, .delay = Milliseconds(1000)});
  CHECK(queue.empty());
  push(queue, span_named("a"));
  push(queue, span_named("b"), kStart + Milliseconds(900));
  CHECK(queue.due() == kStart + Milliseconds(1000));
  push(queue, span_named("c"), kStart + Milliseconds(910));
  CHECK(queue.due() == MonoTime::min());
  push(queue, span_named("d"), kStart + Milliseconds(920));
  CHECK(queue.pop_first() == 3);
  CHECK(queue.due() == kStart + Milliseconds(1920));
}

TEST_CASE("batch: nothing is added to the batch under way") {
  BatchQueue queue({});
  push(queue, span_named("a"));
  const Batch& first = queue.close_first();
  CHECK(first.count() == 1);
  push(queue, span_named("b"));
  CHECK(first.count() == 1);
  CHECK(queue.spans() == 2);
  CHECK(queue.pop_first() == 1);
  CHECK(queue.spans() == 1);
  CHECK(queue.close_first().count() == 1);
}

TEST_CASE("batch: bytes part batches too") {
  const size_t size = span_named("a").size();
  BatchQueue queue({.spans_max = 100, .bytes_max = size * 2 + size / 2});
  for (int i = 0; i < 5; ++i) CHECK(takes(queue, span_named("a")));
  for (const size_t expected : {2, 2, 1}) {
    CHECK(queue.close_first().bytes() == expected * size);
    CHECK(queue.pop_first() == expected);
  }
  CHECK(queue.empty());
  CHECK(queue.bytes() == 0);
}

TEST_CASE("batch: a span over the batch's bytes goes alone") {
  BatchQueue queue({.spans_max = 100, .bytes_max = 500});
  push(queue, span_named("a"));
  push(queue, span_named(std::string(2000, 'b')));
  push(queue, span_named("c"));
  for (int i = 0; i < 3; ++i) {
    CHECK(queue.pop_first() == 1);
  }
}

TEST_CASE("batch: the limit on spans counts what is under way, and drops what comes") {
  BatchQueue queue({.spans_max = 2, .queue_max = 3});
  CHECK(takes(queue, span_named("a")));
  CHECK(takes(queue, span_named("b")));
  queue.close_first();
  CHECK(takes(queue, span_named("c")));
  CHECK(push(queue, span_named("d")).queue_full == 1);
  CHECK(queue.spans() == 3);
  queue.pop_first();
  CHECK(takes(queue, span_named("d")));
  CHECK(queue.spans() == 2);
}

TEST_CASE("batch: the limit on bytes") {
  const size_t size = span_named("a").size();
  BatchQueue queue({.queue_bytes_max = 2 * size + 1});
  CHECK(push(queue, span_named(std::string(1000, 'x'))).too_large == 1);
  CHECK(queue.empty());
  CHECK(takes(queue, span_named("a")));
  CHECK(takes(queue, span_named("a")));
  CHECK(push(queue, span_named("a")).queue_full == 1);
  CHECK(queue.spans() == 2);
  CHECK(queue.bytes() == 2 * size);
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
      push(queue, span);
    }
    queue.close_first();
    push(queue, span_named("later"));
    std::string seen;
    while (seen.size() < all.size()) {
      if (queue.close_first().count() > 1) {
        const size_t before = queue.spans();
        queue.split_first();
        CHECK(queue.spans() == before);
        continue;
      }
      seen += queue.close_first().spans();
      queue.pop_first();
    }
    CHECK(seen == all);
    CHECK(queue.pop_first() == 1);
    CHECK(queue.empty());
  }
}

TEST_CASE("batch: halves differ by one span at most, the first being the smaller") {
  Batch batch(4);
  for (uint32_t i = 0; i < 7; ++i) batch.add(std::string(i, static_cast<char>('0' + i)));
  CHECK(batch.between("<", ">") == "<122333444455555666666>");
  Batch second = batch.split();
  CHECK(batch.spans() == "122");
  CHECK(batch.count() == 3);
  CHECK(batch.between("<<<<", "") == "<<<<122");
  CHECK(second.spans() == "333444455555666666");
  CHECK(second.count() == 4);
  CHECK(second.between("", ">>") == "333444455555666666>>");
  CHECK(second.split().spans() == "55555666666");
  CHECK(second.spans() == "3334444");
}

TEST_CASE("batch: many at a time are as many one by one") {
  const BatchOptions options = {
      .spans_max = 5, .bytes_max = 600, .queue_max = 11, .queue_bytes_max = 1500};
  Random random(7);
  for (int round = 0; round < 200; ++round) {
    BatchQueue together(options, 3);
    BatchQueue apart(options);
    std::string spans;
    std::vector<uint32_t> sizes;
    uint64_t full = 0;
    uint64_t large = 0;
    for (int i = 0; i < 20; ++i) {
      const std::string span = span_named(std::string(random.below(i == 9 ? 2000 : 200), 'n'));
      const BatchQueue::LeftOut left_out = push(apart, span);
      full += left_out.queue_full;
      large += left_out.too_large;
      spans += span;
      sizes.push_back(static_cast<uint32_t>(span.size()));
    }
    const BatchQueue::LeftOut left_out = together.push(spans, sizes, kStart);
    CHECK(left_out.queue_full == full);
    CHECK(left_out.too_large == large);
    while (!apart.empty()) {
      REQUIRE(together.due() == apart.due());
      CHECK(together.close_first().spans() == apart.close_first().spans());
      CHECK(together.pop_first() == apart.pop_first());
    }
    CHECK(together.empty());
    CHECK(together.bytes() == 0);
  }
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
      if (!takes(queue, span_named(std::string(random.below(200), 'n')))) ++dropped;
    } else if (!queue.empty() && what == 7 && queue.close_first().count() > 1) {
      queue.split_first();
    } else if (!queue.empty()) {
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
