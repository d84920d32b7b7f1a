// What is an error of a provider's and what only looks like one; what counts where little is told.
#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "genai_rig.h"
#include "sidespan/semconv/attributes.h"
#include "sidespan/trace/span.h"

namespace sidespan::semconv::genai {
namespace {

using testing::answer_head;
using testing::PlayedCall;

constexpr std::string_view kChat = "/chat/completions";

PlayedCall chat(int status, std::string answer, std::string host = "api.perplexity.ai",
                std::string path = std::string(kChat)) {
  return {.host = std::move(host),
          .path = std::move(path),
          .request = R"({"model":"sonar"})",
          .head = answer_head(status, "application/json"),
          .answer = {{.text = std::move(answer)}}};
}

}  // namespace

TEST_CASE("a provider's error is told from an answer that is well") {
  struct Row {
    const char* test;
    int status;
    std::string answer;
    std::string type;  // of the error
    std::string code;
    bool known;
  };
  const std::vector<Row> rows = {
      {"an answer with a type", 200, R"({"type":"message","choices":[]})", "", "", false},
      {"an answer with a code", 200, R"({"code":0,"message":"ok","choices":[]})", "", "", false},
      {"a bare one that is refused", 422, R"({"type":"invalid","code":"1300"})", "invalid", "1300",
       true},
      {"a bare one that says so", 200, R"({"object":"error","type":"BadRequestError","code":400})",
       "BadRequestError", "400", true},
      {"another object", 200, R"({"object":"chat.completion","type":"x"})", "", "", false},
      {"one in words alone", 200, R"({"error":{"message":"It went wrong."}})", "", "", true},
      {"none", 200, R"({"error":null,"choices":[]})", "", "", false},
      {"with a type", 200, R"({"error":{"type":"server_error","message":"m"}})", "server_error", "",
       true},
  };
  for (const Row& row : rows) {
    CAPTURE(row.test);
    for (const testing::Cut cut : {testing::Cut{}, testing::Cut{.size = 1}}) {
      const auto call = testing::played(chat(row.status, row.answer), cut);
      CHECK(call.call().error.type == row.type);
      CHECK(call.call().error.code == row.code);
      CHECK(call.call().error.known() == row.known);
      trace::Span span;
      call.describe(span, {});
      CHECK((span.status == trace::SpanStatus::kError) == row.known);
    }
  }
}

TEST_CASE("an error that is a text is one, streamed or not, and its words are content") {
  struct Row {
    const char* host;
    const char* path;
  };
  const std::vector<Row> rows = {
      {"h", "/v1/chat/completions"},
      {"h", "/v1/completions"},
      {"h", "/v1/embeddings"},
      {"h", "/v1/responses"},
      {"h", "/v1/messages"},
      {"generativelanguage.googleapis.com", "/v1beta/models/m:streamGenerateContent"},
      {"generativelanguage.googleapis.com", "/v1beta/models/m:embedContent"},
      {"h", "/api/chat"},
      {"h", "/api/generate"},
      {"h", "/api/embed"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.path);
    for (const char* const type : {"application/json", "text/event-stream"}) {
      CAPTURE(type);
      PlayedCall call = chat(200, "{}", row.host, row.path);
      call.head = answer_head(200, type);
      const std::string well = testing::told_of(call);
      call.answer[0].text = R"({"error":""})";
      CHECK(testing::told_of(call) == well);
      CHECK_FALSE(testing::played(call).call().error.known());
      call.answer = {{.text = "{}"}, {.text = R"({"error":"no: {\"token\":\"t\"}"})"}};
      for (const Capture capture : {Capture::kOff, Capture::kTools, Capture::kAll}) {
        CHECK(testing::told_of(call, capture).find(" words=yes") != std::string::npos);
        const auto played = testing::played(call, {}, capture);
        const bool converses = played.call().operation != Operation::kEmbeddings;
        CHECK(testing::joined(played.call().finish_reasons) == (converses ? "error" : ""));
        trace::Span span;
        played.describe(span);
        CHECK(span.status == trace::SpanStatus::kError);
        CHECK(span.attributes.text("error.type") == "_OTHER");
        CHECK(span.attributes.text("sidespan.provider.error.text") ==
              (capture == Capture::kAll ? R"(no: {"token":"REDACTED"})" : ""));
      }
    }
  }
}

TEST_CASE("what stands beside an error that is a text is of the error") {
  const auto error = [](int status, const std::string& answer) {
    return testing::played(chat(status, answer), {}, Capture::kAll).call().error;
  };
  const ProviderError generation = error(200, R"({"error":"no memory","error_type":"generation"})");
  CHECK(generation.type == "generation");
  CHECK(generation.text == "no memory");
  const ProviderError longer =
      error(400, R"({"error":"Bad Request","message":"there is no such model","code":404})");
  CHECK(longer.code == "404");
  CHECK(longer.text == "there is no such model");
  CHECK(error(400, R"({"message":"there is no such model","error":"Bad Request"})").text ==
        "there is no such model");
  CHECK_FALSE(error(200, R"({"error":null,"error_type":"generation","code":1})").known());
}

TEST_CASE("what an error is called on a span, and so in metrics") {
  struct Row {
    const char* test;
    ProviderError error;
    std::string otherwise;
    std::string type;
  };
  const std::vector<Row> rows = {
      {"no error", {}, "", ""},
      {"none of the provider's", {}, "429", "429"},
      {"a code in words before a type",
       {.type = "t", .code = "model_not_found"},
       "404",
       "model_not_found"},
      {"a type before a number", {.type = "t", .code = "404"}, "404", "t"},
      {"a code in words alone", {.code = "rate_limit_exceeded"}, "", "rate_limit_exceeded"},
      {"a number alone", {.code = "1300"}, "422", "1300"},
      {"words alone, and a status", {.told = true}, "404", "404"},
      {"words alone", {.told = true}, "", "_OTHER"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.test);
    CHECK(error_type_of(row.error, row.otherwise) == row.type);
    Call call;
    call.error = row.error;
    trace::Span span;
    if (!row.otherwise.empty()) {
      span.attributes.add(attribute::kErrorType, std::string_view(row.otherwise));
    }
    describe_call(span, call);
    CHECK(span.attributes.text("error.type") == row.type);
    CHECK((span.status == trace::SpanStatus::kError) == row.error.known());
  }
}

TEST_CASE("a finish reason is a word") {
  const auto reason = [](const std::string& said) {
    const auto call =
        testing::played(chat(200, R"({"choices":[{"index":0,"finish_reason":")" + said + "\"}]}"));
    return testing::joined(call.call().finish_reasons);
  };
  CHECK(reason("tool_calls") == "tool_calls");
  CHECK(reason("The user asked for SECRET") == "_OTHER");
}

TEST_CASE("a chunk that leaves id and model empty takes neither away") {
  PlayedCall call = chat(200, "");
  call.head = answer_head(200, "text/event-stream");
  call.answer = {
      {.text = R"({"id":"","model":"","choices":[],"prompt_filter_results":[]})"},
      {.text = R"({"id":"c1","model":"gpt-5-a","choices":[{"index":0,"finish_reason":"stop"}]})"},
      {.text = R"({"id":"","model":"","choices":[{"index":0,"finish_reason":null}]})"}};
  CHECK(testing::told_of(call) ==
        "chat by=perplexity model=sonar streamed=yes answered=gpt-5-a id=c1 finish=stop");
}

TEST_CASE("counts of an answer that ends before its provider has told all are partial") {
  PlayedCall call = chat(200, "", "api.anthropic.com", "/v1/messages");
  call.head = answer_head(200, "text/event-stream");
  call.answer = {{.text = R"({"type":"message_start","message":{"role":"assistant","usage":{
        "input_tokens":9,"output_tokens":1}}})"},
                 {.text = R"({"type":"message_delta","delta":{"stop_reason":"end_turn"},
        "usage":{"output_tokens":70}})"}};
  CHECK(!testing::played(call).call().usage_partial);
  // Whoever closes it then had all.
  call.broken = true;
  CHECK(!testing::played(call).call().usage_partial);
  call.answer.pop_back();
  for (const bool broken : {true, false}) {
    call.broken = broken;
    const auto cut = testing::played(call);
    CHECK(cut.call().usage_partial);
    CHECK(cut.call().usage.output == 1);
  }
  CHECK(!testing::played(chat(200, R"({"usage":{"prompt_tokens":1,"completion_tokens":2}})"))
             .call()
             .usage_partial);
}

