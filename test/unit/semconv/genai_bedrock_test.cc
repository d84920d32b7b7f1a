#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "genai_rig.h"
#include "semconv/genai/packed_json.h"
#include "sidespan/base/text.h"

namespace sidespan::semconv::genai {
namespace {

using testing::answer_head;
using testing::CallDocument;
using testing::PlayedCall;
using testing::told_of;

constexpr std::string_view kEvents = "application/vnd.amazon.eventstream";

PlayedCall converse(std::string request) {
  return {.host = "bedrock-runtime.us-east-1.amazonaws.com",
          .path = "/model/us.anthropic.claude-x-v1%3A0/converse",
          .request = std::move(request),
          .head = answer_head(200, "application/json")};
}

PlayedCall converse_stream() {
  PlayedCall call = converse(R"({"messages":[
      {"role":"user","content":[{"text":"TALK"}]},
      {"role":"assistant","content":[{"toolUse":{"toolUseId":"t0","name":"f","input":{}}}]},
      {"role":"user","content":[
       {"toolResult":{"toolUseId":"t0","content":[{"text":"TOOL cold"},{"json":{"sky": "TOOL"}}],
        "status":"success"}},
       {"toolResult":{"content":[{"text":"TOOL of nobody"}]}}]}]})");
  call.path = "/model/us.anthropic.claude-x-v1%3A0/converse-stream";
  call.head = answer_head(200, kEvents);
  call.answer = {
      {"messageStart", R"({"role":"assistant","p":"abcd"})"},
      {"contentBlockDelta", R"({"contentBlockIndex":0,"delta":{"text":"TALK"}})"},
      {"contentBlockStop", R"({"contentBlockIndex":0})"},
      {"contentBlockStart", R"({"contentBlockIndex":1,"start":{"toolUse":{"name":"get_weather",
          "toolUseId":"tooluse_a"}}})"},
      {"contentBlockDelta",
       R"({"contentBlockIndex":1,"delta":{"toolUse":{"input":"{\"city\":"}}})"},
      {"contentBlockStart", R"({"start":{"toolUse":{"name":"web","toolUseId":"srv",
          "type":"server_tool_use"}},"contentBlockIndex":2})"},
      {"contentBlockDelta", R"({"delta":{"toolUse":{"input":"{}"}},"contentBlockIndex":2})"},
      {"contentBlockDelta", R"({"delta":{"toolUse":{"input":"\"TOOL\"}"}},"contentBlockIndex":1})"},
      {"messageStop", R"({"stopReason":"tool_use"})"},
      {"metadata", R"({"metrics":{"latencyMs":412},"usage":{"inputTokens":12,"outputTokens":30,
          "totalTokens":142,"cacheReadInputTokens":90,"cacheWriteInputTokens":10}})"}};
  return call;
}

// InvokeModel of that model; a stream's documents go into chunks.
PlayedCall invoke(std::string_view model, std::vector<std::string> documents, bool streams) {
  PlayedCall call = converse("{}");
  call.path =
      "/model/" + std::string(model) + (streams ? "/invoke-with-response-stream" : "/invoke");
  if (streams) call.head = answer_head(200, kEvents);
  for (const std::string& document : documents) {
    if (!streams) {
      call.answer.push_back({"", document});
    } else {
      call.answer.push_back(
          {"chunk", R"({"bytes":")" + text::base64(document) + R"(","p":"abcdefgh"})"});
    }
  }
  return call;
}

