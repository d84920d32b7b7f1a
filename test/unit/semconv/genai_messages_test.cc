#include <doctest/doctest.h>

#include <algorithm>
#include <iterator>
#include <string>
#include <vector>

#include "genai_rig.h"
#include "semconv/genai/call_draft.h"
#include "sidespan/trace/span.h"

namespace sidespan::semconv::genai {
namespace {

using testing::answer_head;
using testing::CallDocument;
using testing::PlayedCall;

struct Shown {
  std::string system;
  std::string input;
  std::string output;
  bool operator==(const Shown&) const = default;
};

Shown shown(const CallReader& call, trace::AttributeLimits limits = {}) {
  trace::Span span;
  span.attributes = trace::Attributes(limits);
  call.describe(span);
  const auto text = [&](std::string_view key) { return std::string(span.attributes.text(key)); };
  return {text("gen_ai.system_instructions"), text("gen_ai.input.messages"),
          text("gen_ai.output.messages")};
}

PlayedCall call_of(const std::string& host, const std::string& path, const std::string& request,
                   std::vector<std::string> answer) {
  PlayedCall call{.host = host, .path = path, .request = request};
  call.head = answer_head(200, answer.size() > 1 ? "text/event-stream" : "application/json");
  for (std::string& text : answer) call.answer.push_back({.text = std::move(text)});
  return call;
}

const std::string kBedrock = "bedrock-runtime.us-east-1.amazonaws.com";

const std::string kChatRequest = R"({"model":"m","messages":[
    {"role":"system","content":"Be brief."},
    {"role":"user","content":[{"type":"text","text":"Weather in \"Oslo\"?"},{"type":"image_url"}]},
    {"content":null,"tool_calls":[{"id":"c1","type":"function","function":{"name":"weather",
     "arguments":"{\"city\":\"Oslo\",\"api_key\":\"SECRET\"}"}}],"role":"assistant"},
    {"role":"tool","tool_call_id":"c1","content":"rain"}]})";
const std::string kChatInput =
    R"([{"role":"system","parts":[{"type":"text","content":"Be brief."}]},)"
    R"({"role":"user","parts":[{"type":"text","content":"Weather in \"Oslo\"?"}]},)"
    R"({"role":"assistant","parts":[{"type":"tool_call","id":"c1","name":"weather",)"
    R"("arguments":{"city":"Oslo","api_key":"REDACTED"}}]},)"
    R"({"role":"tool","parts":[{"type":"tool_call_response","id":"c1","response":"rain"}]}])";

const std::string kResponsesRequest = R"({"model":"m","instructions":"Be brief.","input":[
    {"role":"user","content":[{"type":"input_text","text":"Hi"}]},
    {"type":"reasoning","summary":[{"type":"summary_text","text":"hm"}]},
    {"type":"function_call","call_id":"c1","name":"f","arguments":"{}"},
    {"type":"function_call_output","call_id":"c1","output":"{\"a\":1}"}]})";
const std::string kResponsesInput =
    R"([{"role":"user","parts":[{"type":"text","content":"Hi"}]},)"
    R"({"role":"assistant","parts":[{"type":"reasoning","content":"hm"}]},)"
    R"({"role":"assistant","parts":[{"type":"tool_call","id":"c1","name":"f","arguments":{}}]},)"
    R"({"role":"tool","parts":[{"type":"tool_call_response","id":"c1","response":{"a":1}}]}])";
const std::string kResponsesAnswer = R"({"id":"r","status":"completed","output":[
    {"type":"reasoning","summary":[{"type":"summary_text","text":"so"}]},
    {"type":"message","role":"assistant","content":[{"type":"output_text","text":"Hello"}]},
    {"type":"function_call","call_id":"c2","name":"g","arguments":"{\"b\":2}"}]})";
const std::string kResponsesOutput =
    R"([{"role":"assistant","parts":[{"type":"reasoning","content":"so"},)"
    R"({"type":"text","content":"Hello"},)"
    R"({"type":"tool_call","id":"c2","name":"g","arguments":{"b":2}}],)"
    R"("finish_reason":"completed"}])";

