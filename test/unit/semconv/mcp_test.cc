#include "sidespan/semconv/mcp.h"

#include <doctest/doctest.h>

#include <string>
#include <variant>
#include <vector>

#include "sidespan/semconv/mcp_span.h"

namespace sidespan::semconv {
namespace {

std::string line_of(const McpMessage& message) {
  std::string out;
  const auto add = [&](const char* name, const std::string& value) {
    if (!value.empty()) out.append(name).append("=").append(value).append(" ");
  };
  add("id", message.id);
  add("method", message.method);
  add("target", message.target);
  add("uri", message.uri);
  add("version", message.protocol_version);
  add("meta_version", message.meta_version);
  add("cancelled", message.cancelled_id);
  add("traceparent", message.traceparent);
  add("tracestate", message.tracestate);
  add("baggage", message.baggage);
  if (message.answers) out += "answers ";
  if (message.tool_failed) out += "failed ";
  if (message.error_code) out += "code=" + std::to_string(*message.error_code) + " ";
  return out;
}

std::vector<std::string> read(const std::string& text, size_t piece) {
  std::vector<std::string> out;
  McpLines lines([&](const McpMessage& message) { out.push_back(line_of(message)); });
  const size_t step = piece == 0 ? text.size() : piece;
  for (size_t at = 0; at < text.size(); at += step) lines.feed(text.substr(at, step));
  return out;
}

TEST_CASE("mcp: messages, one to a line, in any pieces") {
  struct Row {
    std::string text;
    std::vector<std::string> messages;
  };
  const std::vector<Row> rows = {
      {R"({"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"add","arguments":{"name":)"
       R"("x","a":[1]},"_meta":{"traceparent":"00-a","tracestate":"b=c","baggage":"d=e"}}})",
       {"id=1 method=tools/call target=add traceparent=00-a tracestate=b=c baggage=d=e "}},
      {R"({"method":"initialize","id":"a1","params":{"protocolVersion":"2025-06-18"}})",
       {"id=\"a1\" method=initialize version=2025-06-18 "}},
      {R"({"method":"ping","id":1,"params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"v"}}})",
       {"id=1 method=ping meta_version=v "}},
      {R"({"id":1,"result":{"protocolVersion":"2025-03-26","content":[{"isError":true}]}})",
       {"id=1 version=2025-03-26 answers "}},
      {R"({"id":1,"result":{"isError":true}})", {"id=1 answers failed "}},
      {R"({"result":{"structuredContent":)" + std::string(100, '[') + std::string(100, ']') +
           R"(,"isError":true},"jsonrpc":"2.0","id":1})",
       {"id=1 answers failed "}},
      {R"({"id":null,"error":{"code":-32602,"message":"x","data":{"code":1}}})",
       {"answers code=-32602 "}},
      {R"({"method":"notifications/cancelled","params":{"requestId":"7"}})",
       {"method=notifications/cancelled cancelled=\"7\" "}},
      {R"({"method":"resources/read","id":2,"params":{"uri":"file:///a"}})",
       {"id=2 method=resources/read uri=file:///a "}},
      {R"([{"id":1,"method":"ping"},{"id":2,"result":{}},3])",
       {"id=1 method=ping ", "id=2 answers "}},
      {"no json\n\n{\"id\":3,\"method\":\"m\"}\r\n{\"id\":4,\"met\n{\"id\":5,\"method\":\"n\"}\n",
       {"id=3 method=m ", "id=5 method=n "}},
      {R"({"id":{"a":1},"method":5,"params":{"name":[1]}})", {""}},
  };
  for (const Row& row : rows) {
    CAPTURE(row.text);
    for (const size_t piece : {0, 1, 3}) {
      CHECK(read(row.text, piece) == row.messages);
      CHECK(read(row.text + "\n", piece) == row.messages);
    }
  }
}

TEST_CASE("mcp: ids up to the greatest of 64 bits are told apart") {
  CHECK(read(R"({"id":18446744073709551615,"method":"m"}
{"id":18446744073709551614,"result":{}}
{"id":9223372036854775808,"result":{}}
{"id":-9223372036854775808,"result":{}})",
             0) == std::vector<std::string>{
                       "id=18446744073709551615 method=m ", "id=18446744073709551614 answers ",
                       "id=9223372036854775808 answers ", "id=-9223372036854775808 answers "});
}