TEST_CASE("counts of an answer that its agent gives up in the middle of them are partial") {
  const auto endpoint = recognize({.method = "POST", .host = "api.openai.com", .path = kChat});
  const std::string whole = R"({"choices":[{"index":0,"finish_reason":"stop"}],)"
                            R"("usage":{"prompt_tokens":9,"completion_tokens":2}})";
  for (const bool streamed : {false, true}) {
    for (size_t size = 1; size <= whole.size(); ++size) {
      CAPTURE(size);
      CallReader call(endpoint.value());
      call.on_response_head(answer_head(200, streamed ? "text/event-stream" : "application/json"));
      json::Handler& handler = call.begin_response_document();
      call.end_response_document(testing::feed(handler, whole.substr(0, size), {}));
      call.cancel();
      CHECK(call.call().usage_partial == (size < whole.size()));
    }
  }
}

TEST_CASE("what Groq's last chunk counts is all told") {
  PlayedCall call = chat(200, "", "api.groq.com", "/openai/v1/chat/completions");
  call.head = answer_head(200, "text/event-stream");
  call.answer = {{.text = R"({"choices":[{"index":0,"finish_reason":"stop"}],"x_groq":{"id":"r",
      "usage":{"prompt_tokens":20,"prompt_tokens_details":{"cached_tokens":8},
      "completion_tokens":9,"completion_tokens_details":{"reasoning_tokens":4},
      "total_tokens":29}}})"}};
  const auto played = testing::played(call);
  const Usage& usage = played.call().usage;
  CHECK(usage.input == 20);
  CHECK(usage.output == 9);
  CHECK(usage.cache_read == 8);
  CHECK(usage.reasoning == 4);
}

