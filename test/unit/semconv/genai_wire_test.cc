// Calls of models as their bytes come: framing, documents and what they say, all together.
#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <string_view>

#include "genai_rig.h"
#include "sidespan/base/text.h"
#include "sidespan/semconv/body_reader.h"
#include "support/eventstream.h"

namespace sidespan::semconv::genai {
namespace {

class Answer final : public BodySink {
 public:
  explicit Answer(CallReader& call) : call_(call) {}
  json::Handler* begin_document(std::string_view event) override {
    return &call_.begin_response_document(event);
  }
  void end_document(bool whole) override { call_.end_response_document(whole); }
  void on_stream_error(std::string_view code, std::string_view text) override {
    call_.on_stream_error(code, text);
  }

 private:
  CallReader& call_;
};

std::string told_of_bytes(const testing::PlayedCall& call, std::string_view body, size_t piece) {
  CallReader reader(recognize({.method = "POST", .host = call.host, .path = call.path}).value());
  reader.on_response_head(call.head);
  Answer answer(reader);
  const auto bytes = make_body_reader(call.head.headers, {}, answer);
  if (!bytes) return "no body reader";
  for (; !body.empty(); body.remove_prefix(std::min(piece, body.size()))) {
    bytes->feed(std::string(body.substr(0, piece)));
  }
  bytes->finish(true);
  reader.finish(false);
  return testing::told(reader.call());
}

std::string in_chunk(std::string_view document) {
  return testing::eventstream_event("chunk",
                                    R"({"bytes":")" + text::base64(document) + R"(","p":"abc"})");
}

void check(const testing::PlayedCall& call, std::string_view body, std::string_view wanted) {
  for (const size_t piece : {size_t{1} << 20U, size_t{1}, size_t{3}, size_t{17}}) {
    CAPTURE(piece);
    CHECK(told_of_bytes(call, body, piece) == wanted);
  }
}

constexpr std::string_view kBedrock = "bedrock-runtime.us-east-1.amazonaws.com";
constexpr std::string_view kEventStream = "application/vnd.amazon.eventstream";

TEST_CASE("genai by its bytes: frames of Bedrock's converse") {
  using testing::eventstream_event;
  check({.host = std::string(kBedrock),
         .path = "/model/m/converse-stream",
         .head = testing::answer_head(200, kEventStream)},
        eventstream_event("messageStart", R"({"role":"assistant"})") +
            eventstream_event("contentBlockStart", R"({"contentBlockIndex":0,"start":{"toolUse":{
                              "toolUseId":"t","name":"f"}}})") +
            eventstream_event("messageStop", R"({"stopReason":"tool_use"})") +
            eventstream_event("metadata", R"({"usage":{"inputTokens":1,"outputTokens":2,
                              "cacheReadInputTokens":4}})"),
        "chat by=aws.bedrock model=m streamed=yes finish=tool_use input=5 output=2 read=4 "
        "asked=t:f:");
}

TEST_CASE("genai by its bytes: what is packed in frames of an invoked model, and an exception") {
  const testing::PlayedCall call = {.host = std::string(kBedrock),
                                    .path = "/model/anthropic.claude-x/invoke-with-response-stream",
                                    .head = testing::answer_head(200, kEventStream)};
  const std::string start = in_chunk(R"({"type":"message_start","message":{"id":"msg_1","model":"c",
      "role":"assistant","usage":{"input_tokens":3,"cache_read_input_tokens":4,"output_tokens":1}}})");
  check(call, start + in_chunk(R"({"type":"message_delta","delta":{"stop_reason":"end_turn"},
                         "usage":{"output_tokens":9}})"),
        "chat by=aws.bedrock model=anthropic.claude-x streamed=yes answered=c id=msg_1 "
        "finish=end_turn input=7 output=9 read=4");
  check(call,
        start + testing::eventstream_exception("throttlingException", R"({"message":"TEXT"})"),
        "chat by=aws.bedrock model=anthropic.claude-x streamed=yes answered=c id=msg_1 "
        "finish=error input=7 output=1 read=4 error=throttlingException");
}

TEST_CASE("genai by its bytes: a stream that says by a message of its own that it failed") {
  using testing::eventstream_header;
  const auto error = [](std::string_view code, std::string_view payload) {
    return testing::eventstream_frame(eventstream_header(":message-type", "error") +
                                          eventstream_header(":error-code", code) +
                                          eventstream_header(":error-message", "TEXT"),
                                      payload);
  };
  const std::string role = testing::eventstream_event("messageStart", R"({"role":"assistant"})");
  const testing::PlayedCall converse = {.host = std::string(kBedrock),
                                        .path = "/model/m/converse-stream",
                                        .head = testing::answer_head(200, kEventStream)};
  const std::string failed = "chat by=aws.bedrock model=m streamed=yes finish=error ";
  check(converse, role + error("InternalFailure", ""), failed + "error=InternalFailure words=yes");
  check(converse, role + error("500", ""), failed + "error=500 words=yes");
  // A sentence might be content; what hangs on to it is no document.
  check(converse, role + error("It has failed.", R"({"stopReason":"end_turn"})"),
        failed + "words=yes");
  const testing::PlayedCall invoke = {
      .host = std::string(kBedrock),
      .path = "/model/anthropic.claude-x/invoke-with-response-stream",
      .head = testing::answer_head(200, kEventStream)};
  check(invoke, error("InternalFailure", ""),
        "chat by=aws.bedrock model=anthropic.claude-x streamed=yes finish=error "
        "error=InternalFailure words=yes");
}

TEST_CASE("genai by its bytes: lines of Ollama, and one that is an error") {
  const testing::PlayedCall call = {.host = "localhost",
                                    .path = "/api/chat",
                                    .head = testing::answer_head(200, "application/x-ndjson")};
  const std::string line =
      R"({"model":"m","message":{"role":"assistant","content":"TALK"},"done":false})"
      "\n";
  check(call,
        line +
            R"({"model":"m","done":true,"done_reason":"stop","prompt_eval_count":3,"eval_count":4})"
            "\n",
        "chat by=ollama streamed=yes answered=m finish=stop input=3 output=4");
  check(call,
        line + R"({"error":"TEXT"})"
               "\n",
        "chat by=ollama streamed=yes answered=m finish=error words=yes");
}

TEST_CASE("genai by its bytes: events of Cohere") {
  check(
      {.host = "api.cohere.com",
       .path = "/v2/chat",
       .head = testing::answer_head(200, "text/event-stream")},
      "event: message-start\n"
      R"(data: {"type":"message-start","id":"i","delta":{"message":{"role":"assistant"}}})"
      "\n\nevent: message-end\n"
      R"(data: {"type":"message-end","delta":{"finish_reason":"COMPLETE","usage":{"billed_units":)"
      R"({"input_tokens":5,"output_tokens":6}}}})"
      "\n\n",
      "chat by=cohere streamed=yes id=i finish=COMPLETE input=5 output=6");
}

}  // namespace
}  // namespace sidespan::semconv::genai
