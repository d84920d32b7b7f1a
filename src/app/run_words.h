// What the tree of a run says of one span: what was called, and what became of it. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "app/run_spans.h"

namespace sidespan::app {

struct SpanWords {
  std::string method;  // "GET", "chat", "tools/call"; empty: no call
  std::string target;  // "api.example.com/v1", "gpt-5 at api.openai.com"
  std::string note;    // "retry 1, 12 events"
  std::string status;  // the status code, the exit code, or the word for what went wrong
};
SpanWords words_of(const RunSpan& span);

// The number under `key`; nothing where it is absent or none.
std::optional<int64_t> integer(const RunSpan& span, std::string_view key);

// "1204 + 310 tokens", of all calls of models; empty: none was counted.
std::string tokens_of(std::span<const RunSpan* const> spans);

}  // namespace sidespan::app
