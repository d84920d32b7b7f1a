#include <doctest/doctest.h>

#include <string>

#include "genai_rig.h"
#include "sidespan/semconv/attributes.h"

namespace sidespan::semconv::genai {
namespace {

using testing::answer_head;
using testing::PlayedCall;
using testing::told_of;

PlayedCall chat(std::string request) {
  return {.host = "localhost",
          .path = "/api/chat",
          .request = std::move(request),
          .head = answer_head(200, "application/x-ndjson")};
}

PlayedCall tools() {
  PlayedCall call = chat(R"({"model":"qwen3","messages":[
      {"role":"user","content":"TALK"},
      {"role":"assistant","content":"","tool_calls":[{"function":{"name":"old","arguments":{}}}]},
      {"role":"tool","tool_name":"old","content":"TOOL old"},
      {"role":"assistant","content":"TALK"},
      {"role":"user","content":"TALK"},
      {"role":"assistant","content":"","tool_calls":[{"function":{"name":"get_weather",
       "arguments":{"city":"Rome"}}}]},
      {"role":"tool","tool_name":"get_weather","content":"TOOL 11 degrees"},
      {"role":"tool","tool_call_id":"call_7","tool_name":"get_time","content":"TOOL noon"}]})");
  call.answer = {
      {"", R"({"model":"qwen3","created_at":"2026-11-20T12:00:00Z","message":{"role":"assistant",
           "content":"","thinking":"TALK"},"done":false})"},
      {"", R"({"model":"qwen3","message":{"role":"assistant","content":"","tool_calls":[
           {"function":{"index":0,"name":"get_weather","arguments":{"city": "Oslo"}}}]},"done":false})"},
      {"", R"({"model":"qwen3","message":{"role":"assistant","content":"","tool_calls":[
           {"id":"call_8","function":{"index":1,"name":"get_time","arguments":{}}}]},"done":false})"},
      {"", R"({"model":"qwen3","message":{"role":"assistant","content":""},"done":true,
           "done_reason":"stop","total_duration":5043500667,"load_duration":5025959,
           "prompt_eval_count":126,"prompt_eval_duration":325953000,"eval_count":31,
           "eval_duration":4709213000})"}};
  return call;
}

TEST_CASE("an Ollama server that does not say why it ended has ended all the same") {
  PlayedCall call;
  call.host = "localhost:11434";
  call.path = "/api/chat";
  call.request = R"({"model":"m"})";
  call.head = answer_head(200, "application/x-ndjson");
  call.answer = {{"", R"({"model":"m","message":{"role":"assistant","content":"a"},"done":false})"},
                 {"", R"({"model":"m","done":true,"prompt_eval_count":26,"eval_count":64})"}};
  CHECK(testing::told_of(call).ends_with("answered=m input=26 output=64"));
  CHECK_FALSE(testing::played(call).call().usage_partial);
  call.answer.pop_back();
  CHECK(testing::told_of(call).ends_with("finish=error"));
  CHECK(testing::played(call).call().usage_partial);
}

TEST_CASE("ollama: lines of a chat, and its parameters among options") {
  PlayedCall call = chat(R"({"model":"llama3.2","stream":true,"think":"high","format":"json",
      "options":{"num_predict":64,"temperature":0.5,"top_p":0.25,"top_k":40,"seed":7,
      "frequency_penalty":0.5,"presence_penalty":1.5,"stop":["\n","END"],"num_ctx":4096},
      "messages":[{"role":"user","content":"TALK","images":["aGk="]}],"keep_alive":"5m"})");
  call.answer = {
      {"", R"({"model":"llama3.2","message":{"role":"assistant","content":"TALK"},"done":false})"},
      {"", R"({"model":"llama3.2","message":{"role":"assistant","content":""},"done":true,
           "done_reason":"length","prompt_eval_count":26,"eval_count":64})"}};
  CHECK(told_of(call) ==
        "chat by=ollama model=llama3.2 streamed=yes max=64 temperature=0.500000 top_p=0.250000 "
        "top_k=40 frequency=0.500000 presence=1.500000 seed=7 level=high type=json stop=\n,END "
        "answered=llama3.2 finish=length input=26 output=64");
}

TEST_CASE("ollama: one object, a schema, and a limit that is none") {
  PlayedCall call = chat(R"({"model":"m","stream":false,"think":true,
      "format":{"type":"object","properties":{}},"options":{"num_predict":-1},"messages":[]})");
  call.head = answer_head(200, "application/json; charset=utf-8");
  call.answer = {{"", R"({"model":"m","message":{"role":"assistant","content":"TALK"},"done":true,
                      "done_reason":"stop","prompt_eval_count":3,"eval_count":4})"}};
  CHECK(told_of(call) ==
        "chat by=ollama model=m type=json answered=m finish=stop input=3 output=4");
}

