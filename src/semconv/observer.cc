#include "sidespan/semconv/observer.h"

#include "semconv/mcp_stream.h"
#include "semconv/tap_observers.h"
#include "semconv/websocket_tally.h"
#include "sidespan/base/text.h"
#include "sidespan/http/sse.h"
#include "sidespan/semconv/attributes.h"

namespace sidespan::semconv {
namespace {

constexpr std::string_view kEvents = "text/event-stream";

// Needs no limit: it keeps a counter and a few bytes of state, whatever the stream, unless that is
// one of MCP.
class StreamEventCounter final : public Observer {
 public:
  explicit StreamEventCounter(const CallFacts& facts) {
    if (facts.mcp_calls == nullptr || !facts.request.asks("GET")) return;
    mcp_ = std::make_unique<McpStream>(facts.url, *facts.mcp_calls, *facts.mcp_sink);
  }
  void on_response_bytes(std::string_view bytes, MonoTime now) override {
    counter_.feed(bytes);
    if (!mcp_) return;
    mcp_->feed(bytes, now);
    if (mcp_->is_other()) mcp_.reset();
  }
  void on_end(End end, MonoTime now) override {
    if (!mcp_) return;
    mcp_->end(end == End::kCancelled ? Ending::kAgentCancelled : Ending::kOriginClosed, now);
  }
  void describe(trace::Span& span) const override {
    span.attributes.add(attribute::kStreamEvents, static_cast<int64_t>(counter_.events()));
  }

 private:
  http::SseCounter counter_;
  std::unique_ptr<McpStream> mcp_;  // as long as it may be one
};

class WebSocketObserver final : public Observer {
 public:
  void on_response_bytes(std::string_view bytes, MonoTime) override { tally_.on_received(bytes); }
  void on_switched_request_bytes(std::string_view bytes, MonoTime) override {
    tally_.on_sent(bytes);
  }
  void describe(trace::Span& span) const override { tally_.describe(span); }
  bool said_close(Side side) const override { return tally_.said_close(side); }

 private:
  WebSocketTally tally_;
};

bool is_encoded(const http::Headers& headers) {
  const std::string_view coding = headers.find(http::FieldName::kContentEncoding).value_or("");
  return !coding.empty() && !text::equal_ignoring_case(coding, "identity");
}

}  // namespace

std::unique_ptr<Observer> make_request_observer(const CallFacts& facts,
                                                const ObserverOptions& options) {
  if (std::unique_ptr<Observer> grpc = make_grpc_observer(facts)) return grpc;
  const bool posts = facts.request.asks("POST");
  if (std::unique_ptr<Observer> model = posts ? make_model_observer(facts, options)
                                              : make_model_socket_observer(facts, options)) {
    return model;
  }
  if (std::unique_ptr<Observer> queue = make_aws_queue_observer(facts, options)) return queue;
  if (std::unique_ptr<Observer> mcp = make_mcp_observer(facts, options)) return mcp;
  if (std::unique_ptr<Observer> a2a = make_a2a_observer(facts)) return a2a;
  return posts ? make_likely_a2a_observer(facts, make_likely_mcp_observer(facts, options))
               : nullptr;
}

bool may_be_observed(const http::Head& response) {
  if (response.status == http::kSwitchingProtocols) return true;
  const std::string_view type = response.headers.find(http::FieldName::kContentType).value_or("");
  return text::equal_ignoring_case(type.substr(0, kEvents.size()), kEvents);
}

std::unique_ptr<Observer> make_response_observer(const CallFacts& facts,
                                                 const http::Head& response) {
  if (response.status == http::kSwitchingProtocols) {
    return response.headers.lists("upgrade", "websocket") ? std::make_unique<WebSocketObserver>()
                                                          : nullptr;
  }
  if (!may_be_observed(response)) return nullptr;
  if (http::media_type(response.headers).size() != kEvents.size()) return nullptr;
  // Compressed bytes have no lines to count; no number is better than a wrong one.
  if (is_encoded(response.headers)) return nullptr;
  return std::make_unique<StreamEventCounter>(facts);
}

}  // namespace sidespan::semconv
