// Calls of models that an exchange is, or that share it: their metrics, and of those that have a
// span of their own that, and whose they are.
#include <memory>
#include <string>
#include <utility>

#include "exchange.h"

namespace sidespan::proxy {
namespace {

using End = semconv::Observer::End;

semconv::Ending ending_of(End end) {
  switch (end) {
    case End::kWhole:
      return semconv::Ending::kComplete;
    case End::kCancelled:
      return semconv::Ending::kAgentCancelled;
    case End::kBroken:
      return semconv::Ending::kOriginClosed;
  }
  return semconv::Ending::kComplete;
}

}  // namespace

// Whose one of the calls is that share this exchange: its trace is that of the exchange, so that
// what lies elsewhere is linked.
class Exchange::CallWatch final : public semconv::SharedCallWatcher {
 public:
  CallWatch(Exchange& exchange, lineage::Registry& registry)
      : exchange_(exchange),
        registry_(registry),
        begun_(exchange.moment_of(exchange.last_activity_)),
        span_(trace::SpanId::make(exchange.worker_.random)),
        lineage_(registry, !exchange.trace_->is_open()) {
    lineage_.begin_shared();
  }
  CallWatch(const CallWatch&) = delete;
  CallWatch& operator=(const CallWatch&) = delete;
  ~CallWatch() override { end(lineage::CallEnd::kOther, {}); }

  json::Handler* begin_request_document() override { return documents().begin_request_document(); }
  void end_request_document() override { documents().end_request_document(); }
  void begin_answer(bool pieces) override { documents().begin_answer(pieces); }
  json::Handler* begin_response_document() override {
    return documents().begin_response_document();
  }
  void end_response_document() override { documents().end_response_document(); }
  void on_said(MonoTime at) override { lineage_.on_response_bytes({}, at); }
  void on_other_message(MonoTime at) override {
    lineage_.on_request_end(at);
    lineage_.pass(at);
  }
  void on_asked(const semconv::genai::Call& call, MonoTime at) override;

  trace::SpanId span() const { return span_; }
  // Its turn is in the trace of the exchange.
  bool in_turn() const {
    return lineage_.joined() && lineage_.place().execution && lineage_.place().is_turn &&
           lineage_.place().parent.trace_id == exchange_.trace_->span().trace_id;
  }
  void end(lineage::CallEnd how, const lineage::TokenSum& tokens);
  // Views are into this.
  void describe(semconv::HttpFacts& facts);
  void describe(trace::Span& span) const;

 private:
  semconv::DocumentWatcher& documents() { return lineage_; }

