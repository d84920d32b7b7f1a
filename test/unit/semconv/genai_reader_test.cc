#include "sidespan/semconv/genai_reader.h"

#include <doctest/doctest.h>
#include <malloc.h>

#include <fstream>
#include <sstream>
#include <string>
#include <variant>
#include <vector>

#include "sidespan/semconv/attributes.h"
#include "sidespan/trace/span.h"
#include "support/genai_exchange.h"

namespace sidespan::semconv::genai {
namespace {

using test::feed_request;
using test::feed_response;
using test::feed_stream;

std::string fixture(const std::string& name) {
  std::ifstream file(std::string(SIDESPAN_SOURCE_DIR) + "/test/fixtures/genai/" + name);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

std::string text_of(const trace::Attributes::Value& value) {
  if (const bool* truth = std::get_if<bool>(&value)) return *truth ? "true" : "false";
  if (const int64_t* number = std::get_if<int64_t>(&value)) return std::to_string(*number);
  if (const double* number = std::get_if<double>(&value)) {
    std::ostringstream out;
    out << *number;
    return out.str().find('.') == std::string::npos ? out.str() + ".0" : out.str();
  }
  if (const std::string_view* text = std::get_if<std::string_view>(&value)) {
    return std::string(*text);
  }
  std::string out;
  for (const std::string_view element : std::get<std::vector<std::string_view>>(value)) {
    out.append(out.empty() ? "[" : ",").append(element);
  }
  return out + "]";
}

// One attribute a line, as the fixtures have it.
std::string lines_of(const CallReader& call, const DescribeOptions& options = {}) {
  trace::Span span;
  call.describe(span, options);
  std::string out = span.name + "\n";
  for (const trace::Attributes::View& attribute : span.attributes) {
    std::string value = text_of(attribute.value);
    for (size_t at = 0; (at = value.find('\n', at)) != std::string::npos;) {
      value.replace(at, 1, "\\n");
    }
    out.append(attribute.key).append("=").append(value).append("\n");
  }
  if (span.status == trace::SpanStatus::kError) out += "status=error\n";
  return out;
}

constexpr std::string_view kJson = "application/json";
constexpr std::string_view kGemini = "generativelanguage.googleapis.com";
constexpr std::string_view kVertex = "europe-west4-aiplatform.googleapis.com";

struct Row {
  std::string fixture;
  std::string_view host;
  std::string_view path;
  bool stream = false;
  Capture capture = Capture::kOff;
  int status = 200;
};

const std::vector<Row>& rows() {
  constexpr std::string_view kOpenAi = "api.openai.com";
  static const std::vector<Row> kRows = {
      {"openai_chat", kOpenAi, "/v1/chat/completions"},
      {"openai_chat_stream", kOpenAi, "/v1/chat/completions", true, Capture::kTools},
      {"openai_error", kOpenAi, "/v1/chat/completions", false, Capture::kTools, 429},
      {"openai_completions", kOpenAi, "/v1/completions"},
      {"openai_embeddings", kOpenAi, "/v1/embeddings"},
      {"openai_responses", kOpenAi, "/v1/responses", false, Capture::kTools},
      {"openai_responses_stream", kOpenAi, "/v1/responses", true},
      {"openai_responses_failed", kOpenAi, "/v1/responses", true, Capture::kAll},
      {"xai_chat", "api.x.ai", "/v1/chat/completions"},
      {"anthropic", "api.anthropic.com", "/v1/messages?beta=true", false, Capture::kTools},
      {"anthropic_stream", "api.anthropic.com", "/v1/messages", true, Capture::kAll},
      {"anthropic_overloaded", "api.anthropic.com", "/v1/messages", true},
      {"gemini", kGemini, "/v1beta/models/gemini-3-pro-preview:generateContent", false,
       Capture::kTools},
      {"gemini_stream", kVertex,
       "/v1/projects/p/locations/l/publishers/google/models/gemini-2.5-flash:streamGenerateContent"
       "?alt=sse",
       true},
      {"gemini_array", kGemini, "/v1beta/models/gemini-2.5-flash:streamGenerateContent"},
      {"gemini_code_assist", "cloudcode-pa.googleapis.com",
       "/v1internal:streamGenerateContent?alt=sse", true},
      {"gemini_error", kGemini, "/v1beta/models/gemini-2.5-flash:generateContent", false,
       Capture::kTools, 429},
      {"gemini_blocked", kGemini, "/v1beta/models/gemini-2.5-flash:generateContent"},
      {"gemini_embed", kGemini, "/v1beta/models/gemini-embedding-001:batchEmbedContents"},
  };
  return kRows;
}

std::string response_of(const Row& row) {
  return fixture(row.fixture + (row.stream ? ".response.sse" : ".response.json"));
}

CallReader reader_of(const Row& row) {
  const auto endpoint =
      recognize({.method = "POST", .host = row.host, .path = row.path, .content_type = kJson}, {});
  REQUIRE(endpoint);
  return CallReader(*endpoint, {.capture = row.capture});
}

void answer_head(CallReader& call, const Row& row) {
  http::Head head;
  head.status = row.status;
  head.headers.add("Content-Type", row.stream ? "text/event-stream; charset=utf-8" : kJson);
  head.headers.add("Retry-After", "20");
  head.headers.add("X-RateLimit-Remaining-Tokens", "0");
  head.headers.add("X-Request-Id", "req_1");
  call.on_response_head(head);
}

void answer(CallReader& call, const Row& row, std::string_view bytes, size_t piece) {
  answer_head(call, row);
  call.on_first_chunk(std::chrono::milliseconds(500));
  row.stream ? feed_stream(call, bytes, piece) : feed_response(call, bytes, piece);
}

TEST_CASE("genai: each documented shape, in any pieces") {
  for (const Row& row : rows()) {
    const std::string request = fixture(row.fixture + ".request.json");
    const std::string response = response_of(row);
    const std::string expected = fixture(row.fixture + ".span");
    REQUIRE(!request.empty());
    REQUIRE(!expected.empty());
    for (const size_t piece : {0, 1, 2, 7, 61}) {
      CAPTURE(row.fixture);
      CAPTURE(piece);
      CallReader call = reader_of(row);
      feed_request(call, request, piece);
      answer(call, row, response, piece);
      call.finish(false);
      CHECK(lines_of(call) == expected);
    }
  }
}

// What a shorter text told, a longer one tells, too, or more of it.
void check_grown(const Call& less, const Call& more) {
  CHECK(less.tool_calls.size() <= more.tool_calls.size());
  CHECK(less.usage.output.value_or(0) <= more.usage.output.value_or(0));
  CHECK(less.usage.input.value_or(0) <= more.usage.input.value_or(0));
  CHECK((less.response_id.empty() || less.response_id == more.response_id));
  CHECK((less.response_model.empty() || less.response_model == more.response_model));
  CHECK(less.finish_reasons.size() <= more.finish_reasons.size());
  for (size_t i = 0; i < less.finish_reasons.size(); ++i) {
    const std::string& reason = less.finish_reasons[i];
    CHECK((reason.empty() || reason == more.finish_reasons[i]));
  }
  CHECK(less.error.type.size() <= more.error.type.size());
}

TEST_CASE("genai: an answer cut at any byte tells what came before") {
  for (const Row& row : rows()) {
    CAPTURE(row.fixture);
    const std::string request = fixture(row.fixture + ".request.json");
    const std::string response = response_of(row);
    Call before;
    for (size_t cut = 0; cut <= response.size(); ++cut) {
      CallReader call = reader_of(row);
      feed_request(call, request);
      answer(call, row, std::string_view(response).substr(0, cut), 0);
      check_grown(before, call.call());
      before = call.call();
      call.finish(true);
      const std::vector<std::string>& reasons = call.call().finish_reasons;
      const bool none = call.call().operation == Operation::kEmbeddings || row.status >= 400;
      CHECK(reasons.empty() == none);
      for (const std::string& reason : reasons) CHECK(!reason.empty());
      lines_of(call);
    }
  }
}

TEST_CASE("genai: a request cut at any byte") {
  for (const Row& row : rows()) {
    const std::string request = fixture(row.fixture + ".request.json");
    for (size_t cut = 0; cut < request.size(); ++cut) {
      CallReader call = reader_of(row);
      feed_request(call, std::string_view(request).substr(0, cut));
      call.finish(true);
      CHECK(call.known());
      lines_of(call);
    }
  }
}

// Every value in the place of every other: each `"` up to the next one, and each number.
TEST_CASE("genai: values of other types than they should have") {
  const std::vector<std::string> others = {
      "null", "[]", "{}", "\"x\"", "-1", "1e300", "99999999999999999999", "true", "[{\"a\":[1]}]"};
  for (const Row& row : rows()) {
    if (row.stream) continue;
    const std::string request = fixture(row.fixture + ".request.json");
    const std::string response = response_of(row);
    for (const std::string* whole : {&request, &response}) {
      for (size_t at = whole->find(':'); at != std::string::npos; at = whole->find(':', at + 1)) {
        const size_t end = whole->find_first_of(",}]", at);
        if (end == std::string::npos) break;
        for (const std::string& other : others) {
          const std::string changed = whole->substr(0, at + 1) + other + whole->substr(end);
          CallReader call = reader_of(row);
          feed_request(call, whole == &request ? changed : request);
          answer(call, row, whole == &response ? changed : response, 0);
          call.finish(false);
          CHECK(call.call().usage.input.value_or(0) >= 0);
          CHECK(call.call().usage.output.value_or(0) >= 0);
          lines_of(call);
        }
      }
    }
  }
}

TEST_CASE("genai: nothing of content without capture, no error's text below all") {
  for (const Row& row : rows()) {
    CAPTURE(row.fixture);
    for (const Capture capture : {Capture::kOff, Capture::kTools}) {
      Row changed = row;
      changed.capture = capture;
      CallReader call = reader_of(changed);
      feed_request(call, fixture(row.fixture + ".request.json"));
      answer(call, changed, response_of(row), 0);
      call.finish(false);
      const std::string lines = lines_of(call);
      CHECK(lines.find("error.text") == std::string::npos);
      if (capture == Capture::kTools) continue;
      CHECK(lines.find("arguments") == std::string::npos);
      CHECK(lines.find("texts") == std::string::npos);
    }
  }
}

TEST_CASE("genai: tokens that the agent counts itself are left to it") {
  const Row& row = rows().front();
  CallReader call = reader_of(row);
  feed_request(call, fixture(row.fixture + ".request.json"));
  answer(call, row, response_of(row), 0);
  call.finish(false);
  const std::string lines = lines_of(call, {.usage = false});
  CHECK(lines.find("gen_ai.usage") == std::string::npos);
  CHECK(lines.find("gen_ai.response.model") != std::string::npos);
}

TEST_CASE("genai: what only looks like a call of a model says nothing") {
  const auto endpoint = recognize({.method = "POST", .host = "shop.example", .path = "/api/chat"});
  REQUIRE(endpoint);
  CallReader call(*endpoint);
  feed_request(call, R"({"text":"hello"})");
  feed_response(call, R"({"ok":true})");
  call.finish(false);
  CHECK(!call.known());
  trace::Span span;
  call.describe(span);
  CHECK(span.name.empty());
  CHECK(span.attributes.size() == 0);
}

TEST_CASE("genai: an error.type that is there becomes the provider's") {
  CallReader call({.api = Api::kAnthropicMessages, .provider = "anthropic", .known_host = true});
  feed_response(call, R"({"type":"error","error":{"type":"not_found_error","message":"m"}})");
  trace::Span span;
  span.attributes.set(attribute::kErrorType, std::string_view("404"));
  call.describe(span);
  CHECK(span.attributes.text("error.type") == "not_found_error");
}

TEST_CASE("genai: a sentence is no error's type") {
  CallReader call({.api = Api::kOpenAiChat, .provider = "openai", .known_host = true});
  feed_response(call, R"({"error":{"type":"You said: my password","code":null,"message":"m"}})");
  CHECK(call.call().error.type.empty());
}

TEST_CASE("genai: at one address a model is asked to talk, or to fill in") {
  const auto operation = [](std::string_view body, Endpoint endpoint = {}) {
    CallReader call(endpoint);
    feed_request(call, body);
    return std::string(name_of(call.call().operation));
  };
  CHECK(operation(R"({"messages":[{"role":"user","content":"m"}]})") == "chat");
  CHECK(operation(R"({"prompt":"def f(","suffix":"return a"})") == "text_completion");
  CHECK(operation(R"({"prompt":{"id":"p"}})") == "chat");
  CHECK(operation(R"({"messages":[{"role":"user","content":"m"}],"prompt":"p"})") == "chat");
  CHECK(operation(R"({"prompt":"","messages":[{"role":"user","content":"m"}]})") == "chat");
  // Bedrock's InvokeModel is one operation, whatever the maker has in its documents.
  for (const std::string_view model : {"mistral.mistral-7b-v0", "deepseek.v3-v1", "meta.llama4"}) {
    CHECK(operation(R"({"prompt":"p"})",
                    {.api = Api::kBedrockInvoke, .model = std::string(model)}) == "chat");
  }
}

TEST_CASE("genai: tokens of several texts that are embedded, however they are written") {
  const auto tokens = [](std::string_view body) {
    CallReader call({.api = Api::kGeminiEmbed, .operation = Operation::kEmbeddings});
    feed_response(call, body);
    return call.call().usage.input;
  };
  CHECK(tokens(R"({"predictions":[{"embeddings":{"statistics":{"token_count":4}}},
                   {"embeddings":{"statistics":{"token_count":5.0}}}]})") == 9);
  CHECK(!tokens(R"({"predictions":[{"embeddings":{"statistics":{"token_count":4.5}}},
                    {"embeddings":{"statistics":{"token_count":-1}}},
                    {"embeddings":{"statistics":{"token_count":"4"}}}]})"));
}

TEST_CASE("genai: servers that give every tool call the index 0, or none") {
  for (const std::string index : {R"("index":0,)", ""}) {
    CallReader call({.api = Api::kOpenAiChat, .provider = "openai", .known_host = true});
    for (const std::string id : {"a", "b"}) {
      feed_response(call, R"({"choices":[{"delta":{"tool_calls":[{)" + index + R"("id":")" + id +
                              R"(","function":{"name":"f","arguments":"{}"}}]}}]})");
    }
    REQUIRE(call.call().tool_calls.size() == 2);
    CHECK(call.call().tool_calls[1].id == "b");
  }
}