const std::string kAnthropicRequest = R"({"model":"m","system":[{"type":"text","text":"Be brief."}],
    "messages":[{"role":"user","content":"Hi"},
    {"role":"assistant","content":[{"type":"thinking","thinking":"hm"},{"type":"text","text":"Ok"},
     {"type":"tool_use","id":"t1","name":"f","input":{"a":[1,2]}}]},
    {"role":"user","content":[{"type":"tool_result","tool_use_id":"t1",
     "content":[{"type":"text","text":"3"}]},{"type":"text","text":"And?"}]}]})";
const std::string kAnthropicInput =
    R"([{"role":"user","parts":[{"type":"text","content":"Hi"}]},)"
    R"({"role":"assistant","parts":[{"type":"reasoning","content":"hm"},)"
    R"({"type":"text","content":"Ok"},)"
    R"({"type":"tool_call","id":"t1","name":"f","arguments":{"a":[1,2]}}]},)"
    R"({"role":"user","parts":[{"type":"tool_call_response","id":"t1","response":"3"},)"
    R"({"type":"text","content":"And?"}]}])";
const std::string kAnthropicOutput =
    R"([{"role":"assistant","parts":[{"type":"reasoning","content":"so"},)"
    R"({"type":"text","content":"Hello"},)"
    R"({"type":"tool_call","id":"t2","name":"g","arguments":{"b":2}}],)"
    R"("finish_reason":"tool_use"}])";
const std::string kBrief = R"([{"type":"text","content":"Be brief."}])";

const std::string kChatPath = "/v1/chat/completions";
const std::string kThinkingRequest = R"({"model":"m","messages":[
    {"role":"user","content":"Hi"},
    {"role":"assistant","content":[{"type":"thinking","thinking":[{"type":"text","text":"hm"}]},
     {"type":"text","text":"Ok"}]},
    {"role":"assistant","reasoning_content":"well","content":"Go on."}]})";
const std::string kThinkingInput =
    R"([{"role":"user","parts":[{"type":"text","content":"Hi"}]},)"
    R"({"role":"assistant","parts":[{"type":"reasoning","content":"hm"},)"
    R"({"type":"text","content":"Ok"}]},)"
    R"({"role":"assistant","parts":[{"type":"reasoning","content":"well"},)"
    R"({"type":"text","content":"Go on."}]}])";
const std::string kThinkingOutput =
    R"([{"role":"assistant","parts":[{"type":"reasoning","content":"so"},)"
    R"({"type":"text","content":"Hello"}],"finish_reason":"stop"}])";

struct Row {
  const char* name;
  PlayedCall call;
  Shown wanted;
};

