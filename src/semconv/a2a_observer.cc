#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "semconv/a2a.h"
#include "semconv/json_rpc.h"
#include "semconv/tap_observers.h"
#include "sidespan/base/memory_ledger.h"
#include "sidespan/base/text.h"
#include "sidespan/http/sse.h"
#include "sidespan/semconv/attributes.h"
#include "sidespan/semconv/body_reader.h"

namespace sidespan::semconv {
namespace {

// Two readers of JSON, and a dozen texts.
constexpr size_t kOwnBytes = size_t{24} * 1024;
constexpr std::string_view kVersionField = "a2a-version";

bool is_events(const http::Headers& headers) {
  return framing_of(headers.find(http::FieldName::kContentType).value_or("")) ==
         BodyFraming::kEvents;
}

// What an A2A call is on a span (OpenTelemetry gen-ai/a2a).
struct A2aCall {
  A2aMethod method;
  const A2aRequest& request;
  const A2aAnswer& answer;
  std::string_view path_task_id;  // of the HTTP+JSON binding
  std::string_view version;       // empty: none was told
};

// Of a config of push notifications `id` is its own.
std::string_view task_of(const A2aCall& call) {
  if (!call.path_task_id.empty()) return call.path_task_id;
  if (!call.request.task().empty()) return call.request.task();
  if (!call.answer.task_id.empty()) return call.answer.task_id;
  const bool of_config =
      call.method == A2aMethod::kCreatePushConfig || call.method == A2aMethod::kGetPushConfig;
  return of_config ? std::string_view() : std::string_view(call.answer.object_id);
}

void describe_a2a(trace::Span& span, const A2aCall& call) {
  const auto set = [&](const attribute::Name& name, std::string_view value) {
    if (!value.empty()) span.attributes.set(name, value);
  };
  const A2aRequest& request = call.request;
  span.name = name_of(call.method);
  set(attribute::kA2aMethodName, name_of(call.method));
  set(attribute::kA2aProtocolVersion, call.version);
  set(attribute::kA2aTenant, request.tenant);
  set(attribute::kA2aMessageId, request.message_id);
  set(attribute::kA2aTaskId, task_of(call));
  set(attribute::kA2aTaskState, call.answer.task_state);
  set(attribute::kGenAiConversationId,
      request.context_id.empty() ? call.answer.context_id : request.context_id);
  set(attribute::kJsonrpcRequestId, unquoted_rpc_id(request.id));
  if (!request.reference_task_ids.empty()) {
    const std::vector<std::string_view> ids(request.reference_task_ids.begin(),
                                            request.reference_task_ids.end());
    span.attributes.set(attribute::kA2aMessageReferenceTaskIds,
                        std::span<const std::string_view>(ids));
  }
  if (call.answer.error_code) describe_rpc_error(span, *call.answer.error_code);
}

// What is known of a call before its body.
struct A2aHead {
  A2aBinding binding = A2aBinding::kJsonRpc;
  bool declared = false;  // a field says that it is A2A
  std::string version = {};
  std::optional<A2aMethod> path_method = {};
  std::string path_task_id = {};
  bool path_is_enough = false;
};

class A2aObserver final : public Observer {
 public:
  // `headers` null: the body is JSON, as it is.
  A2aObserver(A2aHead head, const http::Headers* headers)
      : head_(std::move(head)),
        requests_(head_.binding, request_),
        answers_(head_.binding, answer_),
        request_body_(headers != nullptr
                          ? make_body_reader(*headers, {}, requests_)
                          : std::make_unique<BodyReader>(BodyFraming::kJson, http::Codings{},
                                                         BodyLimits{}, requests_)) {}