// A call with more of everything than is kept. `end`: of its answer.
CallReader greedy(const ReaderOptions& options, std::string_view end) {
  CallReader call({.api = Api::kOpenAiChat, .provider = "p", .known_host = true}, options);
  const std::string text(20000, 'x');
  std::string request = R"({"model":")" + text + R"(","stop":[)";
  for (int i = 0; i < 1000; ++i) request += "\"" + text.substr(0, 3000) + "\",";
  request += R"("x"],"messages":[)";
  for (int i = 0; i < 1000; ++i) {
    request += R"({"role":"tool","tool_call_id":")" + text.substr(0, 500) + std::to_string(i) +
               R"(","content":")" + text.substr(0, 5000) + R"("},)";
  }
  feed_request(call, request + R"({}]})");
  std::string response = R"({"choices":[{"message":{"tool_calls":[)";
  for (int i = 0; i < 1000; ++i) {
    response += R"({"id":")" + std::to_string(i) + text + R"(","function":{"name":")" + text +
                R"(","arguments":")" + text + R"("}},)";
  }
  feed_response(call, response.append(end));
  return call;
}

TEST_CASE("genai: memory is bounded, whatever the bodies hold") {
  constexpr std::string_view kWhole = "{}]}}]}";
  for (const Capture capture : {Capture::kOff, Capture::kTools, Capture::kAll}) {
    CAPTURE(static_cast<int>(capture));
    greedy({.capture = capture}, kWhole);  // tables are made
    for (const std::string_view end : {std::string_view(), kWhole}) {
      const size_t before = mallinfo2().uordblks;
      const CallReader call = greedy({.capture = capture}, end);
      const size_t held = mallinfo2().uordblks - before;
      INFO("bytes held: " << held);
      CHECK(held <= 64 * 1024);
    }
    const CallReader call = greedy({.capture = capture}, kWhole);
    CHECK(call.call().tool_calls.size() == 9);
    CHECK(call.call().tool_calls.back().id.starts_with("8x"));
    CHECK(call.call().tool_results.size() == 18);
    CHECK(call.call().tools_left_out == 992 + 982);
    CHECK(call.call().tool_results.back().text.size() <= 1024);
  }
}

