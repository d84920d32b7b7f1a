#include "app/run_tree.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "app/terminal_text.h"

namespace sidespan::app {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

const WallTime kStart{seconds(1'800'000'000)};

RunSpan span(uint64_t id, uint64_t parent, Nanoseconds begin, Nanoseconds duration) {
  RunSpan out;
  out.trace_id = {0x4bf92f3577b34da6, 0xa3ce929d0e0e4736};
  out.span_id = {id};
  out.parent_id = {parent};
  out.start = kStart + begin;
  out.duration = duration;
  out.attributes.set("sidespan.end", "complete");
  return out;
}

RunSpan call(uint64_t id, uint64_t parent, Nanoseconds begin, Nanoseconds duration,
             std::string_view method, std::string_view url, int64_t status) {
  RunSpan out = span(id, parent, begin, duration);
  out.name = method;
  out.attributes.set("http.request.method", method);
  out.attributes.set("url.full", url);
  if (status > 0) out.attributes.set("http.response.status_code", status);
  if (status >= 400) {
    out.status = trace::SpanStatus::kError;
    out.attributes.set("error.type", std::to_string(status));
  }
  return out;
}

RunSpan root_span(Nanoseconds duration, int64_t exit_code = 0) {
  RunSpan out = span(1, 0, Nanoseconds(0), duration);
  out.kind = trace::SpanKind::kInternal;
  out.name = "agent";
  out.attributes.set("process.exit.code", exit_code);
  return out;
}

RunRecord record(std::vector<RunSpan> spans) {
  RunRecord run;
  run.name = "agent";
  run.trace_id = {0x4bf92f3577b34da6, 0xa3ce929d0e0e4736};
  run.root = {1};
  run.spans = std::move(spans);
  return run;
}

std::string text(const RunRecord& run, TreeStyle style) {
  std::string out = "\n";
  for (const std::string& line : run_tree(run, style)) out += line + "\n";
  return out;
}

// A plan, two tools at once, one of them tried again, a tunnel, and a host nobody has heard of.
RunRecord busy_run() {
  std::vector<RunSpan> spans;
  spans.push_back(root_span(milliseconds(2000)));
  RunSpan plan = call(2, 1, milliseconds(100), milliseconds(900), "POST",
                      "http://model.local:8080/v1/chat/completions?key=REDACTED", 200);
  plan.attributes.set("sidespan.stream.events", int64_t{42});
  spans.push_back(std::move(plan));
  spans.push_back(call(4, 1, milliseconds(1010), milliseconds(120), "GET",
                       "http://REDACTED:REDACTED@tools.local/flights", 503));
  spans.push_back(
      call(3, 1, milliseconds(1000), milliseconds(400), "GET", "http://tools.local/weather", 200));
  RunSpan retry =
      call(5, 1, milliseconds(1140), microseconds(9400), "GET", "http://tools.local/flights", 200);
  retry.attributes.set("http.request.resend_count", int64_t{1});
  spans.push_back(std::move(retry));
  RunSpan tunnel = span(6, 3, milliseconds(1100), milliseconds(200));
  tunnel.attributes.set("http.request.method", "CONNECT");
  tunnel.attributes.set("server.address", "api.example.com");
  tunnel.attributes.set("server.port", int64_t{443});
  tunnel.attributes.set("http.response.status_code", int64_t{200});
  spans.push_back(std::move(tunnel));
  RunSpan lost = call(7, 1, milliseconds(1500), milliseconds(5), "GET", "http://nowhere.test/", 0);
  lost.status = trace::SpanStatus::kError;
  lost.attributes.set("error.type", "dns_failure");
  lost.attributes.set("sidespan.end", "refused");
  spans.push_back(std::move(lost));
  return record(std::move(spans));
}

TEST_CASE("a run, in Unicode and in ASCII") {
  CHECK(text(busy_run(), {.width = 100}) == R"(
agent · 6 calls · 2 errors · 2.00 s · trace 4bf92f3577b34da6a3ce929d0e0e4736

agent                                                        exit 0         2.00 s  ████████████████
├─ POST       model.local:8080…/chat/completions  42 events  200            900 ms   ███████
├─ GET        tools.local/weather                            200            400 ms          ███
│  └─ CONNECT api.example.com:443                            200            200 ms           █▌
├─ GET        tools.local/flights                            503            120 ms          █
├─ GET        tools.local/flights  retry 1                   200            9.4 ms           ▌
└─ GET        nowhere.test/                                  dns_failure    5.0 ms              ▌
)");
  CHECK(text(busy_run(), {.width = 72, .unicode = false}) == R"(
agent - 6 calls - 2 errors - 2.00 s - trace 4bf92f3577b34da6a3ce929d0e0e4736

agent                                exit 0         2.00 s  ############
|- POST       mod...ions  42 events  200            900 ms  ######
|- GET        tools.local/weather    200            400 ms        ###
|  `- CONNECT api.example.com:443    200            200 ms        ##
|- GET        tools.local/flights    503            120 ms        #
|- GET        tool...ights  retry 1  200            9.4 ms         #
`- GET        nowhere.test/          dns_failure    5.0 ms           #
)");
}

TEST_CASE("a terminal gets colour, failed calls in red") {
  RunRecord run = record({root_span(milliseconds(100))});
  run.spans.push_back(call(2, 1, milliseconds(0), milliseconds(50), "GET", "http://a/ok", 200));
  run.spans.push_back(call(3, 1, milliseconds(50), milliseconds(50), "GET", "http://a/no", 500));
  const std::vector<std::string> lines = run_tree(run, {.width = 60, .color = true});
  REQUIRE(lines.size() == 5);
  CHECK(lines[0].starts_with("\x1b[1magent\x1b[0m · 2 calls · \x1b[31m1 error\x1b[0m"));
  CHECK(lines[3].find("\x1b[31m") == std::string::npos);
  CHECK(lines[3].starts_with("\x1b[2m├─ \x1b[0mGET a/ok"));
  CHECK(lines[4].find("\x1b[31ma/no\x1b[0m") != std::string::npos);
  CHECK(lines[4].find("\x1b[31m500") != std::string::npos);
}

TEST_CASE("what came from outside moves nothing on the screen") {
  struct Row {
    const char* name;
    std::string url;
    const char* expected;
  };
  const std::vector<Row> rows = {
      {"an escape sequence", "http://a/\x1b[2J", R"(a/\x1b[2J)"},
      {"a line feed", "http://a/x\ny", R"(a/x\x0ay)"},
      {"a C1 control",
       "http://a/\xc2\x9b"
       "31m",
       R"(a/\x9b31m)"},
      {"a change of direction", "http://a/\u202eexe.txt", R"(a/\u202eexe.txt)"},
      {"a tag character", "http://a/\U000e0041", R"(a/\u0e0041)"},
      {"bytes that are no UTF-8", "http://a/\xff", "a/\ufffd"},
      {"user information", "http://me:secret@a/x", "a/x"},
      {"an at sign in the path", "http://a/@me", "a/@me"},
      {"a query", "http://a/x?token=1", "a/x"},
      {"a query without a path", "http://a?token=1@b/", "a"},
      {"a fragment", "http://a/x#y", "a/x"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    RunRecord run = record({root_span(milliseconds(10))});
    run.spans.push_back(call(2, 1, milliseconds(0), milliseconds(1), "GET", row.url, 200));
    const std::string line = run_tree(run, {.width = 100}).at(3);
    CAPTURE(line);
    CHECK(line.find(std::string("GET ") + row.expected + "  ") != std::string::npos);
  }
}

TEST_CASE("the label and the status of a span") {
  struct Row {
    const char* name;
    RunSpan shown;
    const char* label;
    const char* status;
  };
  const auto with = [](RunSpan changed, auto key, auto value) {
    changed.attributes.set(key, value);
    return changed;
  };
  const RunSpan get = call(2, 1, milliseconds(0), milliseconds(1), "GET", "http://a/v1/7", 0);
  RunSpan linked = get;
  linked.links.emplace_back();
  RunSpan bare_v6 = with(span(2, 1, {}, {}), "server.address", "::1");
  bare_v6.attributes.set("server.port", int64_t{80});
  RunSpan tunnel = span(2, 1, {}, {});
  tunnel.name = "CONNECT";
  tunnel.attributes.set("server.address", "a");
  const RunSpan opened = with(tunnel, "sidespan.mode", "intercept");
  RunSpan named = span(2, 1, {}, {});
  named.name = "plan";
  const std::vector<Row> rows = {
      {"a template", with(get, "url.template", "/v1/{id}"), "GET a/v1/{id} ", ""},
      {"a link", linked, "a/v1/7  linked ", ""},
      {"one event", with(get, "sidespan.stream.events", int64_t{1}), "a/v1/7  1 event ", ""},
      {"an agent that went away", with(get, "sidespan.end", "agent_cancelled"), "a/v1/7 ",
       " agent_cancelled "},
      {"an answer that broke off",
       with(with(get, "http.response.status_code", int64_t{200}), "error.type", "truncated"),
       "a/v1/7 ", " 200 truncated "},
      {"a tunnel that is bypassed", with(tunnel, "sidespan.tunnel.reason", "bypass"),
       "a  unopened: on tls.intercept.bypass ", ""},
      {"a tunnel of a client that pins", with(tunnel, "sidespan.tunnel.reason", "pinned"),
       "a  unopened: our certificate was refused before ", ""},
      {"a tunnel that was opened in vain", with(opened, "sidespan.end", "refused"),
       "a  our certificate was refused ", " refused "},
      {"a tunnel that was opened for nothing", with(opened, "sidespan.end", "agent_cancelled"),
       "a  opened, no request came ", " agent_cancelled "},
      {"an IPv6 address", bare_v6, "[::1]:80 ", ""},
      {"a span that is no call", named, "└─ plan ", ""},
      {"a long word", with(get, "error.type", "something_that_nobody_expected"), "a/v1/7 ",
       " something_…dy_expected "},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    RunRecord run = record({root_span(milliseconds(10))});
    run.spans.push_back(row.shown);
    const std::string line = run_tree(run, {.width = 100}).at(3);
    CAPTURE(line);
    CHECK(line.find(row.label) != std::string::npos);
    CHECK(line.find(row.status) != std::string::npos);
  }
}

TEST_CASE("how the command itself ended") {
  RunRecord run = record({root_span(milliseconds(10), 3)});
  run.spans[0].attributes.set("error.type", "3");
  CHECK(run_tree(run, {}).at(2).find(" exit 3 ") != std::string::npos);
  run.spans[0].attributes.set("error.type", "SIGTERM");
  CHECK(run_tree(run, {}).at(2).find(" SIGTERM ") != std::string::npos);
}

TEST_CASE("durations") {
  struct Row {
    Nanoseconds duration;
    const char* expected;
  };
  const std::vector<Row> rows = {
      {Nanoseconds(0), "  0.0 ms"},       {microseconds(9949), "  9.9 ms"},
      {microseconds(9951), "   10 ms"},   {milliseconds(999), "  999 ms"},
      {microseconds(999600), "  1.00 s"}, {seconds(59), " 59.00 s"},
      {milliseconds(59996), "  1m 00s"},  {seconds(3599), " 59m 59s"},
      {seconds(3600), "  1h 00m"},        {seconds(360'000), "100h 00m"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.expected);
    const RunRecord run = record({root_span(row.duration)});
    CHECK(run_tree(run, {}).at(2).find(row.expected) != std::string::npos);
  }
}

TEST_CASE("calls under the command's own spans stand apart") {
  RunRecord run = record({root_span(milliseconds(10))});
  run.spans.push_back(call(3, 99, milliseconds(2), milliseconds(1), "GET", "http://a/own", 200));
  run.spans.push_back(call(2, 1, milliseconds(1), milliseconds(1), "GET", "http://a/ours", 200));
  run.spans.push_back(call(4, 3, milliseconds(3), milliseconds(1), "GET", "http://a/below", 200));
  const std::vector<std::string> lines = run_tree(run, {});
  REQUIRE(lines.size() == 7);
  CHECK(lines[3].starts_with("└─ GET a/ours"));
  CHECK(lines[4] == "under spans of the command's own:");
  CHECK(lines[5].starts_with("GET    a/own"));
  CHECK(lines[6].starts_with("└─ GET a/below"));
}

TEST_CASE("a turn's only call is below it, though both began and ended together") {
  for (const uint64_t turn_id : {2U, 3U}) {
    RunRecord run = record({root_span(milliseconds(10))});
    RunSpan turn = span(turn_id, 1, milliseconds(2), milliseconds(5));
    turn.kind = trace::SpanKind::kInternal;
    turn.name = "invoke_agent";
    run.spans.push_back(std::move(turn));
    run.spans.push_back(
        call(5 - turn_id, turn_id, milliseconds(2), milliseconds(5), "POST", "http://a/chat", 200));
    const std::vector<std::string> lines = run_tree(run, {});
    REQUIRE(lines.size() == 5);
    CHECK(lines[3].find("1 call") != std::string::npos);
    CHECK(lines[4].starts_with("   └─ POST a/chat"));
  }
}

TEST_CASE("a ring of parents loses no span") {
  RunRecord run = record({root_span(milliseconds(10))});
  run.spans.push_back(call(2, 3, milliseconds(1), milliseconds(1), "GET", "http://a/one", 200));
  run.spans.push_back(call(3, 2, milliseconds(2), milliseconds(1), "GET", "http://a/two", 200));
  run.spans.push_back(call(4, 4, milliseconds(3), milliseconds(1), "GET", "http://a/self", 200));
  run.spans.push_back(call(5, 6, milliseconds(4), milliseconds(1), "GET", "http://a/left", 200));
  run.spans.push_back(call(6, 5, milliseconds(4), milliseconds(1), "GET", "http://a/right", 200));
  const std::string all = text(run, {});
  for (const char* path : {"a/one", "a/two", "a/self", "a/left", "a/right"}) {
    CAPTURE(path);
    CHECK(all.find(path) != std::string::npos);
  }
}

TEST_CASE("indentation is bounded") {
  RunRecord run = record({root_span(milliseconds(100))});
  for (uint64_t id = 2; id < 60; ++id) {
    run.spans.push_back(call(id, id - 1, milliseconds(id), milliseconds(1), "GET",
                             "http://a/" + std::to_string(id), 200));
  }
  for (const std::string& line : run_tree(run, {.width = 80})) CHECK(columns(line) <= 80);
}

TEST_CASE("a run without spans, and one with too many") {
  CHECK(text(record({}), {}) ==
        "\nagent · 0 calls · 0.0 ms · trace 4bf92f3577b34da6a3ce929d0e0e4736\n");

  RunRecord run = record({});
  const auto finished = [](uint64_t id) {
    trace::Span out;
    out.context.span_id = {id};
    return out;
  };
  for (uint64_t id = 2; id < 7; ++id) run.add(finished(id), 3);
  run.add(finished(1), 3);
  CHECK(run.spans.size() == 4);
  CHECK(run.left_out == 2);
  CHECK(run_tree(run, {}).back() == "2 more spans are not shown (limits.run_spans)");
}

TEST_CASE("the whole run as JSON") {
  RunRecord run = record({root_span(milliseconds(1500))});
  RunSpan get = call(2, 1, microseconds(250), milliseconds(1), "GET", "http://a/x", 404);
  const std::vector<std::string_view> ids{"a", "b"};
  get.attributes.set("sidespan.tool_calls.ids", ids);
  get.attributes.set("sidespan.inferred", true);
  get.attributes.set("sidespan.time_to_first_byte", 0.25);
  get.links.emplace_back().context.span_id = {9};
  run.spans.push_back(std::move(get));
  run.left_out = 1;
  CHECK(
      run_json(run) ==
      R"({"name":"agent","trace_id":"4bf92f3577b34da6a3ce929d0e0e4736","left_out":1,"spans":[)"
      R"({"trace_id":"4bf92f3577b34da6a3ce929d0e0e4736","span_id":"0000000000000001",)"
      R"("parent_id":null,"name":"agent","kind":"internal","start":"2027-01-15T08:00:00.000000000Z",)"
      R"("duration_seconds":1.5,"status":"unset","attributes":{"sidespan.end":"complete",)"
      R"("process.exit.code":0},"links":[]},)"
      R"({"trace_id":"4bf92f3577b34da6a3ce929d0e0e4736","span_id":"0000000000000002",)"
      R"("parent_id":"0000000000000001","name":"GET","kind":"client",)"
      R"("start":"2027-01-15T08:00:00.000250000Z","duration_seconds":0.001,"status":"error",)"
      R"("attributes":{"sidespan.end":"complete","http.request.method":"GET",)"
      R"("url.full":"http://a/x","http.response.status_code":404,"error.type":"404",)"
      R"("sidespan.tool_calls.ids":["a","b"],"sidespan.inferred":true,)"
      R"("sidespan.time_to_first_byte":0.25},"links":[{"trace_id":)"
      R"("00000000000000000000000000000000","span_id":"0000000000000009","attributes":{}}]}]})");
}

}  // namespace
}  // namespace sidespan::app
