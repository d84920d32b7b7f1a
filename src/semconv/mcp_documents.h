// The JSON-RPC messages in the documents of a body: what joins BodyReader and McpReader. Used by
// the observers of MCP.
#pragma once

#include <cstdint>
#include <string_view>
#include <utility>

#include "sidespan/semconv/body_reader.h"
#include "sidespan/semconv/mcp.h"

namespace sidespan::semconv {

class McpDocuments final : public BodySink {
 public:
  explicit McpDocuments(McpReader::OnMessage on_message) : reader_(std::move(on_message)) {}
  json::Handler* begin_document(std::string_view) override {
    ++begun_;
    reader_.reset();
    return &reader_.handler();
  }
  void end_document(bool) override {}
  uint64_t begun() const { return begun_; }

 private:
  McpReader reader_;
  uint64_t begun_ = 0;
};

}  // namespace sidespan::semconv
