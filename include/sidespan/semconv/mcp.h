// MCP (Model Context Protocol) messages, as far as a span needs them: JSON-RPC 2.0 requests,
// notifications and answers, alone or in a batch (2025-03-26 has those), of the sessions of 2025
// and of the stateless 2026-07-28. Whoever carries them (a stdio pipe, an HTTP body, an event
// stream) gives their bytes in any pieces. Bounded: one message is kept, each text of it up to a
// length.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "sidespan/json/picker.h"

namespace sidespan::semconv {

struct McpMessage {
  bool json_rpc = false;    // it says that it is version 2.0
  std::string id = {};      // of the request; the JSON text: a string with its quotes, or a number
  std::string method = {};  // empty: an answer
  // Of `params`.
  std::string target = {};            // `name`: a tool or a prompt
  std::string uri = {};               // of a resource
  std::string protocol_version = {};  // `protocolVersion`, of a request or an answer
  std::string meta_version = {};      // the same of `_meta`, of every request since 2026-07-28
  std::string cancelled_id = {};      // `requestId` of notifications/cancelled, as `id`
  // `progressToken`, as `id`: of `_meta` in a request, of notifications/progress itself.
  std::string progress_token = {};
  std::string traceparent = {};  // of `_meta`
  std::string tracestate = {};
  std::string baggage = {};
  bool tracestate_cut = false;  // it is longer than is kept
  bool baggage_cut = false;
  // Of an answer.
  bool answers = false;      // it has `result` or `error`
  bool tool_failed = false;  // `result.isError`
  std::optional<int64_t> error_code = {};

  bool is_request() const { return !method.empty() && !id.empty(); }
  // It tells of the progress of the request with that token.
  bool is_progress() const;
};

class McpReader final : private json::PickSink {
 public:
  using OnMessage = std::move_only_function<void(const McpMessage&)>;
  // Called for each message when it is whole.
  explicit McpReader(OnMessage on_message);

  // Where the events of a message, or of a batch, go.
  json::Handler& handler() { return picker_; }
  // Before the next text, whatever became of the last.
  void reset();

 private:
  void on_pick(const json::Picked& picked) override;
  void take(const json::Picked& picked);
  void take_text(const json::Picked& picked);

  OnMessage on_message_;
  json::Picker picker_;
  McpMessage message_;
};

// Messages that stand one to a line (MCP stdio). A line that is no JSON is nobody's.
class McpLines {
 public:
  explicit McpLines(McpReader::OnMessage on_message);
  void feed(std::string_view bytes);

 private:
  McpReader messages_;
  json::Reader reader_;
};

}  // namespace sidespan::semconv