// Longer than a value that is picked may be.
PlayedCall claude_stream() {
  return invoke(
      "anthropic.claude-x",
      {R"({"type":"message_start","message":{"id":"msg_bdrk_1","model":"claude-x-20260701",
       "type":"message","role":"assistant","content":[],"stop_reason":null,"usage":{
       "input_tokens":12,"cache_creation_input_tokens":10,"cache_read_input_tokens":90,
       "output_tokens":1}},"filler":")" +
           std::string(3000, 'f') + R"("})",
       R"({"type":"content_block_start","index":0,"content_block":{"type":"tool_use","id":"toolu_1",
       "name":"get_weather","input":{}}})",
       R"({"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta",
       "partial_json":"{\"city\":\"TOOL\"}"}})",
       R"({"type":"message_delta","delta":{"stop_reason":"tool_use"},"usage":{"output_tokens":30}})",
       R"({"type":"message_stop","amazon-bedrock-invocationMetrics":{"inputTokenCount":12,
       "outputTokenCount":30,"invocationLatency":900,"firstByteLatency":100}})"},
      true);
}

TEST_CASE("bedrock: converse, and tokens of a cache that are counted apart") {
  PlayedCall call = converse(R"({"messages":[{"role":"user","content":[{"text":"TALK"}]}],
      "system":[{"text":"TALK"}],"inferenceConfig":{"maxTokens":512,"temperature":0.5,"topP":0.25,
      "stopSequences":["END","\n"]},"additionalModelRequestFields":{"top_k":20},
      "outputConfig":{"effort":"high","textFormat":{"type":"json_schema"}}})");
  call.answer = {{"", R"({"metrics":{"latencyMs":302},"output":{"message":{"content":[
      {"reasoningContent":{"reasoningText":{"text":"TALK"}}},{"text":"TALK"},
      {"toolUse":{"input":{"city": "TOOL"},"name":"get_weather","toolUseId":"tooluse_a"}},
      {"toolUse":{"input":{},"name":"web","toolUseId":"srv","type":"server_tool_use"}}],
      "role":"assistant"}},"stopReason":"tool_use","usage":{"cacheReadInputTokens":90,
      "cacheWriteInputTokens":10,"inputTokens":12,"outputTokens":30,"totalTokens":142}})"}};
  const std::string off =
      "chat by=aws.bedrock model=us.anthropic.claude-x-v1:0 max=512 temperature=0.500000 "
      "top_p=0.250000 top_k=20 level=high type=json stop=END,\n finish=tool_use input=112 "
      "output=30 "
      "read=90 wrote=10 asked=tooluse_a:get_weather:";
  CHECK(told_of(call) == off);
  CHECK(told_of(call, Capture::kTools) == off + R"({"city":"TOOL"})");
}

TEST_CASE("bedrock: an ARN for a model") {
  PlayedCall call = converse("{}");
  call.path =
      "/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A123456789012%3Aapplication-inference-profile%2Fabc/"
      "converse";
  CHECK(testing::played(call).call().request_model ==
        "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc");
}

TEST_CASE("bedrock: events of a converse stream") {
  CHECK(
      told_of(converse_stream()) ==
      "chat by=aws.bedrock model=us.anthropic.claude-x-v1:0 streamed=yes gave=t0: finish=tool_use "
      "input=112 output=30 read=90 wrote=10 asked=tooluse_a:get_weather:");
  CHECK(told_of(converse_stream(), Capture::kTools) ==
        "chat by=aws.bedrock model=us.anthropic.claude-x-v1:0 streamed=yes "
        R"(gave=t0:TOOL cold{"sky":"TOOL"} finish=tool_use input=112 output=30 read=90 wrote=10 )"
        R"(asked=tooluse_a:get_weather:{"city":"TOOL"})");
}

