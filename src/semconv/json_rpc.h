// What the protocols that speak JSON-RPC 2.0 in bodies have in common (MCP, A2A): how an id is kept
// and told, what an error is on a span, and what joins BodyReader with a reader of messages. Used
// by their readers, spans and observers; which methods are whose is theirs to know.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "sidespan/json/picker.h"
#include "sidespan/json/tee.h"
#include "sidespan/semconv/body_reader.h"
#include "sidespan/semconv/observer.h"
#include "sidespan/trace/span.h"

namespace sidespan::semconv {

// Longer ids, names and addresses are cut: they would make no good attributes.
inline constexpr size_t kRpcTextBytesMax = 1024;

// Of a value picked as JSON. One that is null, none at all, or too long to be told from another is
// not taken.
void take_rpc_id(std::string& id, const json::Picked& picked);
// As `jsonrpc.request.id` has it: a string without its quotes.
std::string_view unquoted_rpc_id(std::string_view id);
// An answer that is an error makes the span one, by the code.
void describe_rpc_error(trace::Span& span, int64_t code);

// The messages in the documents of a body. `Reader` has handler() and reset().
template <class Reader>
class RpcDocuments final : public BodySink {
 public:
  template <class... Args>
  explicit RpcDocuments(Args&&... args) : reader_(std::forward<Args>(args)...) {}
  // Who reads them, too; null: nobody. Before the first of them.
  void set_watcher(DocumentWatcher* watcher, bool of_request) {
    watcher_ = watcher;
    of_request_ = of_request;
  }
  json::Handler* begin_document(std::string_view) override {
    ++begun_;
    reader_.reset();
    if (watcher_ == nullptr) return &reader_.handler();
    tee_.set(reader_.handler(), of_request_ ? watcher_->begin_request_document()
                                            : watcher_->begin_response_document());
    return &tee_;
  }
  void end_document(bool) override {
    if (watcher_ == nullptr) return;
    of_request_ ? watcher_->end_request_document() : watcher_->end_response_document();
  }
  uint64_t begun() const { return begun_; }

 private:
  Reader reader_;
  DocumentWatcher* watcher_ = nullptr;
  bool of_request_ = false;
  json::Tee tee_;
  uint64_t begun_ = 0;
};

}  // namespace sidespan::semconv
