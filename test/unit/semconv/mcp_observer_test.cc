#include <doctest/doctest.h>

#include <string>
#include <tuple>
#include <vector>

#include "mcp_rig.h"
#include "sidespan/http/deflate.h"

namespace sidespan::semconv {
namespace {

using Rig = McpExchange::Rig;
using Lines = std::vector<std::string>;

const std::string kUrl = "http://server:8080/mcp";
const Fields kJson = {{"content-type", "application/json"}};
const Fields kEvents = {{"content-type", "text/event-stream"}};

Fields with(Fields fields, const Fields& others) {
  fields.insert(fields.end(), others.begin(), others.end());
  return fields;
}

// Of streamable HTTP.
const Fields kPost = with(kJson, {{"accept", "application/json, text/event-stream"}});
const Fields kSession = {{"mcp-session-id", "s1"}, {"mcp-protocol-version", "2025-03-26"}};
const Fields kPostInSession = with(kPost, kSession);

std::string call(int id, const std::string& tool) {
  return R"({"jsonrpc":"2.0","id":)" + std::to_string(id) +
         R"(,"method":"tools/call","params":{"name":")" + tool + R"(","arguments":{"id":9}}})";
}

std::string result(int id, const std::string& inside = "") {
  return R"({"jsonrpc":"2.0","id":)" + std::to_string(id) + R"(,"result":{)" + inside + "}}";
}

std::string event(const std::string& data, const std::string& before = "") {
  return before + "event: message\r\ndata: " + data + "\r\n\r\n";
}

std::string name_and_tool(const trace::Span& span) {
  return span.name + " " + std::string(span.attributes.text("gen_ai.tool.name"));
}

TEST_CASE("mcp: one request with its answer is one span") {
  for (const size_t piece : {0, 1, 7}) {
    for (const std::string& body :
         {call(1, "add"), "[" + call(1, "add") + "]",
          "[" + call(1, "add") + R"(,{"jsonrpc":"2.0","method":"notifications/a"}])"}) {
      CAPTURE(body);
      Rig rig;
      rig.piece = piece;
      McpExchange post(rig, "POST", kUrl, kPostInSession);
      post.say(body, 1);
      post.answer(200, kJson, 5);
      post.hear(result(1, R"("isError":true)"), 6);
      const trace::Span span = post.end(7);
      CHECK(name_and_tool(span) == "tools/call add add");
      CHECK(span.attributes.text("error.type") == "tool_error");
      CHECK(rig.ended.spans.empty());
    }
  }
}

TEST_CASE("mcp: each request of a batch is a child, from where it was read to its answer") {
  const std::string batch =
      "[" + call(1, "add") + R"(,{"jsonrpc":"2.0","method":"notifications/initialized"},)" +
      call(2, "fail") + R"( , {"jsonrpc":"2.0","id":"x","method":"ping"},)" +
      R"({"jsonrpc":"2.0","id":3,"method":"resources/read","params":{"uri":"a:b"}}])";
  struct Row {
    const char* test;
    Fields fields;
    std::string answers;
  };
  const std::string failed = result(2, R"("isError":true)");
  const std::string error = R"({"jsonrpc":"2.0","id":3,"error":{"code":-32002,"message":"no"}})";
  const std::string pong = R"({"jsonrpc":"2.0","id":"x","result":{}})";
  const std::vector<Row> rows = {
      {"an array", kJson, "[" + error + "," + result(1) + "," + pong + "," + failed + "]"},
      {"events", kEvents, event(error) + event(result(1)) + event(pong) + event(failed)},
      {"an event with an array", kEvents,
       event("[" + error + "," + result(1) + "]") + event("[" + pong + "," + failed + "]")},
      {"requests of the server between", kEvents,
       event(
           R"({"jsonrpc":"2.0","id":1,"method":"sampling/createMessage","params":{"result":{}}})") +
           event(R"({"jsonrpc":"2.0","id":2,"method":"ping"})") +
           event(R"({"jsonrpc":"2.0","method":"notifications/progress","params":{"progress":1}})") +
           event(error) + event(result(1)) + event(pong) + event(failed)},
  };
  for (const Row& row : rows) {
    CAPTURE(row.test);
    for (const size_t piece : {0, 1, 5}) {
      CAPTURE(piece);
      Rig rig;
      rig.piece = piece;
      McpExchange post(rig, "POST", kUrl, kPostInSession);
      post.say(batch, 10);
      post.answer(200, row.fields, 20);
      post.hear(row.answers, 30);
      const trace::Span span = post.end(40);
      CHECK(span.name == "POST");
      CHECK_FALSE(span.attributes.contains("mcp.method.name"));
      CHECK(span.attributes.text("mcp.session.id") == "s1");
      CHECK(rig.ended.lines() == Lines{"tools/call add 1 complete 20ms",
                                       "tools/call fail 2 complete 20ms error=tool_error",
                                       "ping x complete 20ms",
                                       "resources/read 3 complete 20ms error=-32002"});
      for (const McpEnded::One& one : rig.ended.spans) {
        CHECK(one.span.parent_id == span.context.span_id);
        CHECK(one.span.context.trace_id == span.context.trace_id);
        CHECK(one.span.context.span_id != span.context.span_id);
        CHECK(one.span.kind == trace::SpanKind::kClient);
        CHECK(one.span.start == WallTime(Milliseconds(10)));
        CHECK(one.span.attributes.text("mcp.session.id") == "s1");
        CHECK(one.span.attributes.text("server.address") == "server");
        CHECK(one.span.attributes.text("sidespan.mode") == "forward");
      }
      CHECK(rig.calls.waiting() == 0);
    }
  }
}

TEST_CASE("mcp: a resource's secrets are hidden where its request is alone and where it is not") {
  const std::string read =
      R"({"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":"a:b?ticket=s"}})";
  for (const std::string& body : {read, "[" + read + "," + call(2, "add") + "]"}) {
    CAPTURE(body);
    Rig rig;
    rig.redact = {"ticket"};
    McpExchange post(rig, "POST", kUrl, kPostInSession);
    post.say(body, 1);
    post.answer(200, kJson, 2);
    post.hear("[" + result(1) + "," + result(2) + "]", 3);
    const trace::Span alone = post.end(4);
    const trace::Span& span = rig.ended.spans.empty() ? alone : rig.ended.spans[0].span;
    CHECK(span.attributes.text("mcp.resource.uri") == "a:b?ticket=REDACTED");
  }
}

TEST_CASE("mcp: what the agent says is a request's own parent is a link of its child") {
  Rig rig;
  McpExchange post(rig, "POST", kUrl, kPostInSession);
  post.say(R"([{"jsonrpc":"2.0","id":1,"method":"ping","params":{"_meta":{"traceparent":)"
           R"("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01","tracestate":"a=b"}}},)" +
               call(2, "add") + "]",
           1);
  post.answer(200, kJson, 2);
  post.hear("[" + result(2) + "," + result(1) + "]", 3);
  post.end(4);
  REQUIRE(rig.ended.spans.size() == 2);
  REQUIRE(rig.ended.spans[0].span.links.size() == 1);
  CHECK(rig.ended.spans[0].span.links[0].context.span_id.to_string() == "00f067aa0ba902b7");
  CHECK(rig.ended.spans[0].span.links[0].context.tracestate.to_string() == "a=b");
  CHECK(rig.ended.spans[1].span.links.empty());
}

TEST_CASE("mcp: a batch that fails, or is not answered in full") {
  struct Row {
    const char* test;
    int status;
    std::string answers;
    Ending ending;
    std::optional<Error> error;
    Lines lines;
  };
  const Error broken{Code::kTruncated, Side::kOrigin, false, "x"};
  const std::vector<Row> rows = {
      {"refused",
       404,
       "",
       Ending::kComplete,
       {},
       {"tools/call a 1 complete 8ms error=404", "tools/call b 2 complete 8ms error=404"}},
      {"one answer",
       200,
       result(2),
       Ending::kComplete,
       {},
       {"tools/call a 1 origin_closed 8ms error=connection_closed", "tools/call b 2 complete 4ms"}},
      {"broken",
       200,
       "[" + result(1),
       Ending::kOriginClosed,
       broken,
       {"tools/call a 1 complete 4ms", "tools/call b 2 origin_closed 8ms error=truncated"}},
      {"cancelled",
       200,
       "",
       Ending::kAgentCancelled,
       {},
       {"tools/call a 1 agent_cancelled 8ms", "tools/call b 2 agent_cancelled 8ms"}},
      {"nobody there",
       0,
       "",
       Ending::kOriginClosed,
       Error{Code::kConnectionRefused, Side::kOrigin, false, "x"},
       {"tools/call a 1 origin_closed 8ms error=connection_refused",
        "tools/call b 2 origin_closed 8ms error=connection_refused"}},
  };
  for (const Row& row : rows) {
    CAPTURE(row.test);
    Rig rig;
    McpExchange post(rig, "POST", kUrl, kPostInSession);
    post.say("[" + call(1, "a") + "," + call(2, "b") + "]", 1);
    if (row.status != 0) post.answer(row.status, kJson, 4);
    post.hear(row.answers, 5);
    post.end(9, row.ending, row.error);
    CHECK(rig.ended.lines() == row.lines);
  }
}

TEST_CASE("mcp: a request that is only accepted is answered on the session's stream") {
  for (const bool early : {false, true}) {
    CAPTURE(early);
    Rig rig;
    McpExchange stream(rig, "GET", kUrl, with(kEvents, kSession));
    stream.answer(200, kEvents, 0);
    McpExchange post(rig, "POST", kUrl, kPostInSession);
    post.say(call(1, "add"), 10);
    if (early) stream.hear(event(result(1)), 15);
    post.answer(202, {}, 20);
    const trace::Span span = post.end(25);
    CHECK(span.name == "POST");
    CHECK_FALSE(span.attributes.contains("mcp.method.name"));
    CHECK(rig.ended.spans.size() == (early ? 1 : 0));
    CHECK(rig.calls.waiting() == (early ? 0 : 1));
    if (!early) {
      // Another session's, another one's, the server's own.
      McpExchange other(rig, "GET", kUrl, {{"mcp-session-id", "s2"}});
      other.answer(200, kEvents, 26);
      other.hear(event(result(1)), 27);
      stream.hear(event(result(2)), 28);
      stream.hear(event(R"({"jsonrpc":"2.0","id":1,"method":"elicitation/create"})"), 29);
      CHECK(rig.ended.spans.empty());
      stream.hear(event(result(1)), 30);
    }
    CHECK(rig.ended.lines() ==
          Lines{early ? "tools/call add 1 complete 5ms" : "tools/call add 1 complete 20ms"});
    CHECK(rig.ended.spans[0].span.parent_id == span.context.span_id);
    CHECK(rig.calls.waiting() == 0);
    CHECK(stream.end(50).attributes.contains("sidespan.stream.events"));
  }
}

TEST_CASE("mcp: progress is counted on the request whose token it names, wherever it comes") {
  const auto asking = [](int id, const std::string& token) {
    return R"({"jsonrpc":"2.0","id":)" + std::to_string(id) +
           R"(,"method":"tools/call","params":{"name":"walk","_meta":{"progressToken":)" + token +
           "}}}";
  };
  const auto progress = [](const std::string& token) {
    return event(R"({"jsonrpc":"2.0","method":"notifications/progress","params":{"progress":1,)"
                 R"("progressToken":)" +
                 token + "}}");
  };
  const auto told = [](const trace::Span& span) {
    for (const auto& [key, value] : span.attributes) {
      if (key == "sidespan.mcp.progress") return std::get<int64_t>(value);
    }
    return int64_t{0};
  };
  for (const size_t piece : {0, 1, 7}) {
    CAPTURE(piece);
    Rig rig;
    rig.piece = piece;
    McpExchange stream(rig, "GET", kUrl, with(kEvents, kSession));
    stream.answer(200, kEvents, 0);
    SUBCASE("in the answer, and on the session's stream") {
      McpExchange post(rig, "POST", kUrl, kPostInSession);
      post.say(asking(1, R"("1")"), 1);
      post.answer(200, kEvents, 2);
      // A number is another token than a text.
      post.hear(progress(R"("1")") + progress("1") + progress(R"("2")"), 3);
      stream.hear(progress(R"("1")"), 4);
      post.hear(progress(R"("1")") + event(result(1)), 5);
      CHECK(told(post.end(6)) == 3);
    }
    SUBCASE("of a batch") {
      McpExchange post(rig, "POST", kUrl, kPostInSession);
      post.say("[" + asking(1, "7") + "," + asking(2, "8") + "]", 1);
      post.answer(200, kEvents, 2);
      post.hear(progress("8"), 3);
      stream.hear(progress("8") + progress("9"), 4);
      post.hear(event(result(1)) + event(result(2)), 5);
      CHECK(told(post.end(6)) == 0);
      REQUIRE(rig.ended.spans.size() == 2);
      CHECK(told(rig.ended.spans[0].span) == 0);
      CHECK(told(rig.ended.spans[1].span) == 2);
    }
    SUBCASE("of one that is answered there") {
      McpExchange post(rig, "POST", kUrl, kPostInSession);
      post.say(asking(1, "7"), 1);
      stream.hear(progress("7"), 1);
      post.answer(202, {}, 2);
      CHECK(told(post.end(3)) == 0);
      stream.hear(progress("7") + progress("7") + event(result(1)) + progress("7"), 4);
      REQUIRE(rig.ended.spans.size() == 1);
      CHECK(told(rig.ended.spans[0].span) == 3);
    }
    SUBCASE("of the old transport") {
      McpExchange old(rig, "GET", "http://server:8080/sse", {});
      old.answer(200, kEvents, 0);
      old.hear("event: endpoint\ndata: /m?s=1\n\n", 1);
      McpExchange post(rig, "POST", "http://server:8080/m?s=1", kJson);
      post.say(asking(1, "7"), 2);
      post.answer(202, {}, 3);
      post.end(4);
      old.hear(progress("7") + progress("7") + event(result(1)), 5);
      REQUIRE(rig.ended.spans.size() == 1);
      CHECK(told(rig.ended.spans[0].span) == 2);
    }
  }
}

TEST_CASE("mcp: a stream that can be taken up goes on elsewhere, another one has ended") {
  struct Row {
    const char* test;
    std::string before;  // each event
    Ending ending;
    std::optional<Error> error;
    bool waits;
  };
  const Error broken{Code::kTruncated, Side::kOrigin, false, "x"};
  const std::vector<Row> rows = {
      {"broken", "id: 5\n", Ending::kOriginClosed, broken, true},
      {"closed by the server", "id: 5\n", Ending::kComplete, {}, true},
      {"broken, without ids", "", Ending::kOriginClosed, broken, false},
      {"closed, without ids", "", Ending::kComplete, {}, false},
      {"given up by the agent", "id: 5\n", Ending::kAgentCancelled, {}, false},
  };
  for (const Row& row : rows) {
    CAPTURE(row.test);
    Rig rig;
    McpExchange post(rig, "POST", kUrl, kPostInSession);
    post.say(call(1, "walk"), 10);
    post.answer(200, kEvents, 20);
    post.hear(event(R"({"jsonrpc":"2.0","method":"notifications/progress"})", row.before), 30);
    const trace::Span span = post.end(40, row.ending, row.error);
    CHECK(rig.calls.waiting() == (row.waits ? 1 : 0));
    CHECK(span.attributes.contains("mcp.method.name") == !row.waits);
    McpExchange again(rig, "GET", kUrl, with(kSession, {{"last-event-id", "5"}}));
    again.answer(200, kEvents, 50);
    again.hear(event(result(1), "id: 6\n"), 60);
    CHECK(rig.ended.lines() == (row.waits ? Lines{"tools/call walk 1 complete 50ms"} : Lines{}));
  }
}

TEST_CASE("mcp: a session's id comes with the answer to its first request") {
  Rig rig;
  McpExchange post(rig, "POST", kUrl, kPost);
  post.say(R"({"jsonrpc":"2.0","id":0,"method":"initialize"})", 1);
  post.answer(200, with(kEvents, kSession), 2);
  post.hear("id: 1\ndata:\n\n", 3);
  post.end(4);
  McpExchange again(rig, "GET", kUrl, kSession);
  again.answer(200, kEvents, 5);
  again.hear(event(result(0, R"("protocolVersion":"2025-11-25")")), 6);
  CHECK(rig.ended.lines() == Lines{"initialize 0 complete 5ms"});
  CHECK(rig.ended.spans[0].span.attributes.text("mcp.protocol.version") == "2025-11-25");
  CHECK(rig.ended.spans[0].span.attributes.text("mcp.session.id") == "s1");
}

// A request of the session that waits for its answer.
void leave_waiting(Rig& rig, const std::string& url, const Fields& fields, int id, int ms) {
  McpExchange post(rig, "POST", url, fields, ms);
  post.say(call(id, "t"), ms);
  post.answer(202, {}, ms);
  post.end(ms);
}

TEST_CASE("mcp: how a request that waits ends without an answer") {
  Rig rig;
  leave_waiting(rig, kUrl, kPostInSession, 1, 0);
  REQUIRE(rig.calls.waiting() == 1);
  SUBCASE("nobody answers") {
    rig.calls.expire(Rig::at(999), rig.ended);
    CHECK(rig.ended.spans.empty());
    rig.calls.expire(Rig::at(1000), rig.ended);
    CHECK(rig.ended.lines() == Lines{"tools/call t 1 timeout 1000ms error=timeout"});
  }
  SUBCASE("the agent wants it no more") {
    McpExchange post(rig, "POST", kUrl, kPostInSession);
    post.say(R"({"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}})", 5);
    CHECK(rig.ended.lines() == Lines{"tools/call t 1 agent_cancelled 5ms"});
    CHECK(post.end(6).name == "notifications/cancelled");
  }
  SUBCASE("the agent ends the session") {
    McpExchange end(rig, "DELETE", kUrl, kSession);
    end.answer(204, {}, 5);
    CHECK(rig.ended.lines() == Lines{"tools/call t 1 agent_cancelled 5ms"});
  }
  SUBCASE("the server does not let it end") {
    McpExchange end(rig, "DELETE", kUrl, kSession);
    end.answer(405, {}, 5);
    CHECK(rig.ended.spans.empty());
  }
  SUBCASE("its id is used again") {
    leave_waiting(rig, kUrl, kPostInSession, 1, 5);
    CHECK(rig.ended.lines() == Lines{"tools/call t 1 limit 5ms"});
    CHECK(rig.calls.waiting() == 1);
  }
  SUBCASE("the sidecar stops") {
    rig.calls.end_all({.ending = Ending::kDrain, .at = Rig::at(7)}, rig.ended);
    CHECK(rig.ended.lines() == Lines{"tools/call t 1 drain 7ms"});
  }
}