TEST_CASE("bedrock: errors, of a head and in the middle of a stream") {
  PlayedCall refused = converse("{}");
  refused.head = answer_head(429, "application/json");
  refused.head.headers.add("X-Amzn-ErrorType", "ThrottlingException:http://internal/coral/");
  refused.answer = {{"", R"({"message":"TEXT too many"})"}};
  const std::string as_refused =
      "chat by=aws.bedrock model=us.anthropic.claude-x-v1:0 error=ThrottlingException";
  CHECK(told_of(refused) == as_refused);
  CHECK(told_of(refused, Capture::kAll) == as_refused + " text=TEXT too many");

  for (PlayedCall failing : {converse_stream(), claude_stream()}) {
    failing.answer.resize(1);
    failing.answer.push_back({"modelStreamErrorException", R"({"message":"TEXT it broke"})"});
    const std::string end =
        " finish=error input=112 output=1 read=90 wrote=10 "
        "error=modelStreamErrorException";
    const bool counted = failing.answer[0].event == "chunk";
    const std::string last = counted ? end : " finish=error error=modelStreamErrorException";
    CHECK(told_of(failing).ends_with(last));
    CHECK(told_of(failing, Capture::kAll).ends_with(last + " text=TEXT it broke"));
  }
  PlayedCall invoked = invoke("anthropic.claude-x", {R"({"message":"TEXT no"})"}, false);
  invoked.head.status = 400;
  invoked.head.headers.add("x-amzn-errortype", "ValidationException");
  CHECK(told_of(invoked) ==
        "chat by=aws.bedrock model=anthropic.claude-x error=ValidationException");
  CHECK(told_of(invoked, Capture::kAll).ends_with(" error=ValidationException text=TEXT no"));
}

TEST_CASE("bedrock: what is packed in the chunks of an invoked stream") {
  const std::string off =
      "chat by=aws.bedrock model=anthropic.claude-x streamed=yes answered=claude-x-20260701 "
      "id=msg_bdrk_1 finish=tool_use input=112 output=30 read=90 wrote=10 "
      "asked=toolu_1:get_weather:";
  CHECK(told_of(claude_stream()) == off);
  CHECK(told_of(claude_stream(), Capture::kTools) == off + R"({"city":"TOOL"})");
}

TEST_CASE("bedrock: models that speak otherwise") {
  // Nova: Converse, its events' names inside.
  CHECK(told_of(invoke("us.amazon.nova-pro-v1%3A0",
                       {R"({"messageStart":{"role":"assistant"}})",
                        R"({"contentBlockStart":{"contentBlockIndex":0,"start":{"toolUse":{
                        "toolUseId":"t","name":"f"}}}})",
                        R"({"messageStop":{"stopReason":"tool_use"}})",
                        R"({"metadata":{"usage":{"inputTokens":4,"outputTokens":5,
                        "cacheReadInputTokenCount":2}}})"},
                       true)) ==
        "chat by=aws.bedrock model=us.amazon.nova-pro-v1:0 streamed=yes finish=tool_use input=6 "
        "output=5 read=2 asked=t:f:");
  CHECK(told_of(invoke("meta.llama4-x",
                       {R"({"generation":"TALK","prompt_token_count":9,"generation_token_count":1,
                        "stop_reason":null})",
                        R"({"generation":"","generation_token_count":7,"stop_reason":"length",
                        "amazon-bedrock-invocationMetrics":{"inputTokenCount":9,
                        "outputTokenCount":7}})"},
                       true)) ==
        "chat by=aws.bedrock model=meta.llama4-x streamed=yes finish=length input=9 output=7");
  CHECK(told_of(invoke("amazon.titan-text-express-v1",
                       {R"({"inputTextTokenCount":5,"results":[{"tokenCount":8,"outputText":"TALK",
                        "completionReason":"FINISH"}]})"},
                       false)) ==
        "chat by=aws.bedrock model=amazon.titan-text-express-v1 finish=FINISH input=5 output=8");
  CHECK(
      told_of(invoke("openai.gpt-oss-120b-1%3A0",
                     {R"({"id":"chatcmpl-1","model":"openai.gpt-oss-120b-1:0","choices":[{"index":0,
                        "message":{"role":"assistant","content":"TALK"},"finish_reason":"stop"}],
                        "usage":{"prompt_tokens":7,"completion_tokens":8,"total_tokens":15}})"},
                     false)) ==
      "chat by=aws.bedrock model=openai.gpt-oss-120b-1:0 answered=openai.gpt-oss-120b-1:0 "
      "id=chatcmpl-1 finish=stop input=7 output=8");
}