TEST_CASE("ollama: tools asked for, and given back since the model spoke last") {
  CHECK(told_of(tools()) ==
        "chat by=ollama model=qwen3 streamed=yes gave=get_weather: gave=call_7: answered=qwen3 "
        "finish=stop input=126 output=31 asked=:get_weather: asked=call_8:get_time:");
  CHECK(told_of(tools(), Capture::kTools) ==
        "chat by=ollama model=qwen3 streamed=yes gave=get_weather:TOOL 11 degrees "
        "gave=call_7:TOOL noon answered=qwen3 finish=stop input=126 output=31 "
        R"(asked=:get_weather:{"city":"Oslo"} asked=call_8:get_time:{})");
}

TEST_CASE("ollama: generate, whose context costs nothing") {
  PlayedCall call = chat(R"({"model":"m","prompt":"TALK","suffix":"TALK","raw":true})");
  call.path = "/api/generate";
  call.answer = {{"", R"({"model":"m","response":"TALK","done":false})"},
                 {"", R"({"model":"m","response":"","done":true,"done_reason":"stop",
                      "context":[1,2,3],"prompt_eval_count":5,"eval_count":2})"}};
  CHECK(told_of(call) ==
        "text_completion by=ollama model=m streamed=yes answered=m finish=stop input=5 output=2");
}

TEST_CASE("ollama: embeddings") {
  PlayedCall call = chat(R"({"model":"e","input":["TALK","TALK"],"dimensions":3})");
  call.head = answer_head(200, "application/json");
  call.answer = {{"", R"({"model":"e","embeddings":[[0.25,-0.5,1e-3],[1,2,3]],
                      "total_duration":14143917,"prompt_eval_count":8})"}};
  for (const char* path : {"/api/embed", "/api/embeddings"}) {
    call.path = path;
    CHECK(told_of(call) == "embeddings by=ollama model=e dimensions=3 answered=e input=8");
  }
}

TEST_CASE("ollama: an error in the middle of a stream, all of it words") {
  PlayedCall call = chat(R"({"model":"m","messages":[]})");
  call.answer = {
      {"", R"({"model":"m","message":{"role":"assistant","content":"TALK"},"done":false})"},
      {"", R"({"error":"TEXT the model went away"})"}};
  const std::string off = "chat by=ollama model=m streamed=yes answered=m finish=error words=yes";
  CHECK(told_of(call) == off);
  CHECK(told_of(call, Capture::kTools) == off);
  CHECK(told_of(call, Capture::kAll) == off + " text=TEXT the model went away");
  trace::Span span;
  testing::played(call).describe(span);
  CHECK(span.status == trace::SpanStatus::kError);
  CHECK(span.attributes.text("error.type") == "_OTHER");
}

TEST_CASE("ollama: of a refused call the status stays, which says more than words do") {
  PlayedCall call = chat(R"({"model":"none","messages":[]})");
  call.head = answer_head(404, "application/json; charset=utf-8");
  call.answer = {{"", R"({"error":"TEXT model 'none' not found"})"}};
  for (const Capture capture : {Capture::kOff, Capture::kAll}) {
    trace::Span span;
    span.attributes.add(attribute::kErrorType, std::string_view("404"));
    testing::played(call, {}, capture).describe(span);
    CHECK(span.attributes.text("error.type") == "404");
    CHECK(span.attributes.text("sidespan.provider.error.text") ==
          (capture == Capture::kAll ? "TEXT model 'none' not found" : ""));
  }
}

TEST_CASE("ollama: what a refusal quotes of the request is redacted") {
  PlayedCall call = chat(R"({"model":"none","messages":[]})");
  call.head = answer_head(400, "application/json; charset=utf-8");
  call.answer = {{"", R"({"error":"no: {\"api_key\":\"sk-1\",\"model\":\"none\"}"})"}};
  trace::Span span;
  testing::played(call, {}, Capture::kAll).describe(span);
  CHECK(span.attributes.text("sidespan.provider.error.text") ==
        R"(no: {"api_key":"REDACTED","model":"none"})");
}

TEST_CASE("ollama: cut at every byte, and of other types") {
  CHECK(testing::grows_with_its_answer(tools(), Capture::kAll));
  PlayedCall call = chat(R"({"model":["m"],"options":[1],"messages":[[{"role":1}],"tool",null],
      "format":7,"think":{}})");
  call.answer = {{"", R"({"model":{},"message":{"tool_calls":[{"function":{"name":{},
                      "arguments":"x"}},7,null]},"done_reason":[],"prompt_eval_count":-4,
                      "eval_count":"9","error":{"a":1}})"},
                 {"", "[]"},
                 {"", "7"},
                 {"", "no JSON"}};
  CHECK(told_of(call) == "chat by=ollama streamed=yes");
}

}  // namespace
}  // namespace sidespan::semconv::genai