std::vector<Row> rows() {
  const std::string chat_output =
      R"([{"role":"assistant","parts":[{"type":"text","content":"Hello"}],"finish_reason":"stop"},)"
      R"({"role":"assistant","parts":[{"type":"tool_call","id":"c2","name":"g",)"
      R"("arguments":{"b":2}}],"finish_reason":"tool_calls"}])";
  return {
      {"chat",
       call_of("api.openai.com", "/v1/chat/completions", kChatRequest,
               {R"({"choices":[{"index":0,"finish_reason":"stop","message":{"content":"Hello"}},
                  {"index":1,"finish_reason":"tool_calls","message":{"content":null,"tool_calls":[
                  {"id":"c2","function":{"name":"g","arguments":"{\"b\":2}"}}]}}]})"}),
       {"", kChatInput, chat_output}},
      {"chat, streamed",
       call_of("api.openai.com", "/v1/chat/completions", kChatRequest,
               {R"({"choices":[{"index":0,"delta":{"content":"Hel"}}]})",
                R"({"choices":[{"index":1,"delta":{"tool_calls":[{"index":0,"id":"c2",
                   "function":{"name":"g","arguments":"{\"b\""}}]}}]})",
                R"({"choices":[{"index":0,"delta":{"content":"lo"},"finish_reason":"stop"}]})",
                R"({"choices":[{"index":1,"delta":{"tool_calls":[{"index":0,
                   "function":{"arguments":":2}"}}]},"finish_reason":"tool_calls"}]})"}),
       {"", kChatInput, chat_output}},
      {"responses",
       call_of("api.openai.com", "/v1/responses", kResponsesRequest, {kResponsesAnswer}),
       {kBrief, kResponsesInput, kResponsesOutput}},
      {"responses, streamed",
       call_of("api.openai.com", "/v1/responses", kResponsesRequest,
               {R"({"type":"response.output_text.delta","delta":"Hel"})",
                R"({"type":"response.output_text.delta","delta":"lo"})",
                R"({"type":"response.completed","response":)" + kResponsesAnswer + "}"}),
       {kBrief, kResponsesInput, kResponsesOutput}},
      {"anthropic",
       call_of("api.anthropic.com", "/v1/messages", kAnthropicRequest,
               {R"({"role":"assistant","content":[{"type":"thinking","thinking":"so"},
                  {"type":"text","text":"Hello"},
                  {"type":"tool_use","id":"t2","name":"g","input":{"b":2}}],
                  "stop_reason":"tool_use"})"}),
       {kBrief, kAnthropicInput, kAnthropicOutput}},
      {"gemini",
       call_of("generativelanguage.googleapis.com", "/v1beta/models/m:generateContent",
               R"({"systemInstruction":{"parts":[{"text":"Be brief."}]},"contents":[
                  {"role":"user","parts":[{"text":"Hi"},{"inlineData":{"data":"AAAA"}}]},
                  {"role":"model","parts":[{"text":"hm","thought":true},
                   {"functionCall":{"name":"f","args":{"a":1}}}]},
                  {"role":"user","parts":[{"functionResponse":{"name":"f","response":{"r":3}}}]}]})",
               {R"({"candidates":[{"content":{"parts":[{"thought":true,"text":"so"},
                  {"text":"Hello"},{"functionCall":{"id":"g1","name":"g","args":{"b":2}}}]},
                  "finishReason":"STOP","index":0}]})"}),
       {kBrief,
        R"([{"role":"user","parts":[{"type":"text","content":"Hi"}]},)"
        R"({"role":"assistant","parts":[{"type":"reasoning","content":"hm"},)"
        R"({"type":"tool_call","name":"f","arguments":{"a":1}}]},)"
        R"({"role":"user","parts":[{"type":"tool_call_response","id":"f","response":{"r":3}}]}])",
        R"([{"role":"assistant","parts":[{"type":"reasoning","content":"so"},)"
        R"({"type":"text","content":"Hello"},)"
        R"({"type":"tool_call","id":"g1","name":"g","arguments":{"b":2}}],"finish_reason":"STOP"}])"}},
      {"anthropic, streamed",
       call_of(
           "api.anthropic.com", "/v1/messages", kAnthropicRequest,
           {R"({"type":"message_start","message":{"role":"assistant","content":[]}})",
            R"({"type":"content_block_start","index":0,"content_block":{"type":"thinking",
               "thinking":""}})",
            R"({"type":"content_block_delta","index":0,"delta":{"thinking":"so"}})",
            R"({"type":"content_block_start","index":1,"content_block":{"type":"text","text":""}})",
            R"({"type":"content_block_delta","index":1,"delta":{"text":"Hel"}})",
            R"({"type":"content_block_delta","index":1,"delta":{"text":"lo"}})",
            R"({"type":"content_block_start","index":2,"content_block":{"type":"tool_use",
               "id":"t2","name":"g","input":{}}})",
            R"({"type":"content_block_delta","index":2,"delta":{"partial_json":"{\"b\":2}"}})",
            R"({"type":"message_delta","delta":{"stop_reason":"tool_use"}})"}),
       {kBrief, kAnthropicInput, kAnthropicOutput}},
  };
}

const std::string kConverseRequest = R"({"system":[{"text":"Be brief."},{"cachePoint":{}}],
    "messages":[{"role":"user","content":[{"text":"Hi"},{"image":{"format":"png"}}]},
    {"role":"assistant","content":[{"reasoningContent":{"reasoningText":{"text":"hm",
     "signature":"s"}}},{"text":"Ok"},
     {"toolUse":{"toolUseId":"w0","name":"web","type":"server_tool_use","input":{}}},
     {"toolUse":{"toolUseId":"t1","name":"f","input":{"a":[1,2]}}}]},
    {"role":"user","content":[{"toolResult":{"toolUseId":"t1","content":[{"text":"3"}]}},
     {"toolResult":{"toolUseId":"t2","content":[{"json":{"pwd":"SECRET"}}]}},{"text":"And?"}]}]})";
