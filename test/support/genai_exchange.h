// A call of a model as a tap would hand it on: documents in any pieces, events of a stream one by
// one. For tests and the fuzz target; frames are split here in the plainest way.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sidespan/json/reader.h"
#include "sidespan/semconv/genai_reader.h"

namespace sidespan::test {

using semconv::genai::CallReader;

struct GenaiEvent {
  std::string name;
  std::string data;
};

// Events with one line of data each, as fixtures have them.
inline std::vector<GenaiEvent> split_events(std::string_view stream) {
  std::vector<GenaiEvent> events(1);
  while (!stream.empty()) {
    const size_t end = std::min(stream.find('\n'), stream.size());
    const std::string_view line = stream.substr(0, end);
    stream.remove_prefix(std::min(end + 1, stream.size()));
    if (line.starts_with("event: ")) events.back().name = line.substr(7);
    if (line.starts_with("data: ")) events.back().data = line.substr(6);
    if (line.empty()) events.emplace_back();
  }
  if (events.back().data.empty()) events.pop_back();
  return events;
}

// `piece` bytes at a time; 0: all at once.
inline bool feed_document(json::Handler& handler, std::string_view text, size_t piece) {
  json::Reader reader(handler);
  const size_t step = piece == 0 ? std::max<size_t>(text.size(), 1) : piece;
  for (size_t at = 0; at < text.size(); at += step) {
    const std::string part(text.substr(at, step));
    reader.feed(part);
  }
  return reader.finish() == json::Reader::State::kComplete;
}

inline void feed_request(CallReader& call, std::string_view text, size_t piece = 0) {
  const bool whole = feed_document(call.begin_request_document(), text, piece);
  call.end_request_document(whole);
}

inline void feed_response(CallReader& call, std::string_view text, size_t piece = 0,
                          std::string_view event = {}) {
  const bool whole = feed_document(call.begin_response_document(event), text, piece);
  call.end_response_document(whole);
}

inline void feed_stream(CallReader& call, std::string_view stream, size_t piece = 0) {
  call.on_stream();
  for (const GenaiEvent& event : split_events(stream)) {
    feed_response(call, event.data, piece, event.name);
  }
}

}  // namespace sidespan::test