TEST_CASE("genai: of calls of tools that are named as usual there are more") {
  for (const bool streamed : {false, true}) {
    CAPTURE(streamed);
    CallReader call({.api = Api::kOpenAiChat, .provider = "p", .known_host = true});
    const std::string begin = streamed ? R"({"choices":[{"delta":{"tool_calls":[)"
                                       : R"({"choices":[{"message":{"tool_calls":[)";
    std::string tools;
    for (int i = 0; i < 60; ++i) {
      const std::string tool = R"({"index":)" + std::to_string(i) + R"(,"id":"call_)" +
                               std::to_string(i) + std::string(24, 'x') +
                               R"(","function":{"name":"get_some_weather","arguments":"{}"}})";
      if (streamed) feed_response(call, begin + tool + "]}}]}");
      tools.append(tools.empty() ? "" : ",").append(tool);
    }
    if (!streamed) feed_response(call, begin + tools + "]}}]}");
    REQUIRE(call.call().tool_calls.size() == 48);
    CHECK(call.call().tool_calls.back().id.starts_with("call_47x"));
    CHECK(call.call().tools_left_out == 12);
  }
}

TEST_CASE("genai: a call that is told three times is left out once") {
  const auto item = [](int i) {
    return R"({"type":"function_call","call_id":"call_)" + std::to_string(i) +
           R"(","name":"f","arguments":"{}"})";
  };
  std::string all;
  for (int i = 0; i < 60; ++i) all.append(i == 0 ? "" : ",").append(item(i));
  const std::string answer = R"({"id":"r","status":"completed","output":[)" + all + "]}";
  CallReader whole({.api = Api::kOpenAiResponses, .provider = "p", .known_host = true});
  feed_response(whole, answer);
  CHECK(whole.call().tool_calls.size() == 48);
  CHECK(whole.call().tools_left_out == 12);
  CallReader streamed({.api = Api::kOpenAiResponses, .provider = "p", .known_host = true});
  for (int i = 0; i < 60; ++i) {
    for (const std::string event : {"added", "done"}) {
      feed_response(streamed,
                    R"({"type":"response.output_item.)" + event + R"(","item":)" + item(i) + "}");
      CHECK(streamed.call().tools_left_out == static_cast<uint64_t>(std::max(i - 47, 0)));
    }
  }
  feed_response(streamed, R"({"type":"response.completed","response":)" + answer + "}");
  CHECK(streamed.call().tool_calls.size() == 48);
  CHECK(streamed.call().tools_left_out == 12);
}

TEST_CASE("genai: what goes on with a call that was left out is no other call's") {
  CallReader call({.api = Api::kOpenAiChat, .provider = "p", .known_host = true},
                  {.capture = Capture::kTools});
  for (int i = 0; i < 50; ++i) {
    const std::string id = "call_" + std::to_string(i) + std::string(24, 'x');
    feed_response(call, R"({"choices":[{"delta":{"tool_calls":[{"index":0,"id":")" + id +
                            R"(","function":{"name":"f"}}]}}]})");
    feed_response(call, R"({"choices":[{"delta":{"tool_calls":[{"index":0,"function":)"
                        R"({"arguments":"{}"}}]}}]})");
  }
  REQUIRE(call.call().tool_calls.size() == 48);
  CHECK(call.call().tool_calls.front().arguments == "{}");
  CHECK(call.call().tool_calls.back().arguments == "{}");
  CHECK(call.call().tools_left_out == 2);
}

}  // namespace
}  // namespace sidespan::semconv::genai