  Exchange& exchange_;
  lineage::Registry& registry_;
  const Moment begun_;
  const trace::SpanId span_;
  CallLineage lineage_;
  std::vector<lineage::SpanRef> links_;
  std::string turn_id_;
  bool ended_ = false;
};

void Exchange::CallWatch::on_asked(const semconv::genai::Call& call, MonoTime at) {
  CallTrace& trace = *exchange_.trace_;
  Random& random = exchange_.worker_.random;
  const Moment now = exchange_.moment_of(at);
  lineage::Call asked{.to_model = true, .start = begun_};
  const auto session = exchange_.agents_session(call);
  if (session) asked.session = lineage::hash_of(registry_.key(), *session);
  lineage_.on_request_end(at);
  if (lineage_.of_nobody()) {
    trace.ask_within(asked, registry_.key());
    asked.span = span_;
    links_ = lineage_.find_within(asked, now, random);
    lineage_.pass(at);
    return lineage_.drop_request();
  }
  trace.ask(asked, registry_.key(), random);
  asked.span = span_;
  asked.scope.span = lineage::ref_of(trace.span());
  asked.scope.is_call = true;
  const lineage::Joined& joined = lineage_.join(asked, now, random);
  lineage_.drop_request();
  if (joined.outlives) exchange_.work_.disown(now.mono);
  links_ = joined.links;
  if (joined.execution && joined.is_turn && !in_turn()) links_.push_back(joined.parent);
  if (joined.verdict == lineage::Joined::Verdict::kSeveral) {
    exchange_.worker_.metrics.lineage_ambiguous.add();
  }
  if (!joined.opened) return;
  registry_.set_context(joined.execution, trace.flags(), trace.tracestate(), trace.told_baggage());
  exchange_.hold_trace(joined, trace.flags());
}

void Exchange::CallWatch::end(lineage::CallEnd how, const lineage::TokenSum& tokens) {
  if (std::exchange(ended_, true)) return;
  const MonoTime now = exchange_.worker_.loop.now().mono;
  lineage_.on_response_end(true, now);
  lineage_.end(how, now, tokens);
}

void Exchange::CallWatch::describe(semconv::HttpFacts& facts) {
  if (!in_turn()) return;
  const lineage::Joined& place = lineage_.place();
  if (!place.opened) facts.parent_source = lineage::name_of(place.source);
  turn_id_ = place.parent.span_id.to_string();
  facts.turn_id = turn_id_;
  facts.turn_step = place.step;
  if (!facts.execution_id.empty()) return;
  facts.execution_id = turn_id_;
  facts.execution_source = facts.parent_source;
}

void Exchange::CallWatch::describe(trace::Span& span) const {
  if (in_turn()) span.parent_id = lineage_.place().parent.span_id;
  for (const lineage::SpanRef& link : links_) {
    span.links.push_back({context_of(link), trace::Attributes()});
  }
}

std::unique_ptr<semconv::SharedCallWatcher> Exchange::watch_call() {
  lineage::Registry* const registry = worker_.shared.lineage;
  if (registry == nullptr || !trace_) return nullptr;
  return std::make_unique<CallWatch>(*this, *registry);
}

void Exchange::record_model(const semconv::genai::Call& call, const semconv::HttpFacts& how,
                            MonoTime start) {
  if (trace_->agent_counts_itself()) return;
  const std::string otherwise = semconv::http_error_type(how);
  worker_.metrics.models.record(call,
                                {.host = url_.authority.host,
                                 .port = url_.port(),
                                 .error_type = semconv::genai::error_type_of(call.error, otherwise),
                                 .duration = worker_.loop.now().mono - start});
}

void Exchange::on_shared_call(const semconv::SharedCall& call) {
  if (!trace_) return;
  std::optional<Error> error;
  if (call.ending == End::kBroken) {
    error = Error{Code::kTruncated, Side::kOrigin, false, "the connection ended before the answer"};
  }
  semconv::HttpFacts how;
  how.ending = ending_of(call.ending);
  how.error = error ? &*error : nullptr;
  if (call.model_call != nullptr) record_model(*call.model_call, how, call.start);
  auto* const watch = static_cast<CallWatch*>(call.watcher);
  if (watch != nullptr && call.model_call != nullptr) {
    watch->end(end_of(*call.model_call, call.ending == End::kWhole, 0),
               watch->in_turn() ? tokens_told(*call.model_call) : lineage::TokenSum{});
  }
  if (!trace_->sampled()) return;
  std::string client;
  semconv::HttpFacts facts = facts_by_now(0, client);
  facts.start = moment_of(call.start);
  facts.end = worker_.loop.now().mono;
  facts.ending = how.ending;
  facts.error = how.error;
  if (watch != nullptr) watch->describe(facts);
  const trace::SpanId id = watch != nullptr ? watch->span() : trace::SpanId::make(worker_.random);
  trace::Span span = semconv::make_inner_span(facts, id, options_.spans);
  if (watch != nullptr) watch->describe(span);
  call.describe(span);
  worker_.sink.emit(std::move(span));
}

void Exchange::on_calls_unread(semconv::Unread reason, size_t under_way) {
  worker_.metrics.websockets_unread[static_cast<size_t>(reason)].add();
  worker_.metrics.websocket_calls_lost[static_cast<size_t>(reason)].add(under_way);
}

void Exchange::on_unwatched_answer(MonoTime at) {
  const bool again = std::exchange(unwatched_, true);
  if (worker_.shared.lineage != nullptr) worker_.shared.lineage->lose_sight(at, again);
}

}  // namespace sidespan::proxy
