// The stream of MCP's old transport (HTTP with SSE, 2024-11-05): its first event names the URL that
// the session's requests go to, and the answers to them are the events that follow. Whether a
// stream is one is told by that first event. Used by the observer of event streams.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "semconv/json_rpc.h"
#include "sidespan/http/sse.h"
#include "sidespan/http/uri.h"
#include "sidespan/semconv/body_reader.h"
#include "sidespan/semconv/mcp_calls.h"

namespace sidespan::semconv {

// The URL that an `endpoint` event names: absolute, or as far as it differs from the stream's. Its
// path is not normalised but for where it is relative. Nothing: it names none.
std::optional<http::Url> mcp_endpoint(const http::Url& stream, std::string_view named);

class McpStream final : private http::SseSink {
 public:
  // References outlive this.
  McpStream(const http::Url& url, McpCalls& calls, McpCallSink& sink);
  ~McpStream();
  McpStream(const McpStream&) = delete;
  McpStream& operator=(const McpStream&) = delete;

  void feed(std::string_view bytes, MonoTime now);
  // The stream has ended, and its session so.
  void end(Ending ending, MonoTime now);
  // Its first event was another: no more needs to be fed.
  bool is_other() const { return at_ == At::kOther; }

 private:
  enum class At : uint8_t { kBefore, kName, kOpen, kOther };

  void on_event(std::string_view name) override;
  void on_data(std::string_view part) override;
  void on_event_end(bool whole) override;
  void on_message(const McpMessage& message);

  McpCalls& calls_;
  McpCallSink& sink_;
  const http::Url url_;
  At at_ = At::kBefore;
  std::string named_;    // while it is read
  std::string session_;  // as McpCalls has it
  MonoTime now_{};
  http::SseReader first_;
  RpcDocuments<McpReader> answers_;
  BodyReader body_;
};

}  // namespace sidespan::semconv