TEST_CASE("mcp: no more requests than the limit wait, and a batch has no more children") {
  Rig rig(2);
  for (int id = 1; id <= 3; ++id) leave_waiting(rig, kUrl, kPostInSession, id, id);
  CHECK(rig.ended.lines() == Lines{"tools/call t 3 limit 0ms"});
  CHECK(rig.calls.waiting() == 2);
  // Answered where they were asked they need no room there.
  McpExchange post(rig, "POST", kUrl, kPostInSession);
  post.say("[" + call(4, "a") + "," + call(5, "b") + "," + call(6, "c") + "]", 0);
  post.answer(200, kJson, 1);
  post.hear("[" + result(4) + "," + result(5) + "," + result(6) + "]", 2);
  CHECK(post.end(3).name == "POST");
  CHECK(rig.ended.spans.size() == 3);
  CHECK(rig.ended.left_out == 1);
}

TEST_CASE("events that nobody could read to the end have no number") {
  struct Row {
    const char* test;
    Fields coding;
    std::string body;
    bool counted;
  };
  const std::string body = event(result(1)) + event(R"({"model":"m"})");
  const std::vector<Row> rows = {
      {"as they are", {}, body, true},
      {"packed", {{"content-encoding", "gzip"}}, http::gzip(body), true},
      {"by a coding that nobody knows", {{"content-encoding", "x-own"}}, body, false},
      {"broken", {{"content-encoding", "gzip"}}, "no gzip at all", false},
      {"a bomb",
       {{"content-encoding", "gzip"}},
       http::gzip(body + std::string(size_t{8} << 20U, '\n')),
       false},
  };
  const std::string a2a = R"({"jsonrpc":"2.0","id":1,"method":"message/stream","params":{}})";
  for (const Row& row : rows) {
    CAPTURE(row.test);
    for (const auto& [url, fields, asks] :
         {std::tuple(kUrl, kPostInSession, call(1, "t")),
          std::tuple(std::string("https://api.openai.com/v1/chat/completions"), kJson,
                     std::string("{}")),
          std::tuple(std::string("http://agent/a2a"), with(kJson, {{"a2a-version", "1.0"}}),
                     a2a)}) {
      CAPTURE(url);
      Rig rig;
      McpExchange post(rig, "POST", url, fields);
      post.say(asks, 1);
      post.answer(200, with(kEvents, row.coding), 2);
      post.hear(row.body, 3);
      CHECK(post.end(4).attributes.contains("sidespan.stream.events") == row.counted);
    }
  }
}

