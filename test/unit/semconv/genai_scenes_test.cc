// The scenes of test/fixtures/genai, through the public face of the readers alone.
#include <doctest/doctest.h>

#include <set>
#include <string>
#include <vector>

#include "support/genai_scene.h"

namespace sidespan::semconv::genai {
namespace {

using testing::GenAiScene;

const std::vector<GenAiScene>& scenes() {
  static const std::vector<GenAiScene> kScenes =
      testing::read_genai_scenes(SIDESPAN_SOURCE_DIR "/test/fixtures/genai");
  return kScenes;
}

std::string joined(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) text.append(line).append("\n");
  return text;
}

std::string everything(const trace::Span& span) {
  std::string text = span.name + "\n" + span.status_message + "\n";
  for (const trace::Attributes::View& one : span.attributes) {
    text.append(one.key).append("=").append(testing::value_text(one.value)).append("\n");
  }
  return text;
}

TEST_CASE("scenes of models: the span says what the call was") {
  CHECK(scenes().size() > 30);
  for (const GenAiScene& scene : scenes()) {
    CAPTURE(scene.name);
    const std::optional<Endpoint> endpoint = testing::recognize(scene);
    REQUIRE(endpoint);
    for (const size_t piece : {size_t{1} << 20U, size_t{1}, size_t{2}, size_t{7}}) {
      CAPTURE(piece);
      const CallReader reader =
          testing::play(*endpoint, scene, scene.request, scene.answer, {.piece = piece});
      CHECK(joined(testing::span_lines(testing::span_of(reader))) == joined(scene.span));
    }
  }
}

TEST_CASE("scenes of models: nothing of content passes that nobody asked for") {
  for (const GenAiScene& scene : scenes()) {
    CAPTURE(scene.name);
    const auto told = [&](Capture capture) {
      return everything(testing::span_of(testing::play(
          *testing::recognize(scene), scene, scene.request, scene.answer, {.capture = capture})));
    };
    const std::string off = told(Capture::kOff);
    for (const char* word : {"TALK", "TOOL", "WORDS"}) CHECK(off.find(word) == std::string::npos);
    const std::string tools = told(Capture::kTools);
    for (const char* word : {"TALK", "WORDS"}) CHECK(tools.find(word) == std::string::npos);
    const bool asked = (scene.request + scene.answer).find("TOOL") != std::string::npos;
    CHECK((tools.find("TOOL") != std::string::npos) == asked);
    if (scene.answer.find("WORDS") != std::string::npos) {
      CHECK(told(Capture::kAll).find("WORDS") != std::string::npos);
    }
  }
}

// Keys of what a call means, and of those the texts that come at once.
std::set<std::string> keys_of(const trace::Span& span) {
  std::set<std::string> keys;
  for (const trace::Attributes::View& one : span.attributes) keys.emplace(one.key);
  return keys;
}

TEST_CASE("scenes of models: cut at every byte, what was known stays known") {
  for (const GenAiScene& scene : scenes()) {
    CAPTURE(scene.name);
    const Endpoint endpoint = *testing::recognize(scene);
    std::set<std::string> before;
    for (size_t size = 0; size <= scene.request.size(); ++size) {
      CAPTURE(size);
      const CallReader reader = testing::play(endpoint, scene, scene.request.substr(0, size), "");
      const std::set<std::string> keys = keys_of(testing::span_of(reader));
      REQUIRE(std::ranges::includes(keys, before));
      before = keys;
    }
    before.clear();
    for (size_t size = 0; size <= scene.answer.size(); ++size) {
      CAPTURE(size);
      const CallReader reader = testing::play(endpoint, scene, scene.request,
                                              scene.answer.substr(0, size), {.broken = true});
      const std::set<std::string> keys = keys_of(testing::span_of(reader));
      REQUIRE(std::ranges::includes(keys, before));
      before = keys;
    }
  }
}

// Where each value of a text begins and ends.
struct Range {
  size_t begin;
  size_t end;
};

size_t read_value(std::string_view text, size_t at, std::vector<Range>& ranges) {
  const auto skip = [&](std::string_view these) {
    while (at < text.size() && these.find(text[at]) != std::string_view::npos) ++at;
  };
  const auto read_text = [&] {
    for (++at; at < text.size() && text[at] != '"'; ++at) at += text[at] == '\\' ? 1 : 0;
    at = std::min(at + 1, text.size());
  };
  skip(" \n\r\t,:");
  const size_t begin = at;
  if (at >= text.size()) return at;
  if (text[at] == '{' || text[at] == '[') {
    const bool object = text[at++] == '{';
    for (skip(" \n\r\t,"); at < text.size() && text[at] != '}' && text[at] != ']';
         skip(" \n\r\t,")) {
      if (object) read_text();
      at = read_value(text, at, ranges);
    }
    at = std::min(at + 1, text.size());
  } else if (text[at] == '"') {
    read_text();
  } else {
    at = std::min(text.find_first_of(" \n\r\t,]}", at), text.size());
  }
  ranges.push_back({begin, at});
  return at;
}

// Each value of each text in `body`, replaced.
template <class Visit>
void with_every_value(const std::string& body, std::string_view by, Visit visit) {
  std::vector<Range> ranges;
  for (size_t at = body.find_first_of("{["); at < body.size();) {
    at = body.find_first_of("{[", read_value(body, at, ranges));
  }
  for (const Range& range : ranges) {
    visit(body.substr(0, range.begin) + std::string(by) + body.substr(range.end));
  }
}

TEST_CASE("scenes of models: values of other types than documented are passed over") {
  for (const GenAiScene& scene : scenes()) {
    CAPTURE(scene.name);
    const Endpoint endpoint = *testing::recognize(scene);
    const std::string whole = joined(testing::span_lines(
        testing::span_of(testing::play(endpoint, scene, scene.request, scene.answer))));
    for (const char* by : {"null", "true", "-7", "1e300", "\"\"", "\"NEW words \\u0000\"", "[]",
                           "{}", "[[{\"id\":[]}]]", "{\"id\":{},\"type\":[]}"}) {
      CAPTURE(by);
      const auto check = [&](const std::string& request, const std::string& answer) {
        const trace::Span span = testing::span_of(testing::play(endpoint, scene, request, answer));
        for (const std::string& line : testing::span_lines(span)) {
          CAPTURE(line);
          const bool usage = line.starts_with("gen_ai.usage.");
          CHECK_FALSE((usage && line.find(": -") != std::string::npos));
          CHECK_FALSE((line.starts_with("error.type") && line.find("NEW") != std::string::npos));
        }
      };
      with_every_value(scene.request, by,
                       [&](const std::string& request) { check(request, scene.answer); });
      with_every_value(scene.answer, by,
                       [&](const std::string& answer) { check(scene.request, answer); });
    }
  }
}

std::string repeated(std::string_view text, size_t times) {
  std::string all;
  for (size_t i = 0; i < times; ++i) all.append(all.empty() ? "" : ",").append(text);
  return all;
}

size_t bytes_of(const Call& call) {
  size_t bytes = sizeof call;
  const auto add = [&](const std::string& text) { bytes += text.capacity(); };
  for (const ToolCall& one : call.tool_calls) {
    bytes += sizeof one;
    for (const std::string* text : {&one.id, &one.name, &one.arguments}) add(*text);
  }
  for (const ToolResult& one : call.tool_results) {
    bytes += sizeof one;
    for (const std::string* text : {&one.id, &one.text}) add(*text);
  }
  for (const auto* list :
       {&call.finish_reasons, &call.parameters.stop_sequences, &call.parameters.encoding_formats}) {
    for (const std::string& one : *list) bytes += sizeof one + one.capacity();
  }
  for (const std::string* text : {&call.request_model, &call.response_model, &call.response_id,
                                  &call.conversation_id, &call.previous_response_id}) {
    add(*text);
  }
  return bytes;
}

TEST_CASE("a call takes no more than 64 KiB, whatever its bodies say") {
  const std::string word(5000, 'w');
  const std::string quoted = '"' + word + '"';
  const std::string function = R"({"id":)" + quoted + R"(,"type":"function","function":{"name":)" +
                               quoted + R"(,"arguments":)" + quoted + "}}";
  const std::string result =
      R"({"role":"tool","tool_call_id":)" + quoted + R"(,"content":)" + quoted + "}";
  GenAiScene scene;
  scene.head.status = 200;
  scene.head.headers.add("content-type", "application/json");
  const std::string request = R"({"model":)" + quoted + R"(,"stop":[)" + repeated(quoted, 500) +
                              R"(],"messages":[)" + repeated(result, 500) + "]}";
  const std::string answer =
      R"({"model":)" + quoted + R"(,"id":)" + quoted + R"(,"choices":[)" +
      repeated(R"({"finish_reason":)" + quoted + R"(,"message":{"tool_calls":[)" +
                   repeated(function, 20) + "]}}",
               50) +
      "]}";
  const Endpoint endpoint = *recognize({.method = "POST",
                                        .host = "api.openai.com",
                                        .path = "/v1/chat/completions",
                                        .content_type = "application/json"});
  for (const Capture capture : {Capture::kOff, Capture::kTools, Capture::kAll}) {
    const CallReader reader =
        testing::play(endpoint, scene, request, answer, {.piece = 4096, .capture = capture});
    CHECK(bytes_of(reader.call()) < size_t{64} * 1024);
  }
}

}  // namespace
}  // namespace sidespan::semconv::genai
