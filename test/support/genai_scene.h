// A scene of test/fixtures/genai: one call of a model, as it stands there, and a way to play it:
// its documents to a CallReader, whole or in pieces, and what the span then says, line by line.
#pragma once

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <sstream>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "sidespan/http/uri.h"
#include "sidespan/json/reader.h"
#include "sidespan/semconv/genai_reader.h"
#include "sidespan/semconv/genai_recognize.h"

namespace sidespan::testing {

struct GenAiScene {
  std::string name;
  std::string method;
  std::string url;
  std::string request;
  http::Head head;
  std::string answer;
  std::vector<std::string> span;
  bool broken = false;  // the answer does not come to its end
  bool array = false;   // the answer is an array of texts
  bool events() const {
    return head.headers.find("content-type")->starts_with("text/event-stream");
  }
};

// One text of an answer.
struct GenAiDocument {
  std::string event;
  std::string text;
};

inline std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

inline GenAiScene read_genai_scene(const std::filesystem::path& path) {
  std::ifstream file(path);
  const std::string all{std::istreambuf_iterator<char>(file), {}};
  GenAiScene scene;
  scene.name = path.stem();
  const auto section = [&](std::string_view name) {
    const std::string mark = "\n--- " + std::string(name) + "\n";
    const size_t begin = all.find(mark) + mark.size();
    const size_t end = std::min(all.find("\n--- ", begin - 1), all.size() - 1);
    return all.substr(begin, end + 1 - std::min(begin, end + 1));
  };
  std::istringstream(all) >> scene.method >> scene.url;
  scene.request = section("request");
  scene.answer = section("answer");
  scene.span = lines_of(section("span"));
  std::string type;
  const std::vector<std::string> head = lines_of(section("head"));
  std::istringstream(head.front()) >> scene.head.status >> type;
  scene.head.headers.add("content-type", type);
  for (const std::string& line : head) {
    const size_t colon = line.find(": ");
    if (line == "broken") scene.broken = true;
    if (line == "array") scene.array = true;
    if (colon != std::string::npos) {
      scene.head.headers.add(line.substr(0, colon), line.substr(colon + 2));
    }
  }
  return scene;
}

inline std::vector<GenAiScene> read_genai_scenes(const std::string& directory) {
  std::vector<GenAiScene> scenes;
  for (const auto& entry : std::filesystem::directory_iterator(directory)) {
    if (entry.path().extension() == ".txt") scenes.push_back(read_genai_scene(entry.path()));
  }
  std::ranges::sort(scenes, {}, &GenAiScene::name);
  return scenes;
}

// What a body's framing holds. The last one may be without its end.
inline std::vector<GenAiDocument> sse_documents(const std::string& answer) {
  std::vector<GenAiDocument> documents;
  GenAiDocument now;
  for (const std::string& line : lines_of(answer)) {
    if (line.starts_with("event: ")) now.event = line.substr(7);
    if (line.starts_with("data: ")) now.text += line.substr(6);
    if (line.empty() && !now.text.empty()) documents.push_back(std::exchange(now, {}));
  }
  if (!now.text.empty()) documents.push_back(now);
  return documents;
}

inline std::vector<GenAiDocument> array_documents(std::string_view answer) {
  struct Depth final : json::Handler {
    void on_object() override { ++depth; }
    void on_object_end() override { --depth; }
    int depth = 0;
  } depth;
  json::Reader reader(depth);
  std::vector<GenAiDocument> documents;
  int before = 0;
  for (const char& byte : answer) {
    reader.feed({&byte, 1});
    if (before == 0 && depth.depth == 1) documents.emplace_back();
    if (before > 0 || depth.depth > 0) documents.back().text += byte;
    before = depth.depth;
  }
  return documents;
}

inline std::vector<GenAiDocument> documents_of(const GenAiScene& scene, const std::string& answer) {
  if (scene.events()) return sse_documents(answer);
  if (scene.array) return array_documents(answer);
  return answer.empty() ? std::vector<GenAiDocument>() : std::vector{GenAiDocument{"", answer}};
}

inline bool feed_in_pieces(json::Handler& handler, std::string_view text, size_t piece) {
  json::Reader reader(handler);
  for (size_t at = 0; at < text.size(); at += piece) {
    // A copy: what reads beyond its end is found out.
    const std::string part(text.substr(at, piece));
    reader.feed(part);
  }
  return reader.finish() == json::Reader::State::kComplete;
}

inline std::optional<semconv::genai::Endpoint> recognize(const GenAiScene& scene) {
  const Result<http::Url> url = http::parse_url(scene.url);
  if (!url) return std::nullopt;
  return semconv::genai::recognize({.method = scene.method,
                                    .host = url->authority.host,
                                    .path = url->path,
                                    .content_type = "application/json"});
}

struct GenAiPlay {
  size_t piece = 1U << 20U;
  semconv::genai::Capture capture = semconv::genai::Capture::kOff;
  bool broken = false;
};

inline semconv::genai::CallReader play(const semconv::genai::Endpoint& endpoint,
                                       const GenAiScene& scene, const std::string& request,
                                       const std::string& answer, const GenAiPlay& how = {}) {
  using std::chrono_literals::operator""ms;
  semconv::genai::CallReader reader(endpoint, {.capture = how.capture});
  reader.end_request_document(feed_in_pieces(reader.begin_request_document(), request, how.piece));
  reader.on_response_head(scene.head);
  bool first = true;
  for (const GenAiDocument& document : documents_of(scene, answer)) {
    if (reader.call().streamed && scene.head.status == 200 && std::exchange(first, false)) {
      reader.on_first_chunk(500ms);
    }
    reader.end_response_document(
        feed_in_pieces(reader.begin_response_document(document.event), document.text, how.piece));
  }
  reader.finish(how.broken || scene.broken);
  return reader;
}

inline std::string number_text(double number) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%g", number);
  return text.data();
}

inline std::string value_text(const trace::Attributes::Value& value) {
  std::string text;
  if (const bool* truth = std::get_if<bool>(&value)) text = *truth ? "true" : "false";
  if (const int64_t* number = std::get_if<int64_t>(&value)) text = std::to_string(*number);
  if (const double* number = std::get_if<double>(&value)) text = number_text(*number);
  if (const auto* one = std::get_if<std::string_view>(&value)) text = *one;
  if (const auto* list = std::get_if<std::vector<std::string_view>>(&value)) {
    for (const std::string_view one : *list) text.append(text.empty() ? "[" : ", ").append(one);
    text += "]";
  }
  for (size_t at = 0; (at = text.find('\n', at)) != std::string::npos;) text.replace(at, 1, "<LF>");
  return text;
}

inline trace::Span span_of(const semconv::genai::CallReader& reader) {
  trace::Span span;
  reader.describe(span);
  return span;
}

// As `span` stands in a scene.
inline std::vector<std::string> span_lines(const trace::Span& span) {
  std::vector<std::string> lines;
  for (const trace::Attributes::View& one : span.attributes) {
    const bool told = one.key.starts_with("gen_ai.") || one.key == "error.type" ||
                      one.key.starts_with("sidespan.tool_calls.");
    const std::string value = value_text(one.value);
    const bool none = one.key.starts_with("gen_ai.usage.") && value == "0";
    if (told && !none) lines.push_back(std::string(one.key) + ": " + value);
  }
  std::ranges::sort(lines);
  const bool failed = span.status == trace::SpanStatus::kError;
  lines.insert(lines.begin(), {"name: " + span.name, failed ? "status: error" : "status: unset"});
  return lines;
}

}  // namespace sidespan::testing
