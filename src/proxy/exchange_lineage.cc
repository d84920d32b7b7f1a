// Whose call it is, where its head does not say so: the request waits for its body where that may
// tell, within bounds, and the registry is asked before anything is forwarded. What comes to light
// later is linked, or is the parent in the trace that the call is in already.
#include <algorithm>
#include <string>

#include "exchange.h"
#include "sidespan/lineage/session.h"
#include "sidespan/semconv/attributes.h"
#include "sidespan/semconv/body_reader.h"
#include "sidespan/semconv/prices.h"

namespace sidespan::proxy {
namespace {

bool streams_documents(const http::Headers& headers) {
  const auto framing =
      semconv::framing_of(headers.find(http::FieldName::kContentType).value_or(""));
  return framing && *framing != semconv::BodyFraming::kJson;
}

}  // namespace

// To the one who asks whose call it is.
bool Exchange::is_opaque() const {
  return mode_ == semconv::Mode::kTunnel || grpc_;
}

void Exchange::make_lineage() {
  lineage::Registry* const registry = worker_.shared.lineage;
  if (registry == nullptr || is_opaque()) return;
  const bool of_nobody = !trace_->is_open();
  // Where nobody is at work only a call of a model is of interest, and nobody can be taken for
  // another.
  if (!is_somebody_at_work(*registry) && !request_.asks("POST")) return;
  lineage_ = std::make_unique<CallLineage>(*registry, of_nobody);
}

// In a trace that agents name, or by what is found of others.
bool Exchange::is_somebody_at_work(lineage::Registry& registry) {
  return !registry.idle() || !registry.traces().idle();
}

void Exchange::begin_lineage() {
  lineage::Registry* const registry = worker_.shared.lineage;
  const bool converses = observer_ && observer_->is_conversation();
  if (lineage_ && (converses || is_somebody_at_work(*registry))) {
    return lineage_->begin(request_, url_, observer_.get(), worker_.targets);
  }
  // Whom the observer tells stays.
  const bool watched = observer_ && observer_->reads_documents();
  if (lineage_ && watched) {
    lineage_->silence();
  } else {
    lineage_.reset();
  }
  // What belongs to nobody before anybody is at work: its address may be a constant of the agent's.
  // That of gRPC is a method's name.
  if (registry == nullptr || !trace_->is_open() || is_opaque()) return;
  const lineage::Target target = target_of(request_, url_);
  if (!target.may_tell()) return;
  const auto head = worker_.targets.glean(registry->key(), target);
  if (head->carried.values.empty() && head->carried.asked.empty()) return;
  const MonoTime now = worker_.loop.now().mono;
  if (head->is_told(now, registry->remembered())) return;
  head->told = now;
  registry->publish({}, lineage::Voice::kToolRequest, 0, head->carried, now);
}

// Only where the body may say more than the head, and the origin would see the difference. What
// asks first (Expect) would wait for us. A body of unknown length is one document where its type
// says so, and comes at once as a rule; a stream of them goes on as it comes, and so does a file in
// a form.
bool Exchange::waits_for_body() const {
  using Kind = http::BodyLength::Kind;
  const Limits& limits = options_.limits;
  const http::BodyLength& body = request_.body;
  if (limits.lineage_hold_time_max == Milliseconds(0)) return false;
  if (!body.may_have_bytes()) return false;
  if (body.kind == Kind::kKnown && body.bytes > limits.lineage_hold_bytes_max) return false;
  if (body.kind == Kind::kUnknown && streams_documents(request_.headers)) return false;
  if (!options_.inject || request_.upgrade || request_.headers.contains("expect")) return false;
  const bool reads = lineage_ && !lineage_->is_silent() && lineage_->reads_request();
  // Where nobody is at work who may be its parent there are links at most.
  const bool tells =
      reads && !lineage_->of_nobody() &&
      (!worker_.shared.lineage->idle() || (observer_ && observer_->is_conversation()));
  const bool hears_meta =
      observer_ && observer_->is_mcp() && trace_->hears_meta() &&
      semconv::framing_of(request_.headers.find(http::FieldName::kContentType).value_or(""))
          .has_value();
  return (tells || hears_meta) && known_->takes_context();
}

bool Exchange::has_all_that_tells() const {
  return lineage_ && lineage_->rest() == CallLineage::Rest::kNone;
}

// Of a form of unknown length, which is uploaded as somebody makes it. What came with the file's
// beginning is read yet.
bool Exchange::waits_for_a_file() const {
  return request_.body.kind == http::BodyLength::Kind::kUnknown && lineage_ &&
         lineage_->rest() == CallLineage::Rest::kLater;
}

void Exchange::on_body_awaited(bool in_time) {
  holding_ = false;
  writes_meta_ = writes_meta_ && in_time;
  const MonoTime now = worker_.loop.now().mono;
  worker_.metrics.lineage_hold.record(to_seconds(now - held_since_));
  in_time ? place() : trace_->decide(nullptr, {}, worker_.random);
  arm_timer();
  connect(false);
}

void Exchange::place_now() {
  if (!trace_ || !trace_->active()) return;
  if (!trace_->decided()) {
    place_with(meta_of_request());
    return pass_nobodys();
  }
  pass_nobodys();
  const lineage::Joined* const late = join();
  if (late == nullptr) return;
  link_anywhere(*late);
  lineage_->drop_request();
  trace_->join_late(*late);
  hold_trace(*late, late->parent.flags);
}

void Exchange::place_with(const CallTrace::Meta& meta) {
  const lineage::Joined* const joined = join();
  trace_->decide(joined, meta, worker_.random);
  if (send_started_) hold_own_trace();
  if (joined == nullptr) return;
  trace_->source() == lineage::Source::kMcpMeta ? link_within() : link_anywhere(*joined);
  lineage_->drop_request();
  if (!joined->opened) return;
  worker_.shared.lineage->set_context(joined->execution, trace_->flags(), trace_->tracestate(),
                                      trace_->told_baggage());
  hold_trace(*joined, trace_->flags());
}

// Until the turn that was opened is closed, and its span emitted.
void Exchange::hold_trace(const lineage::Joined& joined, uint8_t flags) {
  const bool sampled = (flags & trace::kSampledFlag) != 0;
  if (joined.opened && sampled) worker_.sink.hold_for_others(joined.parent.trace_id);
}

// However long the call takes, what came of its trace before waits for it.
void Exchange::hold_own_trace() {
  if (held_trace_ || !trace_->active() || !trace_->decided() || !trace_->sampled()) return;
  const trace::TraceId& id = trace_->span().trace_id;
  if (worker_.sink.hold(id)) held_trace_ = id;
}

void Exchange::release_own_trace() {
  if (held_trace_) worker_.sink.release(std::exchange(held_trace_, {}));
}

void Exchange::pass_nobodys() {
  const bool whole = lineage_ && lineage_->of_nobody() && request_ended_;
  if (!whole || lineage_->is_silent() || lineage_->joined()) return;
  link_within();
  lineage_->pass(worker_.loop.now().mono);
  lineage_->drop_request();
}

// Where the request names its trace, its parent is known, and not yet what asked for it there.
void Exchange::link_within() {
  lineage::Call call = asking();
  const lineage::HashKey& key = worker_.shared.lineage->key();
  if (lineage_->of_nobody() && !call.to_model) {
    trace_->ask_around(call, key);
    const auto asking = lineage_->find_asking(call, worker_.loop.now().mono);
    if (asking) trace_->link(*asking);
  }
  trace_->ask_within(call, key);
  for (const lineage::SpanRef& one :
       lineage_->find_within(call, worker_.loop.now(), worker_.random)) {
    trace_->link(one);
  }
}

// What asked for a call that belongs to nobody may be a model's whose trace is named.
void Exchange::link_anywhere(const lineage::Joined& joined) {
  const bool found = joined.verdict != lineage::Joined::Verdict::kNone;
  if (found || !lineage_->seeks_anywhere(worker_.loop.now().mono)) return;
  lineage::Call call = asking();
  if (call.to_model) return;
  trace_->ask_within(call, worker_.shared.lineage->key());
  const auto asking = lineage_->find_anywhere(call, worker_.loop.now(), worker_.random);
  if (asking) trace_->link(*asking);
}

// Of a call of a model, as its head or its body names it.
std::optional<lineage::Session> Exchange::agents_session(const semconv::genai::Call& call) const {
  const auto session = lineage::session_of(request_.headers, options_.session_headers);
  return session ? session : lineage::session_in_user_id(call.user_id);
}

// Beside what its trace knows.
lineage::Call Exchange::asking() const {
  lineage::Call call;
  call.to_model = observer_ && observer_->model_call() != nullptr;
  call.converses = call.to_model && observer_->is_conversation();
  call.start = start_;
  if (!call.to_model) return call;
  call.retries = lineage::is_sent_again(request_.headers);
  const auto session = agents_session(*observer_->model_call());
  if (session) call.session = lineage::hash_of(worker_.shared.lineage->key(), *session);
  return call;
}

// Null: nobody is to be asked, or was so before.
const lineage::Joined* Exchange::join() {
  const bool asks = lineage_ && mode_ != semconv::Mode::kIngress && !lineage_->is_silent() &&
                    !lineage_->of_nobody() && !lineage_->joined();
  if (!asks) return nullptr;
  lineage::Call call = asking();
  trace_->ask(call, worker_.shared.lineage->key(), worker_.random);
  const lineage::Joined& joined = lineage_->join(call, worker_.loop.now(), worker_.random);
  if (joined.outlives) work_.disown(worker_.loop.now().mono);
  if (joined.verdict == lineage::Joined::Verdict::kSeveral) worker_.metrics.lineage_ambiguous.add();
  return &joined;
}

lineage::CallEnd Exchange::end_lineage(semconv::Ending ending) {
  if (!lineage_ || (lineage_->is_silent() && !lineage_->joined())) return lineage::CallEnd::kOther;
  place();
  const bool complete = ending == semconv::Ending::kComplete;
  const semconv::genai::Call* const call = observer_ ? observer_->model_call() : nullptr;
  const bool asks = call != nullptr && observer_->is_conversation();
  const lineage::CallEnd how =
      asks ? end_of(*call, complete, response_.status) : lineage::CallEnd::kOther;
  const MonoTime now = worker_.loop.now().mono;
  if (has_failed(call, complete, response_.status)) {
    lineage_->fail(lineage::ref_of(trace_->span()), now);
  }
  lineage_->end(how, now, call != nullptr ? tokens_of(*call) : lineage::TokenSum{});
  return how;
}

// What the call's own span says, where that is the turn's child.
lineage::TokenSum Exchange::tokens_of(const semconv::genai::Call& call) const {
  const bool child = lineage_->joined() && trace_->is_child_of(lineage_->place().parent.span_id);
  return child ? tokens_told(call) : lineage::TokenSum{};
}

lineage::TokenSum Exchange::tokens_told(const semconv::genai::Call& call) const {
  if (trace_->agent_counts_itself()) return {};
  return {.input = call.usage.input,
          .output = call.usage.output,
          .cost_usd = semconv::genai::cost_of(call, options_.observers.prices)};
}

// Where memory is short nobody looks at what passes, and whoever does may be taken for the only one
// that has it.
void Exchange::lose_sight() {
  if (lineage_) lineage_->silence();
  if (lineage::Registry* const registry = worker_.shared.lineage) {
    registry->lose_sight(worker_.loop.now().mono);
  }
}

// The agent's own word for its conversation, where the call says none.
void Exchange::describe_session(trace::Span& span) const {
  if (!observer_ || observer_->model_call() == nullptr) return;
  if (!observer_->model_call()->conversation_id.empty()) return;
  const auto session = agents_session(*observer_->model_call());
  if (session) span.attributes.set(semconv::attribute::kGenAiConversationId, session->id);
}

}  // namespace sidespan::proxy