TEST_CASE("a model's request is read whatever its type says") {
  for (const Fields& type :
       {Fields{}, Fields{{"content-type", "text/plain;charset=UTF-8"}},
        Fields{{"content-type", "application/x-www-form-urlencoded"}}, kJson}) {
    Rig rig;
    McpExchange post(rig, "POST", "http://localhost:11434/api/generate", type);
    post.say(R"({"model":"llama","prompt":"TALK"})", 1);
    CHECK(post.end(2).attributes.text("gen_ai.request.model") == "llama");
    McpExchange form(rig, "POST", "http://localhost:11434/api/generate", type);
    form.say("model=llama", 1);
    CHECK(form.end(2).name == "POST");
  }
}

TEST_CASE("mcp: a batch that nobody looks at any longer leaves its children out, and counts them") {
  Rig rig;
  for (const bool sampled : {true, false}) {
    rig.sampled = sampled;
    McpExchange post(rig, "POST", kUrl, kPostInSession);
    post.say("[" + call(1, "a") + "," + call(2, "b") + "]", 0);
    post.silence();
    CHECK(rig.ended.left_out == 2);
  }
  McpExchange alone(rig, "POST", kUrl, kPostInSession);
  alone.say(call(1, "a"), 0);
  alone.silence();
  CHECK(rig.ended.left_out == 2);
  CHECK(rig.ended.spans.empty());
}

