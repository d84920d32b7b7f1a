// What an MCP request is on a span (OpenTelemetry gen-ai/mcp): its name, and attributes by the
// names of attributes.h. For a span of its own, where messages share a transport, and beside the
// attributes of HTTP, where one POST is one request. Pure.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "sidespan/semconv/mcp.h"
#include "sidespan/trace/span.h"

namespace sidespan::semconv {

struct McpFacts {
  const McpMessage* request = nullptr;  // never null
  const McpMessage* answer = nullptr;   // null: none came
  std::string_view session_id;          // empty: none
  std::string_view protocol_version;    // of the session; empty: not known, or what the answer says
  std::string_view transport;           // "pipe", "tcp"
  uint64_t progress = 0;                // how often it was told of
};

// "tools/call search". A failed tool, and an answer that is an error, make the span one. `redact`:
// what a resource's URI hides beside redact.h's own.
void describe_mcp(trace::Span& span, const McpFacts& facts, std::span<const std::string> redact);
// What the answer adds to a span that was described without it.
void describe_mcp_answer(trace::Span& span, const McpMessage& answer);
void describe_mcp_progress(trace::Span& span, uint64_t progress);

}  // namespace sidespan::semconv