TEST_CASE("what Moonshot counts in a choice is told, unless it comes once more behind that") {
  PlayedCall call = chat(200, "", "api.moonshot.ai", "/v1/chat/completions");
  call.head = answer_head(200, "text/event-stream");
  call.answer = {
      {.text = R"({"choices":[{"index":0,"delta":{"content":"a"},"finish_reason":null}]})"},
      {.text = R"({"choices":[{"index":0,"delta":{},"finish_reason":"stop","usage":{
          "prompt_tokens":19,"completion_tokens":13,"total_tokens":32,"cached_tokens":7}}]})"}};
  CHECK(testing::told_of(call).ends_with(" finish=stop input=19 output=13 read=7"));
  CHECK_FALSE(testing::played(call).call().usage_partial);
  call.answer.push_back({.text = R"({"choices":[],"usage":{"prompt_tokens":20,
      "completion_tokens":14,"total_tokens":34,"cached_tokens":8}})"});
  CHECK(testing::told_of(call).ends_with(" finish=stop input=20 output=14 read=8"));
  call = chat(200, R"({"choices":[{"index":0,"finish_reason":"stop"}],"usage":{
      "prompt_tokens":19,"completion_tokens":13,"cached_tokens":7}})");
  CHECK(testing::told_of(call).ends_with(" finish=stop input=19 output=13 read=7"));
}

TEST_CASE("whoever wants no more of an answer makes no error of it") {
  const auto endpoint = recognize({.method = "POST", .host = "api.openai.com", .path = kChat});
  CallReader call(endpoint.value());
  call.on_response_head(answer_head(200, "text/event-stream"));
  const auto say = [&](const std::string& text) {
    call.end_response_document(testing::feed(call.begin_response_document(), text, {}));
  };
  say(R"({"choices":[{"index":1,"finish_reason":"stop"}]})");
  call.cancel();
  CHECK(testing::joined(call.call().finish_reasons) == "stop");
  CHECK(call.call().usage_partial);
}

TEST_CASE("an answer that ends behind its last counts has told all of them") {
  const auto endpoint =
      recognize({.method = "POST", .host = "api.anthropic.com", .path = "/v1/messages"});
  const std::vector<std::string> events = {
      R"({"type":"message_start","message":{"role":"assistant","usage":{"input_tokens":7,
         "output_tokens":1},"stop_reason":null}})",
      R"({"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":5}})",
      R"({"type":"message_stop"})"};
  for (size_t last = 0; last < events.size(); ++last) {
    CAPTURE(last);
    CallReader call(endpoint.value());
    call.on_response_head(answer_head(200, "text/event-stream"));
    for (size_t i = 0; i <= last; ++i) {
      const std::string& text = events[i];
      json::Handler& handler = call.begin_response_document();
      call.end_response_document(
          testing::feed(handler, i < last ? text : text.substr(0, text.size() - 1), {}));
    }
    call.cancel();
    CHECK(call.call().usage_partial == (last < 2));
  }
}

TEST_CASE("who only reasoned has put out what was reasoned") {
  const auto call = testing::played(chat(
      200,
      R"({"usageMetadata":{"promptTokenCount":8,"thoughtsTokenCount":100,"totalTokenCount":108}})",
      "generativelanguage.googleapis.com", "/v1beta/models/gemini-pro:generateContent"));
  CHECK(call.call().usage.input == 8);
  CHECK(call.call().usage.output == 100);
  CHECK(call.call().usage.reasoning == 100);
}

}  // namespace sidespan::semconv::genai