TEST_CASE("mcp: what has no span has no children, and leaves nothing") {
  Rig rig;
  rig.sampled = false;
  leave_waiting(rig, kUrl, kPostInSession, 1, 0);
  CHECK(rig.calls.waiting() == 0);
  rig.sampled = true;
  {
    McpExchange post(rig, "POST", kUrl, kPostInSession);
    post.say(call(1, "t"), 1);
    post.silence();
  }
  McpExchange post(rig, "POST", kUrl, kPostInSession);
  post.say(call(1, "t"), 1);
  post.answer(200, kJson, 2);
  post.hear(result(1), 3);
  CHECK(name_and_tool(post.end(4)) == "tools/call t t");
  CHECK(rig.ended.spans.empty());
}

TEST_CASE("mcp: the old transport's requests are answered on the stream that named their URL") {
  for (const size_t piece : {0, 1, 9}) {
    CAPTURE(piece);
    Rig rig;
    rig.piece = piece;
    McpExchange stream(rig, "GET", "http://server:8080/sse", {{"accept", "text/event-stream"}});
    stream.answer(200, kEvents, 0);
    stream.hear(": hello\r\n\r\nevent: endpoint\r\ndata: /messages/?session_id=5\r\n\r\n", 1);
    const std::string url = "http://server:8080/messages/?session_id=5";
    leave_waiting(rig, url, kJson, 1, 10);
    leave_waiting(rig, url, kJson, 2, 20);
    CHECK(rig.calls.waiting() == 2);
    stream.hear(event(R"({"jsonrpc":"2.0","id":2,"method":"ping"})") + event(result(2)), 25);
    CHECK(rig.ended.lines() == Lines{"tools/call t 2 complete 5ms"});
    McpExchange elsewhere(rig, "POST", "http://server:8080/messages/?session_id=6", kJson);
    CHECK_FALSE(elsewhere.is_mcp());
    const trace::Span span = stream.end(30, Ending::kAgentCancelled);
    CHECK(span.name == "GET");
    CHECK(rig.ended.lines() ==
          Lines{"tools/call t 2 complete 5ms", "tools/call t 1 agent_cancelled 20ms"});
    CHECK(rig.calls.waiting() == 0);
    McpExchange late(rig, "POST", url, kJson);
    CHECK_FALSE(late.is_mcp());
  }
}

