#include <doctest/doctest.h>

#include <string>
#include <string_view>
#include <vector>

#include "mcp_rig.h"
#include "semconv/a2a.h"

namespace sidespan::semconv {
namespace {

using Rig = McpExchange::Rig;

const std::string kUrl = "http://agent:9999/";
const Fields kJson = {{"content-type", "application/json"}};
const Fields kEvents = {{"content-type", "text/event-stream"}};
const Fields kV1 = {{"content-type", "application/json"}, {"A2A-Version", "1.0"}};
const Fields kBoth = {{"content-type", "application/json"},
                      {"accept", "application/json, text/event-stream"}};

std::string rpc(const std::string& method, const std::string& params) {
  return R"({"id":"7","jsonrpc":"2.0","method":")" + method + R"(","params":)" + params + "}";
}

std::string result(const std::string& inside) {
  return R"({"id":"7","jsonrpc":"2.0","result":)" + inside + "}";
}

const std::string kMessage =
    R"({"message":{"messageId":"m1","contextId":"c1","role":"user","parts":[{"text":"}{"}]}})";
const std::string kTask =
    R"({"id":"t1","contextId":"c2","kind":"task","history":[{"messageId":"m0","taskId":"t0"}],)"
    R"("status":{"message":{"taskId":"t9"},"state":"completed"}})";

// "SendMessage version= message=m1 context=c1 task=t1 state=... rpc=7 error="
std::string told(const trace::Span& span) {
  std::string out = span.name;
  for (const auto& [label, name] :
       std::vector<std::pair<std::string, std::string>>{{"version", "a2a.protocol.version"},
                                                        {"tenant", "a2a.tenant"},
                                                        {"message", "a2a.message.id"},
                                                        {"context", "gen_ai.conversation.id"},
                                                        {"task", "a2a.task.id"},
                                                        {"state", "a2a.task.state"},
                                                        {"rpc", "jsonrpc.request.id"},
                                                        {"error", "error.type"}}) {
    if (span.attributes.contains(name)) {
      out.append(" ").append(label).append("=").append(span.attributes.text(name));
    }
  }
  return out;
}

struct Said {
  std::string method = "POST";
  std::string url = kUrl;
  Fields fields = kJson;
  std::string body = {};
  int status = 200;
  Fields answer_fields = kJson;
  std::string answer = {};
};

trace::Span exchanged(const Said& said, size_t piece) {
  Rig rig;
  rig.piece = piece;
  McpExchange exchange(rig, said.method, said.url, said.fields);
  exchange.say(said.body, 1);
  exchange.answer(said.status, said.answer_fields, 2);
  exchange.hear(said.answer, 3);
  return exchange.end(4);
}

struct Row {
  const char* test;
  Said said;
  std::string told;
};

void check(const std::vector<Row>& rows) {
  for (const Row& row : rows) {
    CAPTURE(row.test);
    for (const size_t piece : {0, 1, 3, 7, 64}) {
      CAPTURE(piece);
      const trace::Span span = exchanged(row.said, piece);
      CHECK(told(span) == row.told);
      CHECK((span.status == trace::SpanStatus::kError) == span.attributes.contains("error.type"));
      CHECK(span.kind == trace::SpanKind::kClient);
      CHECK_FALSE(span.attributes.contains("mcp.method.name"));
      const bool is_a2a = span.attributes.contains("a2a.method.name");
      CHECK(is_a2a == (span.attributes.text("a2a.method.name") == span.name));
    }
  }
}

TEST_CASE("a2a: a call by JSON-RPC is told by its method and its shape") {
  const std::string far(900, ' ');
  check({
      {"a task",
       {.body = rpc("message/send", kMessage), .answer = result(kTask)},
       "SendMessage message=m1 context=c1 task=t1 state=TASK_STATE_COMPLETED rpc=7"},
      {"a message",
       {.body = rpc("message/send", R"({"message":{"messageId":"m1","taskId":"t5"}})"),
        .answer = result(R"({"kind":"message","messageId":"m2","contextId":"c3"})")},
       "SendMessage message=m1 context=c3 task=t5 rpc=7"},
      {"1.0",
       {.fields = kV1,
        .body = rpc("SendMessage", R"({"tenant":"billing","message":{"messageId":"m1"}})"),
        .answer = result(R"({"task":{"id":"t1","contextId":"c2","status":)"
                         R"({"state":"TASK_STATE_INPUT_REQUIRED"}}})")},
       "SendMessage version=1.0 tenant=billing message=m1 context=c2 task=t1 "
       "state=TASK_STATE_INPUT_REQUIRED rpc=7"},
      {"1.0 without its field",
       {.body = rpc("SendMessage", kMessage), .answer = result("{}")},
       "SendMessage message=m1 context=c1 rpc=7"},
      {"both kinds of answers are taken",
       {.fields = kBoth, .body = rpc("message/send", kMessage), .answer = result(kTask)},
       "SendMessage message=m1 context=c1 task=t1 state=TASK_STATE_COMPLETED rpc=7"},
      {"a task that is asked for",
       {.body = rpc("tasks/get", R"({"id":"t1","historyLength":2})"), .answer = result(kTask)},
       "GetTask context=c2 task=t1 state=TASK_STATE_COMPLETED rpc=7"},
      {"an error",
       {.body = rpc("tasks/cancel", R"({"id":"t1"})"),
        .answer = R"({"jsonrpc":"2.0","id":"7","error":{"code":-32001,"message":"no such"}})"},
       "CancelTask task=t1 rpc=7 error=-32001"},
      {"a config of its own id",
       {.fields = kV1,
        .body = rpc("GetTaskPushNotificationConfig", R"({"taskId":"t1","id":"p1"})"),
        .answer = result(R"({"id":"p1","taskId":"t1","url":"http://h/"})")},
       "GetTaskPushNotificationConfig version=1.0 task=t1 rpc=7"},
      {"0.3's",
       {.body = rpc("tasks/pushNotificationConfig/list", R"({"id":"t1"})"), .answer = result("[]")},
       "ListTaskPushNotificationConfigs task=t1 rpc=7"},
      {"blanks before",
       {.body = far + rpc("message/send", kMessage), .answer = result(kTask)},
       "SendMessage message=m1 context=c1 task=t1 state=TASK_STATE_COMPLETED rpc=7"},
      {"two methods, of which the first counts",
       {.body =
            R"({"jsonrpc":"2.0","id":7,"method":"message/send","method":"tasks/get","params":)" +
            kMessage + "}",
        .answer = result(kTask)},
       "SendMessage message=m1 context=c1 task=t1 state=TASK_STATE_COMPLETED rpc=7"},
      {"members in another order",
       {.body = R"({"method":"message/send","params":)" + kMessage + R"(,"jsonrpc":"2.0","id":7})",
        .answer = result(kTask)},
       "SendMessage message=m1 context=c1 task=t1 state=TASK_STATE_COMPLETED rpc=7"},
  });
}

TEST_CASE("a2a: what is not plainly one stays plain HTTP") {
  const std::string far(1100, ' ');
  check({
      {"another method", {.body = rpc("eth_call", "[]"), .answer = result("{}")}, "POST"},
      {"a task of MCP",
       {.body = rpc("tasks/get", R"({"taskId":"t1"})"), .answer = result(kTask)},
       "POST"},
      {"a list of tasks without a field",
       {.body = rpc("tasks/list", "{}"), .answer = result("{}")},
       "POST"},
      {"no message",
       {.body = rpc("message/send", R"({"to":"me"})"), .answer = result("{}")},
       "POST"},
      {"another SendMessage",
       {.body = rpc("SendMessage", R"({"message":"hello"})"), .answer = result("{}")},
       "POST"},
      {"no version of JSON-RPC",
       {.body = R"({"method":"message/send","params":)" + kMessage + "}", .answer = result(kTask)},
       "POST"},
      {"a batch",
       {.body = "[" + rpc("message/send", kMessage) + "]", .answer = result(kTask)},
       "POST"},
      {"too far behind",
       {.body = far + rpc("message/send", kMessage), .answer = result(kTask)},
       "POST"},
      {"a method that is no text",
       {.body =
            R"({"jsonrpc":"2.0","id":1,"method":{"a":["message/send"]},"params":)" + kMessage + "}",
        .answer = result(kTask)},
       "POST"},
      {"broken before it is known",
       {.body = R"({"jsonrpc":"2.0","method":message/send})", .answer = result(kTask)},
       "POST"},
      {"wrong types",
       {.fields = kV1,
        .body = R"({"jsonrpc":"2.0","id":{"a":1},"method":"SendMessage","params":)"
                R"({"message":{"messageId":1,"contextId":null,"taskId":["t"]}}})",
        .answer = result(R"({"task":{"id":5,"contextId":{},"status":{"state":"fine"}}})")},
       "SendMessage version=1.0"},
      {"empty", {.body = "", .answer = ""}, "POST"},
      {"no JSON",
       {.fields = {{"content-type", "text/plain"}},
        .body = rpc("message/send", kMessage),
        .answer = result(kTask)},
       "POST"},
  });
}

TEST_CASE("a2a: MCP and A2A are never taken for each other") {
  for (const size_t piece : {0, 1, 5}) {
    Said mcp{.fields = kBoth,
             .body = rpc("tools/call", R"({"name":"message/send","message":{"messageId":"m"}})"),
             .answer = result("{}")};
    trace::Span span = exchanged(mcp, piece);
    CHECK(span.name == "tools/call message/send");
    CHECK_FALSE(span.attributes.contains("a2a.method.name"));
    // In a session everything is MCP's.
    mcp.fields.emplace_back("mcp-session-id", "s1");
    mcp.body = rpc("tasks/get", R"({"id":"t1"})");
    span = exchanged(mcp, piece);
    CHECK(span.name == "tasks/get");
    CHECK(span.attributes.text("mcp.session.id") == "s1");
    CHECK_FALSE(span.attributes.contains("a2a.method.name"));
  }
}

TEST_CASE("a2a: a stream is read event by event, and its last state counts") {
  const auto event = [](const std::string& data) { return "data: " + data + "\r\n\r\n"; };
  const auto state = [&](const std::string& name) {
    return event(result(R"({"kind":"status-update","taskId":"t1","contextId":"c1","final":false,)"
                        R"("status":{"state":")" +
                        name + R"("}})"));
  };
  const std::string begun = event(result(kTask)) + state("working");
  const std::string artifact =
      event(result(R"({"kind":"artifact-update","taskId":"t1","artifact":{"artifactId":"a"}})"));
  const std::string body = rpc("message/stream", R"({"message":{"messageId":"m1"}})");
  for (const size_t piece : {0, 1, 3, 11}) {
    Said said{.body = body, .answer_fields = kEvents};
    said.answer = begun + artifact + state("input-required");
    trace::Span span = exchanged(said, piece);
    CHECK(
        told(span) ==
        "SendStreamingMessage message=m1 context=c1 task=t1 state=TASK_STATE_INPUT_REQUIRED rpc=7");
    // It breaks off, and what was said counts.
    said.answer = begun + R"(data: {"jsonrpc":"2.0","result":{"status":{"sta)";
    span = exchanged(said, piece);
    CHECK(span.attributes.text("a2a.task.state") == "TASK_STATE_WORKING");
    // An error ends it.
    said.answer = begun + event(R"({"jsonrpc":"2.0","id":"7","error":{"code":-32603}})");
    span = exchanged(said, piece);
    CHECK(span.attributes.text("error.type") == "-32603");
    CHECK(span.attributes.text("rpc.response.status_code") == "-32603");
  }
}

TEST_CASE("a2a: the events of others are counted as before") {
  for (const size_t piece : {0, 1, 4}) {
    for (const std::string& body :
         {std::string(R"({"q":1})"), rpc("other", "{}"), std::string(2000, ' ')}) {
      const trace::Span span = exchanged(
          {.body = body, .answer_fields = kEvents, .answer = "data: a\n\ndata: {}\n\n"}, piece);
      CHECK(span.name == "POST");
      bool counted = false;
      for (const auto& [key, value] : span.attributes) {
        if (key == "sidespan.stream.events") counted = std::get<int64_t>(value) == 2;
      }
      CHECK(counted);
    }
  }
}

TEST_CASE("a2a: the HTTP+JSON binding") {
  const std::string task = R"({"task":{"id":"t1","contextId":"c2","status":)"
                           R"({"state":"TASK_STATE_CANCELLED"}}})";
  check({
      {"a message",
       {.url = "http://agent/v1/message:send", .body = kMessage, .answer = task},
       "SendMessage message=m1 context=c1 task=t1 state=TASK_STATE_CANCELED"},
      {"a stream",
       {.url = "http://agent/billing/message:stream?x=1",
        .fields = {{"content-type", "application/a2a+json"}, {"a2a-version", "1.0"}},
        .body = kMessage,
        .answer_fields = kEvents,
        .answer =
            R"(data: {"statusUpdate":{"taskId":"t1","status":{"state":"TASK_STATE_WORKING"}}})"
            "\n\n"},
       "SendStreamingMessage version=1.0 message=m1 context=c1 task=t1 state=TASK_STATE_WORKING"},
      {"a task, declared",
       {.method = "GET",
        .url = "http://agent/tasks/t1?historyLength=1",
        .fields = {{"a2a-version", "1.0"}},
        .answer = kTask},
       "GetTask version=1.0 context=c2 task=t1 state=TASK_STATE_COMPLETED"},
      {"a task by its shape",
       {.method = "GET", .url = "http://agent/v1/tasks/t1", .fields = {}, .answer = kTask},
       "GetTask context=c2 task=t1 state=TASK_STATE_COMPLETED"},
      {"another's task",
       {.method = "GET",
        .url = "http://todo/v1/tasks/t1",
        .fields = {},
        .answer = R"({"id":"t1","status":{"state":"completed"}})"},
       "GET"},
      {"not the task that was asked for",
       {.method = "GET", .url = "http://todo/v1/tasks/t7", .fields = {}, .answer = kTask},
       "GET"},
      {"other tasks",
       {.method = "GET", .url = "http://todo/tasks/t1", .fields = {}, .answer = kTask},
       "GET"},
      {"refused",
       {.url = "http://agent/tasks/t1:cancel",
        .fields = kV1,
        .body = "{}",
        .status = 404,
        .answer = R"({"error":{"code":404,"status":"NOT_FOUND"}})"},
       "CancelTask version=1.0 task=t1 error=404"},
  });
}

TEST_CASE("a2a: paths") {
  struct PathRow {
    std::string_view method;
    std::string_view path;
    std::string told;
  };
  const std::vector<PathRow> rows = {
      {"POST", "/message:send", "SendMessage !"},
      {"GET", "/message:send", ""},
      {"POST", "/messages:send", ""},
      {"POST", "/a/message:stream", "SendStreamingMessage !"},
      {"GET", "/tasks", "ListTasks"},
      {"POST", "/tasks", ""},
      {"GET", "/tasks/", ""},
      {"GET", "/tasks/t", "GetTask t"},
      {"DELETE", "/tasks/t", ""},
      {"POST", "/tasks/t:cancel", "CancelTask t"},
      {"POST", "/v1/tasks/a:b:cancel", "CancelTask a:b v1"},
      {"GET", "/tasks/t:subscribe", "SubscribeToTask t"},
      {"POST", "/tasks/t:subscribe", "SubscribeToTask t"},
      {"POST", "/tasks/t/pushNotificationConfigs", "CreateTaskPushNotificationConfig t !"},
      {"GET", "/tasks/t/pushNotificationConfigs", "ListTaskPushNotificationConfigs t !"},
      {"GET", "/tasks/t/pushNotificationConfigs/p", "GetTaskPushNotificationConfig t !"},
      {"DELETE", "/x/tasks/t/pushNotificationConfigs/p", "DeleteTaskPushNotificationConfig t !"},
      {"DELETE", "/tasks/t/pushNotificationConfigs", ""},
      {"GET", "/pushNotificationConfigs", ""},
      {"GET", "/extendedAgentCard", "GetExtendedAgentCard !"},
      {"GET", "/v1/card", "GetExtendedAgentCard"},
      {"GET", "/card", ""},
      {"GET", "/", ""},
      {"GET", "", ""},
  };
  for (const PathRow& row : rows) {
    CAPTURE(row.path);
    std::string out;
    if (const auto found = a2a_path(row.method, row.path)) {
      out = name_of(found->method);
      if (!found->task_id.empty()) out.append(" ").append(found->task_id);
      if (found->versioned) out.append(" v1");
      if (found->unmistakable) out.append(" !");
    }
    CHECK(out == row.told);
  }
  CHECK(is_agent_card_path("/.well-known/agent-card.json"));
  CHECK(is_agent_card_path("/a/.well-known/agent.json"));
  CHECK_FALSE(is_agent_card_path("/agent.json"));
}

TEST_CASE("a2a: a card names the agent") {
  for (const size_t piece : {0, 1}) {
    const trace::Span span =
        exchanged({.method = "GET",
                   .url = "http://agent/.well-known/agent-card.json",
                   .fields = {},
                   .answer = R"({"provider":{"name":"no"},"name":"Weather","version":"1.2",)"
                             R"("skills":[{"name":"x","version":"9"}]})"},
                  piece);
    CHECK(span.name == "GET");
    CHECK(span.attributes.text("gen_ai.agent.name") == "Weather");
    CHECK(span.attributes.text("gen_ai.agent.version") == "1.2");
  }
}

TEST_CASE("a2a: what is kept has an end") {
  const std::string longer(2000, 'x');
  std::string references;
  for (int i = 0; i < 100; ++i) references += (i > 0 ? ",\"r" : "\"r") + std::to_string(i) + "\"";
  const trace::Span span = exchanged(
      {.body = rpc("message/send", R"({"message":{"messageId":"m1","contextId":")" + longer +
                                       R"(","referenceTaskIds":[)" + references + "]}}"),
       .answer = result("{}")},
      0);
  // An id that is cut would be another's.
  CHECK(told(span) == "SendMessage message=m1 rpc=7");
  size_t count = 0;
  for (const auto& [key, value] : span.attributes) {
    if (key == "a2a.message.reference_task_ids") {
      count = std::get<std::vector<std::string_view>>(value).size();
    }
  }
  CHECK(count == 8);
}

}  // namespace
}  // namespace sidespan::semconv