  void on_request_bytes(std::string_view bytes, MonoTime) override {
    if (!request_body_) return;
    request_body_->feed(bytes);
    // What is another's is read no further.
    if (!request_.method.empty() && !a2a_method(request_.method)) request_body_.reset();
  }
  void on_request_end() override {
    if (request_body_) request_body_->finish(true);
    request_body_.reset();
  }
  void on_response_head(const http::Head& head, MonoTime) override {
    response_body_ = make_body_reader(head.headers, {}, answers_);
    events_ = response_body_ && is_events(head.headers);
  }
  void on_response_bytes(std::string_view bytes, MonoTime) override {
    if (response_body_) response_body_->feed(bytes);
  }
  void on_end(End end, MonoTime) override {
    if (request_body_) request_body_->finish(false);
    if (response_body_) {
      response_body_->finish(end == End::kWhole);
      events_ = events_ && response_body_->state() == BodyReader::State::kReading;
    }
    request_body_.reset();
    response_body_.reset();
  }
  void describe(trace::Span& span) const override {
    if (events_) {
      span.attributes.set(attribute::kStreamEvents, static_cast<int64_t>(answers_.begun()));
    }
    const std::optional<A2aMethod> method = recognized();
    if (!method) return;
    describe_a2a(span, {.method = *method,
                        .request = request_,
                        .answer = answer_,
                        .path_task_id = head_.path_task_id,
                        .version = head_.version});
  }

  std::optional<A2aMethod> recognized() const {
    if (head_.binding == A2aBinding::kJsonRpc) return recognize_a2a(request_, head_.declared);
    if (head_.declared || head_.path_is_enough) return head_.path_method;
    // A task of A2A, and the one that was asked for.
    const bool is_task = !answer_.task_state.empty() && !answer_.context_id.empty();
    const std::string& id = answer_.object_id.empty() ? answer_.task_id : answer_.object_id;
    return is_task && id == head_.path_task_id ? head_.path_method : std::nullopt;
  }

 private:
  const MemoryCharge charge_{kOwnBytes};
  const A2aHead head_;
  A2aRequest request_;
  A2aAnswer answer_;
  RpcDocuments<A2aRequestReader> requests_;
  RpcDocuments<A2aAnswerReader> answers_;
  std::unique_ptr<BodyReader> request_body_;
  std::unique_ptr<BodyReader> response_body_;
  bool events_ = false;  // the answer is a stream of them, and all are counted
};

// Whether a JSON body is a call of A2A must show at its beginning, for the sake of all others: they
// are looked at there and no further.
class LikelyA2aObserver final : public Observer {
 public:
  explicit LikelyA2aObserver(std::unique_ptr<Observer> other) : other_(std::move(other)) {}

  void on_request_bytes(std::string_view bytes, MonoTime now) override {
    if (other_) other_->on_request_bytes(bytes, now);
    if (a2a_) return a2a_->on_request_bytes(bytes, now);
    if (looking_) look_at(bytes, now);
  }
  void on_request_end() override {
    if (other_) other_->on_request_end();
    looking_ = false;
    if (!a2a_) return;
    a2a_->on_request_end();
    // It is known now whose it is.
    if (a2a_->recognized()) {
      other_.reset();
    } else if (!answered_) {
      a2a_.reset();
    }
  }
  void on_response_head(const http::Head& head, MonoTime now) override {
    answered_ = true;
    if (other_) other_->on_response_head(head, now);
    if (a2a_) a2a_->on_response_head(head, now);
    if (!other_ && !a2a_ && is_events(head.headers) && !head.headers.contains("content-encoding")) {
      events_.emplace();
    }
  }
  void on_response_bytes(std::string_view bytes, MonoTime now) override {
    if (other_) other_->on_response_bytes(bytes, now);
    if (a2a_) a2a_->on_response_bytes(bytes, now);
    if (events_) events_->feed(bytes);
  }
  void on_end(End end, MonoTime now) override {
    if (other_) other_->on_end(end, now);
    if (a2a_) a2a_->on_end(end, now);
  }
  void on_silenced() override {
    if (other_) other_->on_silenced();
  }
  void describe(trace::Span& span) const override {
    if (a2a_ && (a2a_->recognized() || !other_)) return a2a_->describe(span);
    if (other_) return other_->describe(span);
    if (events_) {
      span.attributes.set(attribute::kStreamEvents, static_cast<int64_t>(events_->events()));
    }
  }
  void emit_calls(const HttpFacts& facts, const HttpSpanOptions& options, Random& random) override {
    if (other_) other_->emit_calls(facts, options, random);
  }
  bool is_mcp() const override { return other_ && other_->is_mcp(); }
  const McpMessage* mcp_request() const override {
    return other_ ? other_->mcp_request() : nullptr;
  }