TEST_CASE("mcp: where two streams of the old transport name one URL, calls there have no answers") {
  Rig rig;
  const std::string url = "http://server/messages";
  const auto open = [&](McpExchange& stream, int ms) {
    stream.answer(200, kEvents, ms);
    stream.hear("event: endpoint\ndata: /messages\n\n", ms);
  };
  McpExchange one(rig, "GET", "http://server/sse", {});
  McpExchange other(rig, "GET", "http://server/sse", {});
  open(one, 0);
  leave_waiting(rig, url, kJson, 1, 10);
  open(other, 20);
  CHECK(rig.ended.lines() == Lines{"tools/call t 1 limit 10ms"});
  leave_waiting(rig, url, kJson, 1, 30);
  leave_waiting(rig, url, kJson, 2, 40);
  const Lines limits = {"tools/call t 1 limit 10ms", "tools/call t 1 limit 0ms",
                        "tools/call t 2 limit 0ms"};
  CHECK(rig.ended.lines() == limits);
  one.hear(event(result(1, R"("isError":true)")), 50);
  other.hear(event(result(1)) + event(result(2)), 60);
  CHECK(rig.ended.lines() == limits);
  // One remains, and whose its answers are is plain again.
  one.end(70, Ending::kAgentCancelled);
  leave_waiting(rig, url, kJson, 3, 80);
  other.hear(event(result(3)), 90);
  CHECK(rig.ended.lines().back() == "tools/call t 3 complete 10ms");
  other.end(100);
  CHECK(rig.calls.waiting() == 0);
}