TEST_CASE("bedrock: models that came to speak like OpenAI, each a little otherwise") {
  PlayedCall mistral =
      invoke("mistral.mistral-large-2407-v1%3A0",
             {R"({"id":"m1","model":"mistral-large-2407","choices":[{"index":0,"message":{
        "role":"assistant","content":"","tool_calls":[{"id":"c1","function":{"name":"f",
        "arguments":"{\"a\":\"TOOL\"}"}}]},"stop_reason":"tool_calls"}],
        "usage":{"prompt_tokens":9,"completion_tokens":4,"total_tokens":13}})"},
             false);
  CHECK(told_of(mistral, Capture::kTools) ==
        "chat by=aws.bedrock model=mistral.mistral-large-2407-v1:0 answered=mistral-large-2407 "
        R"(id=m1 finish=tool_calls input=9 output=4 asked=c1:f:{"a":"TOOL"})");
  CHECK(told_of(invoke("mistral.mistral-7b-instruct-v0%3A2",
                       {R"({"outputs":[{"text":"TALK","stop_reason":"length"}]})"}, false)) ==
        "chat by=aws.bedrock model=mistral.mistral-7b-instruct-v0:2 finish=length");
  CHECK(told_of(invoke("us.deepseek.r1-v1%3A0",
                       {R"({"choices":[{"text":"TALK","stop_reason":null}]})",
                        R"({"choices":[{"text":"","stop_reason":"stop"}],
                        "amazon-bedrock-invocationMetrics":{"inputTokenCount":3,
                        "outputTokenCount":7}})"},
                       true)) ==
        "chat by=aws.bedrock model=us.deepseek.r1-v1:0 streamed=yes finish=stop input=3 output=7");
  CHECK(told_of(invoke("ai21.jamba-1-5-large-v1%3A0",
                       {R"({"id":"j1","choices":[{"index":0,"message":{"role":"assistant",
                        "tool_calls":[{"id":"t1","type":"function","function":{"name":"g",
                        "arguments":"{}"}}]},"finish_reason":"tool_calls"}],
                        "usage":{"prompt_tokens":5,"completion_tokens":6,"total_tokens":11}})"},
                       false)) ==
        "chat by=aws.bedrock model=ai21.jamba-1-5-large-v1:0 id=j1 finish=tool_calls input=5 "
        "output=6 asked=t1:g:");
  CHECK(told_of(invoke("cohere.command-r-plus-v1%3A0",
                       {R"({"text":"TALK","finish_reason":"COMPLETE","tool_calls":[{"name":"f",
                        "parameters":{"a":"TOOL"}},{"name":"g","parameters":{}}]})"},
                       false),
                Capture::kTools) ==
        "chat by=aws.bedrock model=cohere.command-r-plus-v1:0 finish=COMPLETE "
        R"(asked=:f:{"a":"TOOL"} asked=:g:{})");
}

TEST_CASE("bedrock: counts of an answer's head, where its body has none") {
  PlayedCall call =
      invoke("cohere.embed-v4%3A0", {R"({"id":"x","embeddings":{"float":[[1]]}})"}, false);
  call.request = R"({"texts":["TALK"],"output_dimension":256,"embedding_types":["float"]})";
  call.head.headers.add("X-Amzn-Bedrock-Input-Token-Count", "3");
  call.head.headers.add("X-Amzn-Bedrock-Output-Token-Count", "-1");
  CHECK(told_of(call) ==
        "embeddings by=aws.bedrock model=cohere.embed-v4:0 dimensions=256 formats=float input=3");
}