 private:
  static constexpr std::string_view kMethodMember = "\"method\"";
  static constexpr size_t kLookBytesMax = 1024;

  void look_at(std::string_view bytes, MonoTime now) {
    std::string_view seen = bytes.substr(0, kLookBytesMax - beginning_.size());
    const std::string_view rest = bytes.substr(seen.size());
    if (!beginning_.empty()) seen = beginning_.append(seen);
    if (seen.find(kMethodMember) != std::string_view::npos) {
      a2a_ = std::make_unique<A2aObserver>(A2aHead{}, nullptr);
      a2a_->on_request_bytes(seen, now);
      a2a_->on_request_bytes(rest, now);
    }
    looking_ = !a2a_ && seen.size() < kLookBytesMax;
    if (!looking_) {
      beginning_ = {};
    } else if (beginning_.empty()) {
      beginning_ = seen;
    }
  }

  std::unique_ptr<Observer> other_;
  std::unique_ptr<A2aObserver> a2a_;
  std::string beginning_;  // where it came in pieces
  bool looking_ = true;
  bool answered_ = false;
  std::optional<http::SseCounter> events_;
};

// One of A2A-Version, A2A-Extensions, X-A2A-Extensions: asked of every request.
bool is_declared(const http::Headers& headers) {
  constexpr std::string_view kBeginning = "a2a-";
  for (size_t i = 0; i < headers.size(); ++i) {
    if (headers.line(i).known != http::FieldName::kOther) continue;
    std::string_view name = headers.at(i).name;
    const char first = name.empty() ? '\0' : text::to_lower(name.front());
    if (first != 'a' && first != 'x') continue;
    if (text::equal_ignoring_case(name.substr(0, 2), "x-")) name.remove_prefix(2);
    if (text::equal_ignoring_case(name.substr(0, kBeginning.size()), kBeginning)) return true;
  }
  return false;
}

}  // namespace

std::unique_ptr<Observer> make_a2a_observer(const CallFacts& facts) {
  const http::Headers& headers = facts.request.headers;
  const std::string_view method = facts.request.method();
  if (facts.request.asks("GET") && is_agent_card_path(facts.path)) {
    return make_agent_card_observer();
  }
  const std::optional<A2aPath> path = a2a_path(method, facts.path);
  const bool may_be_declared = facts.beginnings.may_have("a2") || facts.beginnings.may_have("x-");
  const bool declared = may_be_declared && is_declared(headers);
  const bool by_path = path && (declared || path->unmistakable || path->versioned);
  if (!by_path && !(declared && facts.request.asks("POST"))) return nullptr;
  A2aHead head{.declared = declared};
  if (by_path) {
    head.binding = A2aBinding::kRest;
    head.path_method = path->method;
    head.path_task_id = path->task_id;
    head.path_is_enough = path->unmistakable;
  }
  const std::string_view version = headers.find(kVersionField).value_or("");
  head.version = version.substr(0, kRpcTextBytesMax);
  return std::make_unique<A2aObserver>(std::move(head), &headers);
}

std::unique_ptr<Observer> make_likely_a2a_observer(const CallFacts& facts,
                                                   std::unique_ptr<Observer> likely_mcp) {
  const http::Headers& headers = facts.request.headers;
  const bool may_be =
      facts.request.asks("POST") && !headers.contains("content-encoding") &&
      framing_of(headers.find(http::FieldName::kContentType).value_or("")) == BodyFraming::kJson;
  if (!may_be) return likely_mcp;
  return std::make_unique<LikelyA2aObserver>(std::move(likely_mcp));
}

}  // namespace sidespan::semconv