TEST_CASE("mcp: what is written again is kept up to 8 KiB, or said to be cut") {
  for (const size_t bytes : {size_t{1025}, size_t{8192}, size_t{8193}}) {
    CAPTURE(bytes);
    const std::string value(bytes, 'v');
    McpMessage got;
    McpLines lines([&](const McpMessage& message) { got = message; });
    lines.feed(R"({"id":1,"method":")" + value + R"(","params":{"name":")" + value +
               R"(","_meta":{"tracestate":")" + value + R"(","baggage":")" + value + "\"}}}\n");
    CHECK(got.baggage == value.substr(0, 8192));
    CHECK(got.tracestate == value.substr(0, 8192));
    CHECK(got.baggage_cut == (bytes > 8192));
    CHECK(got.tracestate_cut == (bytes > 8192));
    // Attributes, no more.
    CHECK(got.method == value.substr(0, 1024));
    CHECK(got.target == value.substr(0, 1024));
  }
}

TEST_CASE("mcp: an id that is too long is none") {
  const std::string id = std::string(5000, '1');
  CHECK(read("{\"id\":\"" + id + "\",\"method\":\"m\"}", 0) ==
        std::vector<std::string>{"method=m "});
}

std::string text_of(const trace::Span& span) {
  std::string out = span.name + (span.status == trace::SpanStatus::kError ? " !" : "");
  for (size_t i = 0; i < span.attributes.size(); ++i) {
    const auto attribute = span.attributes.at(i);
    out.append(" ").append(attribute.key).append("=");
    out.append(std::get<std::string_view>(attribute.value));
  }
  return out;
}

TEST_CASE("mcp: a request on a span") {
  McpMessage request{.id = "7", .method = "tools/call", .target = "add"};
  McpMessage answer{.id = "7", .answers = true};
  const auto described = [&](bool answered) {
    trace::Span span;
    describe_mcp(span,
                 {.request = &request,
                  .answer = answered ? &answer : nullptr,
                  .session_id = "s",
                  .protocol_version = "2025-06-18",
                  .transport = "pipe"},
                 {});
    return text_of(span);
  };
  const std::string common =
      " mcp.method.name=tools/call gen_ai.operation.name=execute_tool gen_ai.tool.name=add "
      "jsonrpc.request.id=7 mcp.session.id=s mcp.protocol.version=2025-06-18 "
      "network.transport=pipe";
  CHECK(described(false) == "tools/call add" + common);
  CHECK(described(true) == "tools/call add" + common);
  answer.tool_failed = true;
  CHECK(described(true) == "tools/call add !" + common + " error.type=tool_error");
  answer.error_code = -32601;
  CHECK(described(true) ==
        "tools/call add !" + common + " rpc.response.status_code=-32601 error.type=-32601");
  request = {.id = "\"x\"", .method = "prompts/get", .target = "hello"};
  answer = {.protocol_version = "2025-03-26"};
  CHECK(described(true) ==
        "prompts/get hello mcp.method.name=prompts/get gen_ai.prompt.name=hello "
        "jsonrpc.request.id=x mcp.session.id=s mcp.protocol.version=2025-03-26 "
        "network.transport=pipe");
  request = {.id = "1", .method = "resources/read", .uri = "file:///a"};
  CHECK(described(false) ==
        "resources/read mcp.method.name=resources/read mcp.resource.uri=file:///a "
        "jsonrpc.request.id=1 mcp.session.id=s mcp.protocol.version=2025-06-18 "
        "network.transport=pipe");
}

TEST_CASE("mcp: a resource's URI hides our names of secrets and the user's") {
  const std::vector<std::string> redact = {"ticket"};
  const McpMessage request{.id = "1",
                           .method = "resources/read",
                           .uri = "https://u:s@h/x?Ticket=s&token=s&page=2#ticket=s"};
  trace::Span span;
  McpFacts facts;
  facts.request = &request;
  describe_mcp(span, facts, redact);
  CHECK(span.attributes.text("mcp.resource.uri") ==
        "https://REDACTED:REDACTED@h/x?Ticket=REDACTED&token=REDACTED&page=2#ticket=REDACTED");
}

}  // namespace
}  // namespace sidespan::semconv
