#include <doctest/doctest.h>

#include <string>

#include "genai_rig.h"

namespace sidespan::semconv::genai {
namespace {

using testing::answer_head;
using testing::PlayedCall;
using testing::told_of;

PlayedCall chat(std::string request) {
  return {.host = "api.cohere.com",
          .path = "/v2/chat",
          .request = std::move(request),
          .head = answer_head(200, "application/json")};
}

PlayedCall stream() {
  PlayedCall call = chat(R"({"model":"command-a","stream":true,"messages":[
      {"role":"assistant","tool_plan":"TALK","tool_calls":[{"id":"get_weather_x0","type":"function",
       "function":{"name":"get_weather","arguments":"{}"}}]},
      {"role":"tool","tool_call_id":"get_weather_x0","content":[
       {"type":"text","text":"TOOL cold"},
       {"type":"document","document":{"data":{"sky": "TOOL grey"},"id":"d"}}]},
      {"role":"tool","tool_call_id":"get_time_x1","content":"TOOL noon"}]})");
  call.head = answer_head(200, "text/event-stream");
  call.answer = {
      {"message-start", R"({"type":"message-start","id":"29f14a5a","delta":{"message":{
          "role":"assistant","content":[],"tool_plan":"","tool_calls":[],"citations":[]}}})"},
      {"tool-plan-delta", R"({"type":"tool-plan-delta","delta":{"message":{"tool_plan":"TALK"}}})"},
      {"tool-call-start", R"({"type":"tool-call-start","index":0,"delta":{"message":{"tool_calls":{
          "id":"get_weather_a","type":"function","function":{"name":"get_weather","arguments":""}}}}})"},
      {"tool-call-delta", R"({"type":"tool-call-delta","index":0,"delta":{"message":{"tool_calls":{
          "function":{"arguments":"{\"city\": "}}}}})"},
      {"tool-call-start", R"({"type":"tool-call-start","index":1,"delta":{"message":{"tool_calls":{
          "id":"get_time_b","type":"function","function":{"name":"get_time","arguments":""}}}}})"},
      {"tool-call-delta", R"({"type":"tool-call-delta","index":1,"delta":{"message":{"tool_calls":{
          "function":{"arguments":"{}"}}}}})"},
      {"tool-call-delta", R"({"type":"tool-call-delta","delta":{"message":{"tool_calls":{
          "function":{"arguments":"\"TOOL\"}"}}}},"index":0})"},
      {"tool-call-end", R"({"type":"tool-call-end","index":0})"},
      {"message-end", R"({"type":"message-end","delta":{"finish_reason":"TOOL_CALL","usage":{
          "billed_units":{"input_tokens":37,"output_tokens":28},
          "tokens":{"input_tokens":913,"output_tokens":83},"cached_tokens":64}}})"}};
  return call;
}

TEST_CASE("cohere: a chat, of whose counts the billed ones are told") {
  PlayedCall call = chat(R"({"model":"command-a","max_tokens":50,"temperature":0.5,"p":0.75,"k":20,
      "frequency_penalty":0.5,"presence_penalty":0.25,"seed":9,"stop_sequences":["END"],
      "response_format":{"type":"json_object"},"messages":[{"role":"user","content":"TALK"}]})");
  call.answer = {{"", R"({"id":"c14c80c3","finish_reason":"COMPLETE","message":{"role":"assistant",
      "content":[{"type":"text","text":"TALK"}]},"usage":{"tokens":{"input_tokens":72,
      "output_tokens":18},"billed_units":{"input_tokens":5.0,"output_tokens":15.0}}})"}};
  CHECK(told_of(call) ==
        "chat by=cohere model=command-a max=50 temperature=0.500000 top_p=0.750000 top_k=20 "
        "frequency=0.500000 presence=0.250000 seed=9 type=json stop=END id=c14c80c3 "
        "finish=COMPLETE input=5 output=15");
}

TEST_CASE("cohere: the order of two counts is nothing, and one alone is told") {
  const auto counted = [](const std::string& usage) {
    PlayedCall call = chat(R"({"model":"m"})");
    call.answer = {{"", R"({"id":"i","finish_reason":"COMPLETE","message":{"role":"assistant"},
                        "usage":)" +
                            usage + "}"}};
    const std::string all = told_of(call);
    return all.substr(all.find("input"));
  };
  const std::string billed = R"("billed_units":{"input_tokens":5,"output_tokens":6})";
  const std::string read = R"("tokens":{"input_tokens":70,"output_tokens":80})";
  CHECK(counted("{" + billed + "," + read + "}") == "input=5 output=6");
  CHECK(counted("{" + read + "," + billed + "}") == "input=5 output=6");
  CHECK(counted("{" + read + R"(,"cached_tokens":3})") == "input=70 output=80 read=3");
  CHECK(counted("{" + read + R"(,"billed_units":{"input_tokens":null,"output_tokens":"6"}})") ==
        "input=70 output=80");
}