TEST_CASE("bedrock: cut at every byte, and of other types") {
  CHECK(testing::grows_with_its_answer(converse_stream(), Capture::kAll));
  PlayedCall call = claude_stream();
  call.answer[0].text = R"({"bytes":")" + text::base64(R"({"type":"message_start"})") + R"("})";
  CHECK(testing::grows_with_its_answer(call, Capture::kAll));
  call.answer = {{"chunk", R"({"bytes":{"bytes":"e30="},"more":[{"bytes":"e30="}]})"},
                 {"chunk", R"({"bytes":7})"},
                 {"chunk", R"({"bytes":"****"})"},
                 {"chunk", R"([])"},
                 {"chunk", R"(no JSON)"},
                 {"Exception", R"({"message":{}})"}};
  CHECK(told_of(call, Capture::kAll) ==
        "chat by=aws.bedrock model=anthropic.claude-x streamed=yes finish=error error=Exception");
}

class Texts final : public json::Handler {
 public:
  void on_key(std::string_view key) override { all.append(key).append("="); }
  void on_text(std::string_view part, bool last) override {
    all.append(part).append(last ? ";" : "");
  }
  std::string all;
};

struct Unpacked {
  std::string all;
  bool whole;
  bool operator==(const Unpacked&) const = default;
};

Unpacked unpack(std::string_view outer, const testing::Cut& cut) {
  Texts texts;
  PackedJson packed("bytes", texts);
  packed.begin();
  testing::feed(packed, outer, cut);
  return {texts.all, packed.whole()};
}

TEST_CASE("packed JSON: only the first member of that name, at the top, and up to its end") {
  struct Row {
    std::string outer;
    Unpacked wanted;
  };
  const std::string one = text::base64(R"({"a":"x"})");
  const std::string two = text::base64(R"({"a":"xy"})");
  const std::string three = text::base64(R"({"a":"xyz"})");
  const std::vector<Row> rows = {
      {R"({"bytes":")" + one + R"("})", {"a=x;", true}},
      {R"({"p":"cGFk","bytes":")" + two + R"(","p":"cGFk"})", {"a=xy;", true}},
      {R"({"bytes":")" + three + R"("})", {"a=xyz;", true}},
      {R"({"bytes":")" + one + R"(","bytes":")" + two + R"("})", {"a=x;", true}},
      {R"({"in":{"bytes":")" + one + R"("}})", {"", false}},
      {R"([{"bytes":")" + one + R"("}])", {"", false}},
      {R"({"bytes":[")" + one + R"("]})", {"", false}},
      {R"({"bytes":"e30=garbage"})", {"", true}},
      {R"({"bytes":"eyJhIjoi!InhIn0="})", {"a=", false}},
      {R"({"bytes":")" + one.substr(0, 8) + R"("})", {"a=", false}},
      {R"({"bytes":""})", {"", false}},
      {R"({"bytes":"\u0065\u0033\u0030="})", {"", true}},
  };
  for (const Row& row : rows) {
    CAPTURE(row.outer);
    for (const testing::Cut& cut : {testing::Cut{}, testing::Cut{1}, testing::Cut{3},
                                    testing::Cut{5, 1}, testing::Cut{9, 2}}) {
      CHECK(unpack(row.outer, cut) == row.wanted);
    }
  }
}

TEST_CASE("packed JSON: one that is longer than a piece, and one after the other") {
  const std::string words(5000, 'w');
  const std::string outer = R"({"bytes":")" + text::base64(R"({"a":")" + words + R"("})") + R"("})";
  CHECK(unpack(outer, {}) == Unpacked{"a=" + words + ";", true});
  CHECK(unpack(outer, {.size = 700, .seed = 1}) == Unpacked{"a=" + words + ";", true});

  Texts texts;
  PackedJson packed("bytes", texts);
  for (int i = 0; i < 3; ++i) {
    packed.begin();
    testing::feed(packed, R"({"bytes":"eyJhIjoieCJ)", {});  // without its end
    CHECK_FALSE(packed.whole());
    packed.begin();
    testing::feed(packed, R"({"bytes":"eyJhIjoieCJ9"})", {});
    CHECK(packed.whole());
  }
}

}  // namespace
}  // namespace sidespan::semconv::genai
