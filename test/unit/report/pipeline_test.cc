#include "sidespan/report/pipeline.h"
#include "sidespan/http/deflate.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "rig.h"

namespace sidespan::report {
namespace {

using namespace std::string_literals;
using Reply = support::ScriptedOrigin::Reply;

const support::ScriptedOrigin::Fields kProtobuf = {{"Content-Type", "application/x-protobuf"}};

// For attempts that are to end by it; a busy machine may let others do so too.
constexpr Milliseconds kTimeout{300};

std::string answer(int status, const support::ScriptedOrigin::Fields& fields = {},
                   std::string_view body = "") {
  return support::ScriptedOrigin::answer(status, fields, body);
}

std::vector<uint64_t> numbers(uint64_t from, uint64_t to) {
  std::vector<uint64_t> out(to - from + 1);
  std::iota(out.begin(), out.end(), from);
  return out;
}

}  // namespace

TEST_CASE("pipeline: spans reach the collector as one gzip request, and the connection is kept") {
  Rig rig;
  rig.options.otlp->headers = {{"Authorization", "Bearer x"}, {"Content-Length", "7"}};
  rig.give(3);
  CHECK(rig.pipeline->totals().queued == 3);
  REQUIRE(rig.settled());
  CHECK(rig.exported() == 3);
  rig.give(2);
  REQUIRE(rig.settled());

  REQUIRE(rig.origin.requests().size() == 2);
  const auto& request = rig.origin.requests()[0];
  CHECK(request.head.starts_with("POST /v1/traces HTTP/1.1\r\n"));
  CHECK(request.field("Host") == "127.0.0.1:" + std::to_string(rig.origin.port()));
  CHECK(request.field("User-Agent") == "sidespan-test");
  CHECK(request.field("Content-Type") == "application/x-protobuf");
  CHECK(request.field("Content-Encoding") == "gzip");
  CHECK(request.field("Authorization") == "Bearer x");
  CHECK(request.field("Content-Length") == std::to_string(request.body.size()));
  CHECK(ids_in(request) == numbers(1, 3));
  CHECK(ids_in(rig.origin.requests()[1]) == numbers(4, 5));
  CHECK(rig.origin.accepted() == 1);
  CHECK(rig.log.lines.empty());
}

TEST_CASE("pipeline: without compression") {
  Rig rig;
  rig.options.otlp->gzip = false;
  rig.options.otlp->headers = {{"Host", "collector.example"}, {"User-Agent", "mine"}};
  rig.give(3);
  REQUIRE(rig.settled());
  const auto& request = rig.origin.requests().at(0);
  CHECK(request.field("Content-Encoding").empty());
  CHECK(request.field("Host") == "collector.example");
  CHECK(request.field("User-Agent") == "mine");
  CHECK(ids_in(request) == numbers(1, 3));
}

TEST_CASE("pipeline: what each status does to the spans") {
  struct Row {
    int status;
    uint64_t exported, rejected;
    size_t requests;  // with the success that follows where it is retried
  };
  const Row rows[] = {
      {200, 4, 0, 1}, {202, 4, 0, 1}, {204, 4, 0, 1}, {301, 0, 4, 1},
      {400, 0, 4, 1}, {401, 0, 4, 1}, {403, 0, 4, 1}, {404, 0, 4, 1},
      {408, 0, 4, 1}, {415, 0, 4, 1}, {429, 4, 0, 2}, {500, 0, 4, 1},
      {501, 0, 4, 1}, {502, 4, 0, 2}, {503, 4, 0, 2}, {504, 4, 0, 2},
  };
  for (const Row& row : rows) {
    CAPTURE(row.status);
    Rig rig;
    rig.origin.then(
        {.bytes = row.status == 204 ? "HTTP/1.1 204 No Content\r\n\r\n" : answer(row.status)});
    rig.give(4);
    REQUIRE(rig.settled());
    CHECK(rig.exported() == row.exported);
    CHECK(rig.dropped(DropReason::kRejected) == row.rejected);
    CHECK(rig.origin.requests().size() == row.requests);
    CHECK(rig.origin.accepted() == 1);
    CHECK(rig.log.count("refused them spans=4 cause=status " + std::to_string(row.status)) ==
          (row.rejected > 0 ? 1 : 0));
  }
}

TEST_CASE("pipeline: batches by count, one export at a time, in order") {
  Rig rig;
  rig.options.batch.spans_max = 10;
  rig.origin.otherwise.delay = Milliseconds(3);
  for (int i = 0; i < 7; ++i) rig.give(5);
  REQUIRE(rig.settled());
  CHECK(rig.origin.most_at_once() == 1);
  std::vector<uint64_t> ids;
  for (const auto& request : rig.origin.requests()) {
    const std::vector<uint64_t> some = ids_in(request);
    CHECK(some.size() <= 10);
    ids.insert(ids.end(), some.begin(), some.end());
  }
  CHECK(ids == numbers(1, 35));
  CHECK(rig.origin.requests().size() == 4);
}

TEST_CASE("pipeline: a batch waits for its delay") {
  Rig rig;
  rig.options.batch.delay = Milliseconds(150);
  const MonoTime given = rig.loop.now().mono;
  rig.give(2);
  rig.give(1);
  REQUIRE(rig.settled());
  REQUIRE(rig.origin.requests().size() == 1);
  CHECK(rig.origin.requests()[0].at - given >= Milliseconds(150));
}

TEST_CASE("pipeline: a full batch does not wait") {
  Rig rig;
  rig.options.batch.delay = Milliseconds(60'000);
  rig.options.batch.spans_max = 3;
  rig.give(4);
  REQUIRE(rig.until([&] { return rig.exported() == 3; }));
  CHECK(rig.pipeline->totals().queued == 1);
  rig.give(2);
  REQUIRE(rig.settled());
  CHECK(rig.origin.requests().size() == 2);
}

TEST_CASE("pipeline: 413 halves a batch until it is taken") {
  Rig rig;
  for (int i = 0; i < 3; ++i) rig.origin.then(413);
  rig.give(8);
  REQUIRE(rig.settled());
  std::vector<size_t> sizes;
  std::vector<uint64_t> taken;
  for (const auto& request : rig.origin.requests()) {
    const std::vector<uint64_t> ids = ids_in(request);
    sizes.push_back(ids.size());
    if (sizes.size() > 3) taken.insert(taken.end(), ids.begin(), ids.end());
  }
  CHECK(sizes == std::vector<size_t>{8, 4, 2, 1, 1, 2, 4});
  CHECK(taken == numbers(1, 8));
  CHECK(rig.exported() == 8);
}

TEST_CASE("pipeline: a single span that is too large is dropped, its neighbours are not") {
  Rig rig;
  rig.origin.then(413);
  rig.origin.then(413);
  rig.give(2);
  REQUIRE(rig.settled());
  CHECK(rig.exported() == 1);
  CHECK(rig.dropped(DropReason::kTooLarge) == 1);
  CHECK(ids_in(rig.origin.requests().back()) == numbers(2, 2));
  CHECK(rig.log.count("each alone is too large spans=1") == 1);
}

TEST_CASE("pipeline: Retry-After is waited for") {
  struct Row {
    std::string name, value;
    Milliseconds at_least, at_most;
  };
  const Row rows[] = {
      {"seconds", "1", Milliseconds(1000), Milliseconds(5000)},
      {"zero", "0", Milliseconds(0), Milliseconds(5000)},
      {"past", "Sun, 06 Nov 1994 08:49:37 GMT", Milliseconds(0), Milliseconds(5000)},
      {"garbage", "soon", Milliseconds(0), Milliseconds(5000)},
      {"huge, cut", "99999999999999999999", Milliseconds(500), Milliseconds(5000)},
      {"date far away, cut", "Fri, 31 Dec 9999 23:59:59 GMT", Milliseconds(500),
       Milliseconds(5000)},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    Rig rig;
    if (row.name != "seconds") rig.options.otlp->retry.retry_after_max = Milliseconds(500);
    rig.origin.then(503, {{"Retry-After", row.value}});
    rig.give(1);
    REQUIRE(rig.settled());
    REQUIRE(rig.origin.requests().size() == 2);
    const auto waited = rig.origin.requests()[1].at - rig.origin.requests()[0].at;
    CHECK(waited >= row.at_least);
    CHECK(waited <= row.at_most);
  }
}

TEST_CASE("pipeline: a wait that the collector wants is every batch's, and ends none") {
  Rig rig;
  rig.options.batch.spans_max = 2;
  rig.options.otlp->retry.time_max = Milliseconds(500);
  rig.options.otlp->retry.retry_after_max = Milliseconds(1000);
  rig.origin.otherwise = {.bytes = support::ScriptedOrigin::answer(503, {{"Retry-After", "300"}})};
  rig.give(6);
  // Tried again after a wait that is longer than it is put off for; then it makes way.
  REQUIRE(rig.until([&] { return rig.dropped(DropReason::kRetryTime) == 2; }));
  REQUIRE(rig.origin.requests().size() == 2);
  CHECK(ids_in(rig.origin.requests()[1]) == numbers(1, 2));
  CHECK(rig.pipeline->totals().queued == 4);
  rig.origin.otherwise = {.bytes = support::ScriptedOrigin::answer(200)};
  REQUIRE(rig.settled());
  CHECK(rig.exported() == 4);
  // Who comes next waits for what was asked for, and after it all go at once.
  const auto& requests = rig.origin.requests();
  REQUIRE(requests.size() == 4);
  CHECK(requests[1].at - requests[0].at >= Milliseconds(990));
  CHECK(requests[2].at - requests[1].at >= Milliseconds(990));
  CHECK(requests[3].at - requests[2].at < Milliseconds(990));
}

TEST_CASE("pipeline: what is in nobody's way is put off for as long as it takes") {
  Rig rig;
  rig.options.otlp->retry.time_max = Milliseconds(20);
  rig.origin.otherwise = {.bytes = support::ScriptedOrigin::answer(503)};
  rig.give(3);
  REQUIRE(rig.until([&] { return rig.origin.requests().size() > 12; }));
  CHECK(rig.pipeline->totals().queued == 3);
  rig.origin.otherwise = {.bytes = support::ScriptedOrigin::answer(200)};
  REQUIRE(rig.settled());
  CHECK(rig.exported() == 3);
}

TEST_CASE("pipeline: what fills the queue is in the way of all that comes") {
  Rig rig;
  rig.options.batch.spans_max = 3;
  rig.options.batch.queue_max = 3;
  rig.options.otlp->retry.time_max = Milliseconds(20);
  rig.origin.otherwise = {.bytes = support::ScriptedOrigin::answer(503)};
  rig.give(3);
  REQUIRE(rig.until([&] { return rig.origin.requests().size() > 12; }));
  CHECK(rig.pipeline->totals().queued == 3);
  rig.give(1);
  CHECK(rig.dropped(DropReason::kQueueFull) == 1);
  REQUIRE(rig.until([&] { return rig.dropped(DropReason::kRetryTime) == 3; }));
}

TEST_CASE("pipeline: partial success is never retried, what it rejects is dropped") {
  struct Row {
    std::string name, body;
    uint64_t exported, rejected;
    std::string logged;
  };
  const Row rows[] = {
      {"three of five", "\x0a\x07\x08\x03\x12\x03old"s, 2, 3, "refused them spans=3 cause=old"},
      {"more than there were", "\x0a\x02\x08\x63"s, 0, 5, "refused them spans=5"},
      {"a warning", "\x0a\x05\x12\x03old"s, 5, 0, "with a warning spans=5 cause=old"},
      {"no protobuf after all", "{\"partialSuccess\":{\"rejectedSpans\":3}}", 5, 0, ""},
  };
  for (const Row& row : rows) {
    for (const bool packed : {false, true}) {
      CAPTURE(row.name);
      CAPTURE(packed);
      Rig rig;
      auto fields = kProtobuf;
      if (packed) fields.emplace_back("Content-Encoding", "gzip");
      rig.origin.then(200, fields, packed ? http::gzip(row.body) : row.body);
      rig.give(5);
      REQUIRE(rig.settled());
      CHECK(rig.exported() == row.exported);
      CHECK(rig.dropped(DropReason::kRejected) == row.rejected);
      CHECK(rig.origin.requests().size() == 1);
      CHECK(rig.log.lines.size() == (row.logged.empty() ? 0 : 1));
      CHECK(rig.log.count(row.logged) == rig.log.lines.size());
    }
  }
}

TEST_CASE("pipeline: a partial success is logged once, however often it comes") {
  Rig rig;
  rig.options.batch.spans_max = 2;
  rig.origin.otherwise.bytes = answer(200, kProtobuf, "\x0a\x07\x08\x01\x12\x03old"s);
  rig.give(20);
  REQUIRE(rig.settled());
  CHECK(rig.exported() == 10);
  CHECK(rig.dropped(DropReason::kRejected) == 10);
  CHECK(rig.log.count("refused them spans=1 cause=old") == 1);
  rig.pipeline.reset();
  CHECK(rig.log.count("refused them spans=9 cause=old") == 1);
  CHECK(rig.log.lines.size() == 2);
}

TEST_CASE("pipeline: replies that are strange but say 200") {
  struct Row {
    std::string name, bytes;
    bool connection_kept;
  };
  const std::string bomb = http::gzip(std::string(50'000'000, '\0'));
  auto packed = kProtobuf;
  packed.emplace_back("Content-Encoding", "gzip");
  const std::string head = "HTTP/1.1 200 OK\r\nContent-Type: application/x-protobuf\r\n";
  const Row rows[] = {
      {"64 KiB", answer(200, kProtobuf, std::string(64 * 1024, 'z')), true},
      {"more than 64 KiB", answer(200, kProtobuf, std::string(256 * 1024, 'z')), false},
      {"8 MiB", answer(200, kProtobuf, std::string(8 << 20, 'z')), false},
      {"1 GiB announced", head + "Content-Length: 1073741824\r\n\r\nzzz", false},
      {"cut short", head + "Content-Length: 10\r\n\r\nzzz", false},
      {"a gzip bomb", answer(200, packed, bomb), true},
      {"no gzip after all", answer(200, packed, "plain"), true},
      {"a length field of 2^64-1",
       answer(200, kProtobuf, "\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), true},
      {"HTML", answer(200, {{"Content-Type", "text/html"}}, "<html>"), true},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    Rig rig;
    rig.options.otlp->timeout = kTimeout;
    rig.origin.then({.bytes = row.bytes});
    rig.give(2);
    REQUIRE(rig.settled());
    CHECK(rig.exported() == 2);
    CHECK(rig.origin.requests().size() == 1);
    rig.give(1);
    REQUIRE(rig.settled());
    CHECK(rig.origin.accepted() == (row.connection_kept ? 1 : 2));
    CHECK(rig.log.lines.empty());
  }
}

TEST_CASE("pipeline: a collector that is silent or breaks off is asked again") {
  struct Row {
    std::string name;
    Reply reply;
  };
  const Row rows[] = {
      {"silent", {}},
      {"half a head", {.bytes = "HTTP/1.1 200 OK\r\nContent-"}},
      {"interim answers only", {.bytes = "HTTP/1.1 103 Early Hints\r\n\r\n"}},
      {"closes", {.bytes = "", .close = true}},
      {"resets", {.bytes = "", .reset = true}},
      {"no HTTP", {.bytes = "SSH-2.0-OpenSSH\r\n\r\n"}},
      {"closes in the head", {.bytes = "HTTP/1.1 200 OK\r\n", .close = true}},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    Rig rig;
    rig.options.otlp->timeout = kTimeout;
    rig.origin.then(row.reply);
    rig.give(2);
    REQUIRE(rig.settled());
    CHECK(rig.exported() == 2);
    REQUIRE(rig.origin.requests().size() >= 2);
    CHECK(rig.origin.requests()[0].body == rig.origin.requests()[1].body);
    CHECK(rig.origin.accepted() == rig.origin.requests().size());
    CHECK(rig.log.count("the collector does not take spans, they wait") == 1);
    CHECK(rig.log.count("the collector answers again") == 1);
    CHECK(rig.log.lines.size() == 2);
  }
}

TEST_CASE("pipeline: a retryable status whose body never ends is still retried") {
  Rig rig;
  rig.options.otlp->timeout = kTimeout;
  rig.origin.then({.bytes = "HTTP/1.1 503 Busy\r\nContent-Length: 10\r\n\r\nz"});
  rig.give(2);
  REQUIRE(rig.settled());
  CHECK(rig.exported() == 2);
  CHECK(rig.origin.requests().size() >= 2);
}

TEST_CASE("pipeline: an idle connection that the collector closed costs nothing") {
  Rig rig;
  rig.give(1);
  REQUIRE(rig.settled());
  // Read as the second request goes out, so the pool cannot know before.
  rig.origin.then({.bytes = "", .close = true});
  rig.give(1);
  REQUIRE(rig.settled());
  CHECK(rig.exported() == 2);
  CHECK(rig.origin.requests().size() == 3);
  CHECK(rig.log.lines.empty());
}

TEST_CASE("pipeline: a collector that is away is waited for, and said so once") {
  Rig rig;
  rig.options.batch.spans_max = 2;
  rig.origin.stop();
  rig.give(6);
  rig.run_for(Milliseconds(150));
  CHECK(rig.pipeline->totals().queued == 6);
  CHECK(rig.log.count("the collector does not take spans, they wait") == 1);
  CHECK(rig.log.lines.size() == 1);
  rig.origin.start();
  REQUIRE(rig.settled());
  CHECK(rig.exported() == 6);
  CHECK(rig.log.count("the collector answers again") == 1);
  CHECK(rig.log.lines.size() == 2);
}

TEST_CASE("pipeline: a batch that is put off for too long is dropped, and those behind it go") {
  Rig rig;
  rig.options.otlp->retry.time_max = Milliseconds(60);
  rig.options.batch.spans_max = 2;
  rig.origin.otherwise = {.bytes = answer(503)};
  rig.give(4);
  REQUIRE(rig.until([&] { return rig.dropped(DropReason::kRetryTime) == 2; }));
  CHECK(rig.origin.requests().size() >= 2);
  CHECK(ids_in(rig.origin.requests()[0]) == numbers(1, 2));
  CHECK(ids_in(rig.origin.requests()[1]) == numbers(1, 2));
  CHECK(rig.log.count("put them off for too long spans=2 cause=status 503") == 1);
  CHECK(rig.log.count("answers again") == 0);
  rig.origin.otherwise = {.bytes = answer(200)};
  REQUIRE(rig.settled());
  CHECK(rig.exported() == 2);
  CHECK(rig.log.count("answers again") == 1);
}

TEST_CASE("pipeline: a full queue drops what comes, and says so once with the count") {
  Rig rig;
  rig.options.batch.queue_max = 5;
  rig.options.batch.spans_max = 2;
  rig.origin.stop();
  rig.give(4);
  rig.give(4);
  rig.run_for(Milliseconds(30));
  rig.give(4);
  CHECK(rig.pipeline->totals().queued == 5);
  CHECK(rig.dropped(DropReason::kQueueFull) == 7);
  CHECK(rig.log.count("the queue is full") == 1);
  rig.origin.start();
  REQUIRE(rig.settled());
  CHECK(rig.exported() == 5);
  CHECK(ids_in(rig.origin.requests().front()) == numbers(1, 2));
  CHECK(ids_in(rig.origin.requests().back()) == numbers(5, 5));
  rig.pipeline.reset();
  CHECK(rig.log.count("the queue is full spans=1 ") == 1);
  CHECK(rig.log.count("the queue is full spans=6 ") == 1);
}

TEST_CASE("pipeline: without an exporter spans are seen by the tap and dropped by name") {
  Rig rig;
  rig.options.otlp.reset();
  std::vector<uint64_t> seen;
  rig.start([&](const trace::Span& span) { seen.push_back(span.context.span_id.value); });
  rig.give(3);
  CHECK(seen == numbers(1, 3));
  CHECK(rig.dropped(DropReason::kNoExporter) == 3);
  bool done = false;
  rig.pipeline->drain({rig.loop.now().mono + Milliseconds(1000)}, [&] { done = true; });
  CHECK_FALSE(done);
  CHECK(rig.until([&] { return done; }, Milliseconds(500)));
}

TEST_CASE("pipeline: one snapshot as metrics") {
  Rig rig;
  rig.origin.then(400);
  rig.give(2);
  REQUIRE(rig.settled());
  rig.options.batch.delay = Milliseconds(1000);
  rig.give(3);
  metrics::Snapshot snapshot;
  rig.pipeline->collect(snapshot);
  std::vector<std::string> lines;
  for (const metrics::Family& family : snapshot) {
    for (const metrics::Sample& sample : family.samples) {
      std::string line = family.name;
      for (const metrics::Label& label : sample.labels)
        line += " " + label.name + "=" + label.value;
      lines.push_back(line + " " + std::to_string(static_cast<int>(sample.value)));
    }
  }
  CHECK(lines == std::vector<std::string>{
                     "sidespan_spans_emitted exporter=otlp 5",
                     "sidespan_spans_exported exporter=otlp 0",
                     "sidespan_spans_dropped exporter=otlp reason=queue_full 0",
                     "sidespan_spans_dropped exporter=otlp reason=rejected 2",
                     "sidespan_spans_dropped exporter=otlp reason=too_large 0",
                     "sidespan_spans_dropped exporter=otlp reason=shutdown 0",
                     "sidespan_spans_dropped exporter=otlp reason=no_exporter 0",
                     "sidespan_spans_dropped exporter=otlp reason=retry_time 0",
                     "sidespan_spans_dropped exporter=otlp reason=tail 0",
                     "sidespan_spans_queued exporter=otlp 3",
                 });
}

}  // namespace sidespan::report