const Shown kConverse = {
    kBrief,
    R"([{"role":"user","parts":[{"type":"text","content":"Hi"}]},)"
    R"({"role":"assistant","parts":[{"type":"reasoning","content":"hm"},)"
    R"({"type":"text","content":"Ok"},)"
    R"({"type":"tool_call","id":"t1","name":"f","arguments":{"a":[1,2]}}]},)"
    R"({"role":"user","parts":[{"type":"tool_call_response","id":"t1","response":"3"},)"
    R"({"type":"tool_call_response","id":"t2","response":{"pwd":"REDACTED"}},)"
    R"({"type":"text","content":"And?"}]}])",
    kAnthropicOutput};

const std::string kCohereRequest = R"({"model":"m","messages":[
    {"role":"system","content":"Be brief."},
    {"role":"user","content":[{"type":"text","text":"Hi"},{"type":"image_url"}]},
    {"role":"assistant","tool_plan":"hm","tool_calls":[{"id":"c1","type":"function",
     "function":{"name":"f","arguments":"{\"a\":1}"}},{"id":"c2","type":"function",
     "function":{"name":"g","arguments":"{}"}}]},
    {"role":"tool","tool_call_id":"c1","content":"3"},
    {"role":"tool","tool_call_id":"c2","content":[{"type":"document","document":{"data":{"b":4}}}]},
    {"role":"assistant","content":[{"type":"thinking","thinking":"so"},
     {"type":"text","text":"Ok"}]}]})";
const std::string kCohereInput =
    R"([{"role":"system","parts":[{"type":"text","content":"Be brief."}]},)"
    R"({"role":"user","parts":[{"type":"text","content":"Hi"}]},)"
    R"({"role":"assistant","parts":[{"type":"reasoning","content":"hm"},)"
    R"({"type":"tool_call","id":"c1","name":"f","arguments":{"a":1}},)"
    R"({"type":"tool_call","id":"c2","name":"g","arguments":{}}]},)"
    R"({"role":"tool","parts":[{"type":"tool_call_response","id":"c1","response":"3"}]},)"
    R"({"role":"tool","parts":[{"type":"tool_call_response","id":"c2","response":{"b":4}}]},)"
    R"({"role":"assistant","parts":[{"type":"reasoning","content":"so"},)"
    R"({"type":"text","content":"Ok"}]}])";
const std::string kCohereOutput =
    R"([{"role":"assistant","parts":[{"type":"reasoning","content":"so"},)"
    R"({"type":"text","content":"Hello"},)"
    R"({"type":"tool_call","id":"c3","name":"g","arguments":{"b":2}}],)"
    R"("finish_reason":"TOOL_CALL"}])";

const std::string kOllamaRequest = R"({"model":"m","messages":[
    {"role":"system","content":"Be brief."},
    {"role":"user","content":"Hi","images":["AAAA"]},
    {"role":"assistant","content":"","thinking":"hm","tool_calls":[
     {"function":{"name":"f","arguments":{"a":1}}},
     {"id":"c2","function":{"name":"g","arguments":{}}}]},
    {"role":"tool","tool_name":"f","content":"3"},
    {"role":"tool","tool_call_id":"c2","tool_name":"g","content":"4"}]})";
const std::string kOllamaInput =
    R"([{"role":"system","parts":[{"type":"text","content":"Be brief."}]},)"
    R"({"role":"user","parts":[{"type":"text","content":"Hi"}]},)"
    R"({"role":"assistant","parts":[{"type":"reasoning","content":"hm"},)"
    R"({"type":"tool_call","name":"f","arguments":{"a":1}},)"
    R"({"type":"tool_call","id":"c2","name":"g","arguments":{}}]},)"
    R"({"role":"tool","parts":[{"type":"tool_call_response","id":"f","response":"3"}]},)"
    R"({"role":"tool","parts":[{"type":"tool_call_response","id":"c2","response":"4"}]}])";
const std::string kOllamaOutput =
    R"([{"role":"assistant","parts":[{"type":"reasoning","content":"so"},)"
    R"({"type":"text","content":"Hello"},)"
    R"({"type":"tool_call","name":"g","arguments":{"b":2}}],"finish_reason":"stop"}])";

