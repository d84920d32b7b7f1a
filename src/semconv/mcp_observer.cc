#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <utility>

#include "semconv/tap_observers.h"
#include "sidespan/base/memory_ledger.h"
#include "sidespan/base/text.h"
#include "sidespan/semconv/attributes.h"
#include "sidespan/semconv/body_reader.h"
#include "sidespan/semconv/mcp.h"
#include "sidespan/semconv/mcp_span.h"

namespace sidespan::semconv {
namespace {

constexpr size_t kOwnBytes = size_t{12} * 1024;
constexpr std::string_view kSessionField = "mcp-session-id";
constexpr std::string_view kVersionField = "mcp-protocol-version";
constexpr std::string_view kMethodField = "mcp-method";
constexpr std::string_view kNameField = "mcp-name";

std::string field(const http::Headers& headers, std::string_view name) {
  return std::string(headers.find(name).value_or(""));
}

// Other protocols speak JSON-RPC over HTTP, too (A2A, language servers, ledgers).
bool is_mcp_method(std::string_view method) {
  constexpr std::array<std::string_view, 6> kBeginnings = {"tools/",      "resources/", "prompts/",
                                                           "completion/", "logging/",   "server/"};
  return method == "initialize" || method == "ping" ||
         std::ranges::any_of(kBeginnings,
                             [&](std::string_view known) { return method.starts_with(known); });
}

// One of Mcp-Session-Id, Mcp-Protocol-Version, Mcp-Method: asked of every request.
bool has_mcp_field(const http::Headers& headers) {
  constexpr std::string_view kBeginning = "mcp-";
  for (size_t i = 0; i < headers.size(); ++i) {
    if (headers.line(i).known != http::FieldName::kOther) continue;
    const std::string_view name = headers.at(i).name;
    if (text::equal_ignoring_case(name.substr(0, kBeginning.size()), kBeginning)) return true;
  }
  return false;
}

// JSON-RPC messages of one side.
class Messages final : public BodySink {
 public:
  explicit Messages(McpReader::OnMessage on_message) : reader_(std::move(on_message)) {}
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

// A POST of streamable HTTP, or what else a session sends. Several requests in one POST (a batch)
// are only counted as HTTP.
class McpObserver final : public Observer {
 public:
  McpObserver(const http::Headers& headers, bool sure)
      : requests_([this](const McpMessage& message) { on_request(message); }),
        answers_([this](const McpMessage& message) { on_answer(message); }),
        request_(make_body_reader(headers, {}, requests_)),
        session_(field(headers, kSessionField)),
        version_(field(headers, kVersionField)),
        sure_(sure) {
    call_.method = field(headers, kMethodField);
    call_.target = field(headers, kNameField);
  }

  void on_request_bytes(std::string_view bytes) override {
    if (request_) request_->feed(bytes);
  }
  void on_request_end() override {
    if (request_) request_->finish(true);
    request_.reset();
  }
  void on_response_head(const http::Head& head, MonoTime) override {
    // The server gives it with its answer to `initialize`.
    if (session_.empty()) session_ = field(head.headers, kSessionField);
    response_ = make_body_reader(head.headers, {}, answers_);
    events_ = framing_of(head.headers.find("content-type").value_or("")) == BodyFraming::kEvents;
  }
  void on_response_bytes(std::string_view bytes, MonoTime) override {
    if (response_) response_->feed(bytes);
  }
  void on_end(End end) override {
    if (request_) request_->finish(false);
    if (response_) response_->finish(end == End::kWhole);
    request_.reset();
    response_.reset();
  }
  void describe(trace::Span& span) const override {
    if (events_) {
      span.attributes.set(attribute::kStreamEvents, static_cast<int64_t>(answers_.begun()));
    }
    if (calls_ > 1 || call_.method.empty()) return describe_session(span);
    describe_mcp(span, {.request = &call_,
                        .answer = answer_ ? &*answer_ : nullptr,
                        .session_id = session_,
                        .protocol_version = version_,
                        .transport = "tcp"});
  }
  bool is_mcp() const override { return true; }

 private:
  void on_request(const McpMessage& message) {
    const bool ours = message.json_rpc && (sure_ || is_mcp_method(message.method));
    if (message.method.empty() || !ours) return;
    ++calls_;
    if (calls_ == 1) call_ = message;
  }
  void on_answer(const McpMessage& message) {
    if (message.answers && message.id == call_.id) answer_ = message;
  }
  // A stream of the server's, the end of a session, answers to what the server asked.
  void describe_session(trace::Span& span) const {
    if (!sure_) return;
    if (!session_.empty()) {
      span.attributes.set(attribute::kMcpSessionId, std::string_view(session_));
    }
    if (!version_.empty()) {
      span.attributes.set(attribute::kMcpProtocolVersion, std::string_view(version_));
    }
  }

  const MemoryCharge charge_{kOwnBytes};
  Messages requests_;
  Messages answers_;
  std::unique_ptr<BodyReader> request_;
  std::unique_ptr<BodyReader> response_;
  std::string session_;
  std::string version_;
  McpMessage call_;
  std::optional<McpMessage> answer_;
  bool events_ = false;  // the answer is a stream of them
  uint64_t calls_ = 0;
  bool sure_;  // its fields say that it is MCP
};

}  // namespace

std::unique_ptr<Observer> make_mcp_observer(const CallFacts& facts) {
  const http::Headers& headers = facts.request.headers;
  const bool sure = has_mcp_field(headers);
  // A client's first request may have none of these, but it must take both kinds of answers.
  const bool likely =
      facts.request.asks("POST") && headers.lists("content-type", "application/json") &&
      headers.lists("accept", "text/event-stream") && headers.lists("accept", "application/json");
  if (!sure && !likely) return nullptr;
  return std::make_unique<McpObserver>(headers, sure);
}

}  // namespace sidespan::semconv
