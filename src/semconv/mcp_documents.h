// The JSON-RPC messages in the documents of a body: what joins BodyReader and McpReader. Used by
// the observers of MCP.
#pragma once

#include <cstdint>
#include <string_view>
#include <utility>

#include "sidespan/json/tee.h"
#include "sidespan/semconv/body_reader.h"
#include "sidespan/semconv/mcp.h"
#include "sidespan/semconv/observer.h"

namespace sidespan::semconv {

class McpDocuments final : public BodySink {
 public:
  // Which of the two bodies they are of, for the watcher.
  enum class Of : uint8_t { kRequest, kAnswer };

  explicit McpDocuments(McpReader::OnMessage on_message, Of of = Of::kAnswer,
                        DocumentWatcher* watcher = nullptr)
      : reader_(std::move(on_message)), of_(of), watcher_(watcher) {}
  json::Handler* begin_document(std::string_view) override {
    ++begun_;
    reader_.reset();
    if (watcher_ == nullptr) return &reader_.handler();
    tee_.set(reader_.handler(), of_ == Of::kRequest ? watcher_->begin_request_document()
                                                    : watcher_->begin_response_document());
    return &tee_;
  }
  void end_document(bool) override {
    if (watcher_ == nullptr) return;
    of_ == Of::kRequest ? watcher_->end_request_document() : watcher_->end_response_document();
  }
  uint64_t begun() const { return begun_; }

 private:
  McpReader reader_;
  const Of of_;
  DocumentWatcher* const watcher_;
  json::Tee tee_;
  uint64_t begun_ = 0;
};

}  // namespace sidespan::semconv