PlayedCall converse_stream() {
  PlayedCall call = call_of(kBedrock, "/model/m/converse-stream", kConverseRequest, {});
  call.head = answer_head(200, "application/vnd.amazon.eventstream");
  call.answer = {
      {"messageStart", R"({"role":"assistant"})"},
      {"contentBlockDelta",
       R"({"contentBlockIndex":0,"delta":{"reasoningContent":{"text":"so"}}})"},
      {"contentBlockDelta",
       R"({"contentBlockIndex":0,"delta":{"reasoningContent":{"signature":"s"}}})"},
      {"contentBlockDelta", R"({"contentBlockIndex":1,"delta":{"text":"Hel"}})"},
      {"contentBlockDelta", R"({"delta":{"text":"lo"},"contentBlockIndex":1})"},
      {"contentBlockStart",
       R"({"contentBlockIndex":2,"start":{"toolUse":{"toolUseId":"t2","name":"g"}}})"},
      {"contentBlockDelta", R"({"contentBlockIndex":2,"delta":{"toolUse":{"input":"{\"b\":2}"}}})"},
      {"messageStop", R"({"stopReason":"tool_use"})"}};
  return call;
}

std::vector<Row> rows_of_others() {
  const std::string cohere = "api.cohere.com";
  const std::string ollama = "localhost";
  const std::string mistral = "api.mistral.ai";
  return {
      {"converse",
       call_of(kBedrock, "/model/m/converse", kConverseRequest,
               {R"({"output":{"message":{"role":"assistant","content":[
                  {"reasoningContent":{"reasoningText":{"text":"so"}}},{"text":"Hello"},
                  {"toolUse":{"toolUseId":"t2","name":"g","input":{"b":2}}}]}},
                  "stopReason":"tool_use"})"}),
       kConverse},
      {"converse, streamed", converse_stream(), kConverse},
      {"gemini, by the fields' other names",
       call_of("generativelanguage.googleapis.com", "/v1beta/models/m:generateContent",
               R"({"system_instruction":{"parts":[{"text":"Be brief."}]},"contents":[
                  {"role":"user","parts":[{"text":"Hi"}]},
                  {"role":"model","parts":[{"function_call":{"id":"c1","name":"f","args":{"a":1}}}]},
                  {"role":"user","parts":[{"function_response":{"id":"c1","name":"f",
                   "response":{"result":3}}}]}]})",
               {R"({"candidates":[{"content":{"parts":[{"text":"Hello"}]},
                  "finishReason":"STOP"}]})"}),
       {kBrief,
        R"([{"role":"user","parts":[{"type":"text","content":"Hi"}]},)"
        R"({"role":"assistant","parts":[{"type":"tool_call","id":"c1","name":"f",)"
        R"("arguments":{"a":1}}]},)"
        R"({"role":"user","parts":[{"type":"tool_call_response","id":"c1",)"
        R"("response":{"result":3}}]}])",
        R"([{"role":"assistant","parts":[{"type":"text","content":"Hello"}],)"
        R"("finish_reason":"STOP"}])"}},
      {"mistral, thinking",
       call_of(mistral, kChatPath, kThinkingRequest,
               {R"({"choices":[{"index":0,"finish_reason":"stop","message":{"role":"assistant",
                  "content":[{"type":"thinking","thinking":[{"type":"text","text":"s"},
                  {"type":"text","text":"o"}]},{"type":"text","text":"Hello"}]}}]})"}),
       {"", kThinkingInput, kThinkingOutput}},
      {"mistral, thinking, streamed",
       call_of(mistral, kChatPath, kThinkingRequest,
               {R"({"choices":[{"index":0,"delta":{"role":"assistant","content":[
                  {"type":"thinking","thinking":[{"type":"text","text":"s"}]}]}}]})",
                R"({"choices":[{"index":0,"delta":{"content":[{"type":"thinking","thinking":[
                  {"type":"text","text":"o"}]}]}}]})",
                R"({"choices":[{"index":0,"delta":{"content":"Hel"}}]})",
                R"({"choices":[{"index":0,"delta":{"content":[{"type":"text","text":"lo"}]},
                  "finish_reason":"stop"}]})"}),
       {"", kThinkingInput, kThinkingOutput}},
      {"cohere",
       call_of(cohere, "/v2/chat", kCohereRequest,
               {R"({"id":"i","finish_reason":"TOOL_CALL","message":{"role":"assistant",
                  "tool_plan":"so","content":[{"type":"text","text":"Hello"}],"tool_calls":[
                  {"id":"c3","function":{"name":"g","arguments":"{\"b\":2}"}}]}})"}),
       {"", kCohereInput, kCohereOutput}},
      {"cohere, streamed",
       call_of(cohere, "/v2/chat", kCohereRequest,
               {R"({"type":"message-start","delta":{"message":{"role":"assistant","content":[],
                  "tool_plan":"","tool_calls":[]}}})",
                R"({"type":"tool-plan-delta","delta":{"message":{"tool_plan":"s"}}})",
                R"({"type":"content-start","index":0,"delta":{"message":{"content":{
                  "type":"thinking","thinking":""}}}})",
                R"({"type":"content-delta","index":0,"delta":{"message":{"content":{
                  "thinking":"o"}}}})",
                R"({"type":"content-delta","index":1,"delta":{"message":{"content":{
                  "text":"Hel"}}}})",
                R"({"type":"content-delta","index":1,"delta":{"message":{"content":{
                  "text":"lo"}}}})",
                R"({"type":"tool-call-start","index":0,"delta":{"message":{"tool_calls":{
                  "id":"c3","function":{"name":"g","arguments":""}}}}})",
                R"({"type":"tool-call-delta","index":0,"delta":{"message":{"tool_calls":{
                  "function":{"arguments":"{\"b\":2}"}}}}})",
                R"({"type":"message-end","delta":{"finish_reason":"TOOL_CALL"}})"}),
       {"", kCohereInput, kCohereOutput}},
      {"ollama",
       call_of(ollama, "/api/chat", kOllamaRequest,
               {R"({"model":"m","message":{"role":"assistant","thinking":"so","content":"Hello",
                  "tool_calls":[{"function":{"name":"g","arguments":{"b":2}}}]},"done":true,
                  "done_reason":"stop"})"}),
       {"", kOllamaInput, kOllamaOutput}},
      {"ollama, streamed",
       call_of(ollama, "/api/chat", kOllamaRequest,
               {R"({"model":"m","message":{"role":"assistant","content":"","thinking":"so"}})",
                R"({"model":"m","message":{"content":"Hel"},"done":false})",
                R"({"model":"m","message":{"content":"lo"},"done":false})",
                R"({"model":"m","message":{"content":"","tool_calls":[{"function":{"name":"g",
                  "arguments":{"b":2}}}]},"done":false})",
                R"({"model":"m","message":{"content":""},"done":true,"done_reason":"stop"})"}),
       {"", kOllamaInput, kOllamaOutput}},
      {"ollama, of a prompt",
       call_of(ollama, "/api/generate", R"({"model":"m","system":"Be brief.","prompt":"Hi"})",
               {R"({"model":"m","response":"Hel","thinking":"so","done":false})",
                R"({"model":"m","response":"lo","done":true,"done_reason":"stop"})"}),
       {kBrief, R"([{"role":"user","parts":[{"type":"text","content":"Hi"}]}])",
        R"([{"role":"assistant","parts":[{"type":"reasoning","content":"so"},)"
        R"({"type":"text","content":"Hello"}],"finish_reason":"stop"}])"}},
  };
}

