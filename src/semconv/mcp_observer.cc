#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "semconv/json_rpc.h"
#include "semconv/mcp_post_calls.h"
#include "semconv/tap_observers.h"
#include "sidespan/base/memory_ledger.h"
#include "sidespan/base/text.h"
#include "sidespan/semconv/attributes.h"
#include "sidespan/semconv/body_reader.h"
#include "sidespan/semconv/mcp.h"
#include "sidespan/semconv/mcp_calls.h"
#include "sidespan/semconv/mcp_span.h"

namespace sidespan::semconv {
namespace {

constexpr size_t kOwnBytes = size_t{12} * 1024;
constexpr std::string_view kSessionField = "mcp-session-id";
constexpr std::string_view kVersionField = "mcp-protocol-version";
constexpr std::string_view kMethodField = "mcp-method";
constexpr std::string_view kNameField = "mcp-name";
constexpr std::string_view kCancelled = "notifications/cancelled";

// As much as of a message's own.
std::string field(const http::Headers& headers, std::string_view name) {
  constexpr size_t kValueBytesMax = 1024;
  return std::string(headers.find(name).value_or("").substr(0, kValueBytesMax));
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

// A POST to a server, or what else a session sends.
class McpObserver final : public Observer {
 public:
  // `session`: what the requests' answers may come by elsewhere, where that is known already.
  McpObserver(const CallFacts& facts, const ObserverOptions& options, bool sure,
              std::string session)
      : requests_([this](const McpMessage& message) { on_request(message); }),
        answers_([this](const McpMessage& message) { on_answer(message); }),
        // What only may be MCP is somebody else's to be read, perhaps.
        watcher_(sure ? facts.watcher : nullptr),
        request_(make_body_reader(facts.request.headers, {}, requests_)),
        // Who has no span has none for its calls.
        calls_(facts.sampled ? facts.mcp_calls : nullptr, facts.mcp_sink),
        elsewhere_(facts.mcp_calls),
        sink_(facts.mcp_sink),
        redact_(options.redact),
        url_(facts.url),
        start_(facts.start),
        session_(field(facts.request.headers, kSessionField)),
        version_(field(facts.request.headers, kVersionField)),
        sure_(sure),
        ends_session_(facts.request.asks("DELETE")) {
    requests_.set_watcher(watcher_, true);
    answers_.set_watcher(watcher_, false);
    named_.method = field(facts.request.headers, kMethodField);
    named_.target = field(facts.request.headers, kNameField);
    share(std::move(session));
  }

  void on_request_bytes(std::string_view bytes, MonoTime now) override {
    now_ = now;
    if (request_) request_->feed(bytes);
  }
  void on_request_end() override {
    if (request_) request_->finish(true);
    request_.reset();
  }
  void on_response_head(const http::Head& head, MonoTime now) override {
    now_ = now;
    status_ = head.status;
    // The server gives it with its answer to `initialize`.
    if (session_.empty()) session_ = field(head.headers, kSessionField);
    if (shared_.empty() && !session_.empty()) share(mcp_session_by_id(url_, session_));
    if (watcher_ != nullptr) watcher_->begin_answer(false);
    response_ = make_body_reader(head.headers, {}, answers_);
    events_ =
        response_ && framing_of(head.headers.find(http::FieldName::kContentType).value_or("")) ==
                         BodyFraming::kEvents;
    if (ends_session_ && is_success(status_) && elsewhere_ != nullptr && !shared_.empty()) {
      elsewhere_->end_session(shared_, {.ending = Ending::kAgentCancelled, .at = now}, *sink_);
    }
  }
  void on_response_bytes(std::string_view bytes, MonoTime now) override {
    now_ = now;
    if (response_) response_->feed(bytes);
  }
  void on_end(End end, MonoTime) override {
    if (request_) request_->finish(false);
    if (response_) response_->finish(end == End::kWhole);
    calls_.settle(goes_on(end));
    events_ = events_ && response_->state() == BodyReader::State::kReading;
    learn_version();
    request_.reset();
    response_.reset();
  }
  void on_silenced() override { calls_.leave_out(); }
  void describe(trace::Span& span) const override {
    if (events_) {
      span.attributes.set(attribute::kStreamEvents, static_cast<int64_t>(answers_.begun()));
    }
    const McpMessage* request = calls_.request();
    if (request == nullptr) request = &named_;
    if (calls_.count() > 1 || calls_.have_spans() || request->method.empty()) {
      return describe_session(span);
    }
    describe_mcp(span,
                 {.request = request,
                  .answer = calls_.answer(),
                  .session_id = session_,
                  .protocol_version = version_,
                  .transport = "tcp",
                  .progress = calls_.progress()},
                 redact_);
  }
  void emit_calls(const HttpFacts& post, const HttpSpanOptions& options, Random& random) override {
    calls_.emit(post, options, {.id = session_, .version = version_}, random);
  }
  bool is_mcp() const override { return true; }
  bool reads_documents() const override { return watcher_ != nullptr; }
  const McpMessage* mcp_request() const override {
    return calls_.count() == 1 && notifications_ == 0 ? calls_.request() : nullptr;
  }

 private:
  static bool is_success(int status) { return status >= 200 && status < 300; }

  void share(std::string session) {
    if (elsewhere_ == nullptr || session.empty()) return;
    shared_ = std::move(session);
    learn_version();
    calls_.share(shared_, now_);
  }
  // The old transport says it once, in the answer to `initialize`; the session may end before we
  // do.
  void learn_version() {
    if (version_.empty() && session_.empty() && !shared_.empty()) {
      version_ = elsewhere_->version_of(shared_);
    }
  }
  void on_request(const McpMessage& message) {
    const bool ours = message.json_rpc && (sure_ || is_mcp_method(message.method));
    if (message.method.empty() || !ours) return;
    if (!message.id.empty()) {
      return calls_.on_request(message, {now_, start_.wall + (now_ - start_.mono)});
    }
    ++notifications_;
    named_ = notifications_ == 1 ? message : McpMessage();
    if (message.method == kCancelled && elsewhere_ != nullptr && !shared_.empty()) {
      elsewhere_->cancel(shared_, message.cancelled_id, now_, *sink_);
    }
  }
  void on_answer(const McpMessage& message) {
    if (message.is_progress()) return on_progress(message.progress_token);
    // What the server asks has an id, too: one of its own.
    if (!message.answers || !message.method.empty() || message.id.empty()) return;
    if (calls_.on_answer(message, now_) || elsewhere_ == nullptr || shared_.empty()) return;
    elsewhere_->answer(shared_, message, now_, *sink_);
  }
  void on_progress(const std::string& token) {
    if (calls_.on_progress(token) || elsewhere_ == nullptr || shared_.empty()) return;
    elsewhere_->progress(shared_, token);
  }
  // Whether what is not answered may be so on another stream: the server has only taken note of it,
  // or its stream of events can be taken up where it ended.
  bool goes_on(End end) const {
    if (shared_.empty() || !is_success(status_) || end == End::kCancelled) return false;
    constexpr int kAccepted = 202;
    const bool noted = status_ == kAccepted && end == End::kWhole;
    return noted || (events_ && response_ && response_->has_event_ids());
  }
  // A stream of the server's, the end of a session, answers to what the server asked, or requests
  // that have spans of their own.
  void describe_session(trace::Span& span) const {
    if (!sure_ && calls_.count() == 0) return;
    if (!session_.empty()) {
      span.attributes.set(attribute::kMcpSessionId, std::string_view(session_));
    }
    if (!version_.empty()) {
      span.attributes.set(attribute::kMcpProtocolVersion, std::string_view(version_));
    }
  }

  const MemoryCharge charge_{kOwnBytes};
  RpcDocuments<McpReader> requests_;
  RpcDocuments<McpReader> answers_;
  DocumentWatcher* const watcher_;
  std::unique_ptr<BodyReader> request_;
  std::unique_ptr<BodyReader> response_;
  McpPostCalls calls_;
  McpCalls* const elsewhere_;
  McpCallSink* const sink_;
  const std::vector<std::string>& redact_;
  const http::Url url_;
  const Moment start_;
  MonoTime now_{};
  std::string session_;
  std::string version_;
  std::string shared_;  // the session, as McpCalls has it
  // What the fields say, or the one notification; a request itself says more.
  McpMessage named_;
  uint64_t notifications_ = 0;
  int status_ = 0;
  bool events_ = false;  // the answer is a stream of them, and all are counted
  const bool sure_;      // its fields, or where it goes, say that it is MCP
  const bool ends_session_;
};

// The session of a request, as McpCalls has it; empty: none is known yet.
std::string session_of(const CallFacts& facts) {
  const std::string_view id = facts.request.headers.find(kSessionField).value_or("");
  return id.empty() ? std::string() : mcp_session_by_id(facts.url, id);
}

// The same of one that goes to where a stream said (2024-11-05).
bool may_be_named(const CallFacts& facts) {
  return facts.mcp_calls != nullptr && facts.request.asks("POST");
}
std::string endpoint_of(const CallFacts& facts) {
  return may_be_named(facts) ? facts.mcp_calls->session_at(facts.url) : std::string();
}

}  // namespace

std::unique_ptr<Observer> make_mcp_observer(const CallFacts& facts,
                                            const ObserverOptions& options) {
  const bool has_field = facts.beginnings.may_have("mc") && has_mcp_field(facts.request.headers);
  if (!has_field && !may_be_named(facts)) return nullptr;
  std::string session = has_field ? session_of(facts) : std::string();
  const bool named = session.empty() && !(session = endpoint_of(facts)).empty();
  if (!has_field && !named) return nullptr;
  return std::make_unique<McpObserver>(facts, options, true, std::move(session));
}

// It has none of these fields yet, but must take both kinds of answers.
std::unique_ptr<Observer> make_likely_mcp_observer(const CallFacts& facts,
                                                   const ObserverOptions& options) {
  const http::Headers& headers = facts.request.headers;
  const bool likely = facts.request.asks("POST") &&
                      headers.lists(http::FieldName::kContentType, "application/json") &&
                      headers.lists("accept", "text/event-stream") &&
                      headers.lists("accept", "application/json");
  return likely ? std::make_unique<McpObserver>(facts, options, false, std::string()) : nullptr;
}

}  // namespace sidespan::semconv