TEST_CASE("mcp: the old transport's session ends with its stream") {
  Rig rig;
  McpExchange stream(rig, "GET", "http://server/sse", {});
  stream.answer(200, kEvents, 0);
  stream.hear("event: endpoint\ndata: /m?s=1\n\n", 1);
  leave_waiting(rig, "http://server/m?s=1", kJson, 1, 10);
  SUBCASE("by the server") {
    stream.end(30);
    CHECK(rig.ended.lines() == Lines{"tools/call t 1 origin_closed 20ms error=connection_closed"});
  }
  SUBCASE("or where nobody looks at it any longer") {
    stream.silence();
    REQUIRE(rig.ended.spans.size() == 1);
    CHECK(rig.ended.spans[0].ending == Ending::kLimit);
  }
}

TEST_CASE("mcp: a stream that begins with another event is only counted") {
  Rig rig;
  for (const std::string& first :
       {std::string("data: /messages\n\n"), std::string("event: message\ndata: /messages\n\n"),
        std::string("event: endpoint\ndata: ") + std::string(5000, 'a') + "\n\n",
        std::string("event: endpoint\ndata: http://[\n\n"), std::string("event: endpoint\n\n")}) {
    CAPTURE(first.substr(0, 50));
    McpExchange stream(rig, "GET", "http://server/sse", {});
    stream.answer(200, kEvents, 0);
    stream.hear(first + event("x"), 1);
    CHECK_FALSE(McpExchange(rig, "POST", "http://server/messages", kJson).is_mcp());
    stream.end(2);
  }
}

}  // namespace
}  // namespace sidespan::semconv