TEST_CASE("messages: under `all` a span shows what was said, in the shape of the convention") {
  std::vector<Row> all_rows = rows();
  std::ranges::move(rows_of_others(), std::back_inserter(all_rows));
  for (const Row& row : all_rows) {
    CAPTURE(row.name);
    for (const testing::Cut& cut : {testing::Cut{}, testing::Cut{1}, testing::Cut{9, 3}}) {
      const Shown all = shown(testing::played(row.call, cut, Capture::kAll));
      CHECK(all.system == row.wanted.system);
      CHECK(all.input == row.wanted.input);
      CHECK(all.output == row.wanted.output);
    }
    for (const Capture less : {Capture::kOff, Capture::kTools}) {
      CHECK(shown(testing::played(row.call, {}, less)) == Shown{});
    }
  }
}

TEST_CASE("messages: each text is cut, and of many messages the newest stay") {
  std::string request = R"({"model":"m","messages":[)";
  for (int i = 0; i < 200; ++i) {
    request +=
        R"({"role":"user","content":")" + std::to_string(i) + std::string(5000, 'w') + "\"},";
  }
  request += R"({"role":"user","content":"last"}]})";
  const std::string answer =
      R"({"choices":[{"index":0,"message":{"content":")" + std::string(5000, 'a') + "\"}}]}";
  const PlayedCall call = call_of("api.openai.com", "/v1/chat/completions", request, {answer});
  const Shown all = shown(testing::played(call, {}, Capture::kAll));
  CHECK(all.input.size() < size_t{18} * 1024);
  CHECK(all.input.ends_with(R"("content":"last"}]}])"));
  CHECK(all.input.find(std::string(1025, 'w')) == std::string::npos);
  CHECK(all.output.find(std::string(1024, 'a')) != std::string::npos);
  CHECK(all.output.size() < 1200);
}