TEST_CASE("cohere: a stream that asks for tools, and pieces of their arguments by index") {
  CHECK(told_of(stream()) ==
        "chat by=cohere model=command-a streamed=yes gave=get_weather_x0: gave=get_time_x1: "
        "id=29f14a5a finish=TOOL_CALL input=37 output=28 read=64 asked=get_weather_a:get_weather: "
        "asked=get_time_b:get_time:");
  CHECK(told_of(stream(), Capture::kTools) ==
        "chat by=cohere model=command-a streamed=yes "
        R"(gave=get_weather_x0:TOOL cold{"sky":"TOOL grey"} gave=get_time_x1:TOOL noon )"
        "id=29f14a5a finish=TOOL_CALL input=37 output=28 read=64 "
        R"(asked=get_weather_a:get_weather:{"city": "TOOL"} asked=get_time_b:get_time:{})");
}

TEST_CASE("cohere: one message that asks for tools") {
  PlayedCall call = chat(R"({"model":"m"})");
  call.answer = {{"", R"({"id":"i","message":{"role":"assistant","tool_plan":"TALK","tool_calls":[
      {"id":"a","type":"function","function":{"name":"f","arguments":"{\"x\":1}"}},
      {"id":"b","type":"function","function":{"name":"g","arguments":"{}"}}]},
      "finish_reason":"TOOL_CALL"})"}};
  CHECK(told_of(call, Capture::kTools) ==
        R"(chat by=cohere model=m id=i finish=TOOL_CALL asked=a:f:{"x":1} asked=b:g:{})");
}

TEST_CASE("cohere: embeddings") {
  PlayedCall call = chat(R"({"model":"embed-v4.0","texts":["TALK"],"input_type":"search_query",
      "embedding_types":["float","int8"],"output_dimension":512})");
  call.path = "/v2/embed";
  call.answer = {{"", R"({"id":"da6e531f","texts":["TALK"],"embeddings":{"float":[[0.25,-1]],
      "int8":[[1,-1]]},"meta":{"api_version":{"version":"2"},"billed_units":{"input_tokens":2}},
      "response_type":"embeddings_by_type"})"}};
  CHECK(told_of(call) ==
        "embeddings by=cohere model=embed-v4.0 dimensions=512 formats=float,int8 id=da6e531f "
        "input=2");
}

TEST_CASE("cohere: errors") {
  PlayedCall refused = chat(R"({"model":"none"})");
  refused.head = answer_head(404, "application/json");
  refused.answer = {{"", R"({"id":"e1","message":"TEXT model not found"})"}};
  CHECK(told_of(refused) == "chat by=cohere model=none");
  CHECK(told_of(refused, Capture::kAll) == "chat by=cohere model=none text=TEXT model not found");

  PlayedCall failing = stream();
  failing.answer.resize(2);
  failing.answer.push_back({"message-end", R"({"type":"message-end","delta":{
      "finish_reason":"ERROR","error":"TEXT it broke"}})"});
  CHECK(told_of(failing).ends_with(" finish=ERROR words=yes"));
  CHECK(told_of(failing, Capture::kAll).ends_with(" finish=ERROR words=yes text=TEXT it broke"));
}

TEST_CASE("cohere: cut at every byte, and of other types") {
  CHECK(testing::grows_with_its_answer(stream(), Capture::kAll));
  PlayedCall broken = stream();
  broken.answer.resize(4);
  broken.broken = true;
  CHECK(told_of(broken).ends_with(" id=29f14a5a finish=error asked=get_weather_a:get_weather:"));
  PlayedCall call = chat(R"({"model":7,"messages":{"role":"tool"},"stop_sequences":"x"})");
  call.answer = {{"", R"({"id":[],"index":"0","delta":{"message":{"tool_calls":[{"id":"a"}]},
                      "usage":[],"error":{}},"message":"words","finish_reason":{}})"},
                 {"", "null"}};
  CHECK(told_of(call) == "chat by=cohere");
}

}  // namespace
}  // namespace sidespan::semconv::genai
