// One call of a model for the readers' tests: documents of a request and of an answer are played to
// a CallReader whole or in pieces, and what it then knows is one text.
#pragma once

#include <algorithm>
#include <cstddef>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "sidespan/http/message.h"
#include "sidespan/json/reader.h"
#include "sidespan/semconv/genai_reader.h"
#include "sidespan/semconv/genai_recognize.h"

namespace sidespan::testing {

struct CallDocument {
  std::string event = {};
  std::string text = {};
};

struct PlayedCall {
  std::string host = {};
  std::string path = {};
  std::string request = {};
  http::Head head = {};
  std::vector<CallDocument> answer = {};
  bool broken = false;
};

inline http::Head answer_head(int status, std::string_view content_type) {
  http::Head head;
  head.status = status;
  head.headers.add("content-type", content_type);
  return head;
}

// Pieces of one size, or of any size below it.
struct Cut {
  size_t size = size_t{1} << 20U;
  unsigned seed = 0;
};

inline bool feed(json::Handler& handler, std::string_view text, const Cut& cut) {
  json::Reader reader(handler);
  std::minstd_rand random(cut.seed);
  while (!text.empty()) {
    const size_t size = cut.seed == 0 ? cut.size : 1 + random() % cut.size;
    // A copy: what reads beyond its end is found out.
    const std::string piece(text.substr(0, size));
    reader.feed(piece);
    text.remove_prefix(piece.size());
  }
  return reader.finish() == json::Reader::State::kComplete;
}

inline semconv::genai::CallReader played(
    const PlayedCall& call, const Cut& cut = {},
    semconv::genai::Capture capture = semconv::genai::Capture::kOff,
    size_t content_bytes_max = semconv::genai::ReaderOptions{}.content_bytes_max) {
  const auto endpoint = semconv::genai::recognize(
      {.method = "POST", .host = call.host, .path = call.path, .content_type = "application/json"});
  semconv::genai::CallReader reader(endpoint.value(),
                                    {.capture = capture, .content_bytes_max = content_bytes_max});
  reader.end_request_document(feed(reader.begin_request_document(), call.request, cut));
  reader.on_response_head(call.head);
  for (const CallDocument& document : call.answer) {
    json::Handler& handler = reader.begin_response_document(document.event);
    reader.end_response_document(feed(handler, document.text, cut));
  }
  reader.finish(call.broken);
  return reader;
}

inline std::string joined(const std::vector<std::string>& texts) {
  std::string all;
  for (const std::string& text : texts) all.append(all.empty() ? "" : ",").append(text);
  return all;
}

// What is known, in words of its own: " input=12", where there is something to tell.
inline std::string told(const semconv::genai::Call& call) {
  std::string all(name_of(call.operation));
  const auto text = [&](std::string_view name, const std::string& value) {
    if (!value.empty()) all.append(" ").append(name).append("=").append(value);
  };
  const auto number = [&](std::string_view name, const auto& value) {
    if (value) text(name, std::to_string(*value));
  };
  text("by", call.provider);
  text("model", call.request_model);
  text("streamed", call.streamed ? "yes" : "");
  number("max", call.parameters.max_tokens);
  number("temperature", call.parameters.temperature);
  number("top_p", call.parameters.top_p);
  number("top_k", call.parameters.top_k);
  number("frequency", call.parameters.frequency_penalty);
  number("presence", call.parameters.presence_penalty);
  number("seed", call.parameters.seed);
  number("dimensions", call.parameters.dimensions);
  text("level", call.parameters.reasoning_level);
  text("type", call.parameters.output_type);
  text("stop", joined(call.parameters.stop_sequences));
  text("formats", joined(call.parameters.encoding_formats));
  for (const auto& result : call.tool_results) text("gave", result.id + ":" + result.text);
  text("answered", call.response_model);
  text("id", call.response_id);
  text("finish", joined(call.finish_reasons));
  number("input", call.usage.input);
  number("output", call.usage.output);
  number("read", call.usage.cache_read);
  number("wrote", call.usage.cache_write);
  for (const auto& tool : call.tool_calls) {
    text("asked", tool.id + ":" + tool.name + ":" + tool.arguments);
  }
  text("error", call.error.type);
  text("words", call.error.told ? "yes" : "");
  text("text", call.error.text);
  return all;
}

// The same whole, byte by byte and at random cuts; else what differs.
inline std::string told_of(const PlayedCall& call,
                           semconv::genai::Capture capture = semconv::genai::Capture::kOff) {
  const std::string whole = told(played(call, {}, capture).call());
  for (const Cut& cut : {Cut{1}, Cut{2}, Cut{7}, Cut{40, 1}, Cut{40, 2}, Cut{9, 3}, Cut{300, 4}}) {
    const std::string pieces = told(played(call, cut, capture).call());
    if (pieces != whole) return "whole: " + whole + "\nin pieces: " + pieces;
  }
  return whole;
}

// Whatever is missing at its end, no call tells of more than one that had more of it.
inline bool grows_with_its_answer(const PlayedCall& call, semconv::genai::Capture capture) {
  size_t tools = 0;
  size_t counts = 0;
  for (size_t last = 0; last < call.answer.size(); ++last) {
    for (size_t size = 0; size <= call.answer[last].text.size(); ++size) {
      PlayedCall shorter = call;
      shorter.broken = true;
      shorter.answer.resize(last + 1);
      shorter.answer[last].text.resize(size);
      const semconv::genai::CallReader reader = played(shorter, {}, capture);
      const semconv::genai::Call& now = reader.call();
      const auto& usage = now.usage;
      const size_t known = size_t{usage.input.has_value()} + size_t{usage.output.has_value()};
      if (now.tool_calls.size() < tools || known < counts) return false;
      tools = now.tool_calls.size();
      counts = known;
    }
  }
  return true;
}

}  // namespace sidespan::testing