size_t text_bytes(const Message& message) {
  size_t bytes = 0;
  for (const Part& part : message.parts) bytes += part.text.size();
  return bytes;
}

TEST_CASE("messages: however long a text may be, all of a call have their room, as they are read") {
  constexpr size_t kTextBytes = size_t{16} * 1024;
  const std::string text(kTextBytes, 'w');
  const json::Picked picked{.kind = json::Picked::Kind::kText, .text = text};
  CallDraft draft(Capture::kAll, kTextBytes);
  for (int i = 0; i < 3; ++i) {
    Message message{.role = "user"};
    for (int part = 0; part < 16; ++part) {
      draft.add_text(message, picked);
      // What an added part has grown by is known with the next.
      size_t bytes = text_bytes(message);
      for (const Message& known : draft.call.messages) bytes += text_bytes(known);
      CHECK(bytes <= CallDraft::kContentRoomMax + kTextBytes);
    }
    draft.add_message(std::move(message));
    CHECK(draft.call.messages.size() == 1);
    CHECK(text_bytes(draft.call.messages.back()) > 2 * kTextBytes);
    CHECK(text_bytes(draft.call.messages.back()) < CallDraft::kContentRoomMax);
  }
  Message brief{.role = "user"};
  draft.add_text(brief, {.kind = json::Picked::Kind::kText, .text = "Hi"});
  draft.add_message(std::move(brief));
  CHECK(draft.call.messages.size() == 1);
  draft.add_output(0, text);
  draft.add_output(1, text);
  draft.add_output(2, text);
  draft.add_output(3, text);
  CHECK(draft.call.messages.empty());
  size_t said = 0;
  for (const Output& output : draft.call.outputs) said += output.text.size();
  CHECK(said == CallDraft::kContentRoomMax);
}

TEST_CASE("messages: a call beyond the parts of one leaves the others as they are") {
  std::string request = R"({"model":"m","messages":[{"role":"assistant","tool_calls":[)";
  for (int i = 0; i < 20; ++i) {
    request.append(i == 0 ? "" : ",").append(R"({"id":"c)").append(std::to_string(i));
    request.append(R"(","function":{"name":"f","arguments":"{}"}})");
  }
  request.append("]}]}");
  const PlayedCall call = call_of("api.openai.com", "/v1/chat/completions", request, {"{}"});
  const CallReader reader = testing::played(call, {}, Capture::kAll);
  REQUIRE(reader.call().messages.size() == 1);
  const std::vector<Part>& parts = reader.call().messages.front().parts;
  REQUIRE(parts.size() == 16);
  CHECK(parts.back().id == "c15");
  CHECK(parts.back().text == "{}");
}

TEST_CASE("messages: what is too long for an attribute is JSON still, or is not there") {
  const PlayedCall call =
      call_of("api.openai.com", "/v1/responses", kResponsesRequest, {kResponsesAnswer});
  const auto within = [&](size_t bytes) {
    return shown(testing::played(call, {}, Capture::kAll), {.value_bytes_max = bytes});
  };
  CHECK(within(kResponsesInput.size()) == Shown{kBrief, kResponsesInput, kResponsesOutput});
  const std::string newest =
      R"([{"role":"tool","parts":[{"type":"tool_call_response","id":"c1","response":{"a":1}}]}])";
  const std::string less =
      R"([{"role":"assistant","parts":[{"type":"reasoning","content":"hm"}]},)"
      R"({"role":"assistant","parts":[{"type":"tool_call","id":"c1","name":"f","arguments":{}}]},)" +
      newest.substr(1);
  CHECK(within(kResponsesInput.size() - 1) == Shown{kBrief, less, kResponsesOutput});
  CHECK(within(newest.size()) == Shown{kBrief, newest, ""});
  CHECK(within(newest.size() - 1) == Shown{kBrief, "", ""});
  CHECK(within(kBrief.size() - 1) == Shown{});
}

}  // namespace
}  // namespace sidespan::semconv::genai
