#include "call_trace.h"

#include <algorithm>
#include <array>
#include <utility>

#include "header_carrier.h"
#include "sidespan/base/text.h"
#include "sidespan/trace/w3c.h"

namespace sidespan::proxy {
namespace {

constexpr std::string_view kJaegerDebugId = "jaeger-debug-id";

// Only then is the whole of a parent needed later on.
bool restarts_somewhere(const Options& options) {
  return std::ranges::any_of(options.destinations, &DestinationRule::restart);
}

bool allows_all(const std::vector<std::string>& keys) {
  return keys.size() == 1 && keys.front() == "*";
}

std::unique_ptr<const SignedFields> signed_fields(const CallTrace::Standing& standing,
                                                  std::string_view path) {
  if (!SignedFields::may_be(standing.authorization, standing.has_query)) return nullptr;
  SignedFields fields(standing.authorization, path);
  if (!fields) return nullptr;
  return std::make_unique<const SignedFields>(std::move(fields));
}

}  // namespace

CallTrace::CallTrace(const Options& options, const http::Head& request, const http::Url& url,
                     Standing&& standing, Random& random)
    : options_(options),
      sampler_(sampler_for(options.sampling_rules, url, request.method(), *options.sampler)),
      foreign_(request.headers),
      signed_(signed_fields(standing, url.path)),
      own_id_(trace::SpanId::make(random)),
      credential_(std::move(standing.credential)),
      ingress_(std::move(standing.ingress)),
      served_(standing.served) {
  if (options.extract) extract(request.headers);
  active_ = options.tracing && !standing.ignored;
  if (!active_) return;
  hear_head();
  if (!options.baggage_to_attributes.empty()) copy_baggage();
}

void CallTrace::extract(const http::Headers& headers) {
  const bool is_silent = !headers.may_have(kW3cFields) && foreign_.empty();
  if (is_silent && options_.extract->is_w3c()) return;
  const HeaderReader reader(headers);
  options_.extract->extract(reader, context_);
  const trace::Propagator* const binary = options_.other_formats.binary;
  if (!context_.span.valid() && binary != nullptr && foreign_.has(trace::kOpenCensus)) {
    binary->extract(reader, context_);
  }
}

// A run and the environment say whose the agent's calls are, not who asks its server.
lineage::Evidence CallTrace::known_beside_wire() const {
  return {.listener = options_.run && !served_ ? &*options_.run : nullptr,
          .credential = credential_.get(),
          .ingress = ingress_.get(),
          .environment = options_.environment && !served_ ? &*options_.environment : nullptr};
}

void CallTrace::hear_head() {
  lineage::Evidence evidence = known_beside_wire();
  if (context_.span.valid()) evidence.wire = &context_.span;
  // As with most agents, which trace nothing and are told apart by nobody.
  if (evidence == lineage::Evidence()) return hear_sender(false);
  const lineage::Parent parent = lineage::resolve(evidence, options_.context_sources);
  source_ = parent.source;
  execution_ = parent.execution;
  if (parent.context != nullptr) {
    parent_id_ = parent.context->span_id;
    parent_is_remote_ =
        parent.source != lineage::Source::kListener && parent.source != lineage::Source::kIngress;
  }
  hear_sender(parent.context != nullptr);
  // An agent without a tracer of its own hands nothing on.
  if (parent.source == lineage::Source::kIngress && context_.baggage.empty()) {
    context_.baggage = ingress_->baggage;
    hands_on_ = true;
  }
}

// What the head alone suggested; what the call carries says that it is made for another.
void CallTrace::leave_ingress() {
  if (source_ != lineage::Source::kIngress) return;
  source_ = lineage::Source::kRoot;
  parent_id_ = {};
  if (execution_ == ingress_.get()) execution_ = nullptr;
  if (!std::exchange(hands_on_, false)) return;
  context_.baggage = {};
  if (options_.baggage_to_attributes.empty()) return;
  std::erase_if(rare().further_attributes,
                [](const auto& one) { return one.first != kJaegerDebugId; });
  copy_baggage();
}

// By the evidence of the head; null: it names none.
const trace::SpanContext* CallTrace::named_parent() const {
  switch (source_) {
    case lineage::Source::kWire:
      return &context_.span;
    case lineage::Source::kListener:
    case lineage::Source::kCredential:
      return &execution_->context;
    case lineage::Source::kIngress:
      return &ingress_->context;
    case lineage::Source::kEnvironment:
      return &*options_.environment;
    default:
      return nullptr;
  }
}

lineage::Scope CallTrace::scope_of(const lineage::Parent& parent, const lineage::HashKey& key) {
  lineage::Scope scope;
  if (parent.context != nullptr) {
    // Other requests on the ingress may come to be under way, and are candidates then.
    const bool closed = parent.source != lineage::Source::kIngress;
    scope = {.id = closed ? parent.context->span_id.value : 0,
             .span = lineage::ref_of(*parent.context)};
  }
  if (parent.execution != nullptr) {
    // By a key that nobody knows: who chooses his name chooses no other's scope, nor a run's.
    if (parent.context == nullptr) scope.id = lineage::hash_of(key, parent.execution->id) | 1U;
    scope.execution_id = parent.execution->id;
    scope.fixed_by = parent.execution->fixed_by;
  }
  return scope;
}

void CallTrace::ask_around(lineage::Call& call, const lineage::HashKey& key) const {
  call.scope = scope_of(lineage::resolve(known_beside_wire(), options_.context_sources), key);
}

void CallTrace::ask(lineage::Call& call, const lineage::HashKey& key, Random& random) {
  const trace::SpanContext* const named = named_parent();
  call.scope = scope_of({.context = named, .source = source_, .execution = execution_}, key);
  call.span = own_id_;
  call.is_sent = decided_;
  if (!own_trace_) own_trace_ = trace::TraceId::make(random);
  const trace::TraceId of_root = context_.trace_hint ? context_.trace_hint : own_trace_;
  call.trace = decided_ ? context_.span.trace_id : named != nullptr ? named->trace_id : of_root;
  call.flags = decided_ ? context_.span.flags : uint8_t{0};
}

uint64_t CallTrace::named_scope(const lineage::HashKey& key) const {
  using lineage::Source;
  const bool named = source_ == Source::kWire || source_ == Source::kMcpMeta;
  if (!named || restarts_somewhere(options_)) return 0;
  lineage::Hasher hasher(key);
  hasher.add(context_.span.trace_id.high);
  hasher.add(context_.span.trace_id.low);
  return hasher.finish() | 1U;
}

void CallTrace::ask_within(lineage::Call& call, const lineage::HashKey& key) const {
  ask_around(call, key);
  call.around = call.scope.id;
  call.scope = {.id = named_scope(key)};
  call.span = context_.span.span_id;
  call.trace = context_.span.trace_id;
  call.is_sent = true;
  call.flags = context_.span.flags;
}

void CallTrace::decide(const lineage::Joined* joined, const Meta& meta, Random& random) {
  if (decided()) return;
  decided_ = true;
  if (joined != nullptr && joined->elsewhere) leave_ingress();
  const trace::SpanContext* parent = named_parent();
  std::optional<trace::SpanContext> found;
  if (!meta.traceparent.empty()) found = heard_in(meta);
  if (found) {
    const bool other = source_ == lineage::Source::kWire &&
                       !(parent->span_id == found->span_id && parent->trace_id == found->trace_id);
    if (other) link(lineage::ref_of(*parent));
    if (!meta.baggage.empty()) {
      context_.baggage = {};
      context_.baggage.add_line(meta.baggage);
    }
    context_.forget_sender();
    source_ = lineage::Source::kMcpMeta;
    parent_id_ = found->span_id;
    parent_is_remote_ = true;
  } else if (joined != nullptr && joined->execution) {
    adopt(*joined);
    if (!joined->opened) forget_hints();
    found = context_of(joined->parent, joined->tracestate);
  }
  if (found) parent = &*found;
  if (parent != nullptr && restarts_somewhere(options_)) {
    rare().parent = *parent;
  }
  if (joined != nullptr) {
    for (const lineage::SpanRef& one : joined->links) link(one);
  }
  // A turn that begins with this call is decided upon with it: as its parent's child, or as a root.
  const bool begins = joined != nullptr && joined->opened && source_ != lineage::Source::kMcpMeta;
  if (begins) {
    const trace::SpanContext* const above = named_parent();
    const bool within = above != nullptr && above->trace_id == joined->parent.trace_id;
    own_trace_ = joined->parent.trace_id;
    return start(within ? above : nullptr, random);
  }
  start(parent, random);
}

void CallTrace::start(const trace::SpanContext* parent, Random& random) {
  const trace::TraceId trace =
      parent != nullptr || context_.trace_hint ? context_.trace_hint : own_trace_;
  trace::StartedContext started =
      trace::start_span_context(own_id_, parent, context_.asked, trace, sampler_, random);
  // A trace that we made the id of.
  if (parent == nullptr && trace && !context_.trace_hint)
    started.context.flags |= trace::kRandomFlag;
  context_.span = std::move(started.context);
  sampled_ = started.sampled;
  if (served_) become_execution();
}

void CallTrace::become_execution() {
  ingress_ = std::make_shared<const lineage::Execution>(
      lineage::Execution{.id = context_.span.span_id.to_string(),
                         .fixed_by = lineage::Source::kIngress,
                         .context = context_.span,
                         .baggage = context_.baggage});
  execution_ = ingress_.get();
}

void CallTrace::adopt(const lineage::Joined& joined) {
  if (!joined.opened) source_ = joined.source;
  parent_id_ = joined.parent.span_id;
  parent_is_remote_ = false;
  rare().turn = Turn{.id = joined.parent.span_id.to_string(),
                     .step = joined.step,
                     .fixed_by = joined.is_turn ? source_ : lineage::Source::kIngress,
                     .is_turn = joined.is_turn};
}

void CallTrace::join_late(const lineage::Joined& joined) {
  if (!active_) return;
  for (const lineage::SpanRef& one : joined.links) link(one);
  if (!joined.execution) return;
  const bool within = joined.parent.trace_id == context_.span.trace_id;
  const bool stronger = source_ == lineage::Source::kMcpMeta || source_ == lineage::Source::kWire ||
                        (rare_ && rare_->left);
  within && !stronger ? adopt(joined) : link(joined.parent);
}

void CallTrace::link(const lineage::SpanRef& ref) {
  rare().links.push_back(context_of(ref));
}

bool CallTrace::agent_counts_itself() const {
  if (options_.agent_is_instrumented != Instrumented::kAuto) {
    return options_.agent_is_instrumented == Instrumented::kYes;
  }
  // An agent without spans of its own may hand on the context that it was started in.
  const bool handed_on = (execution_ != nullptr && parent_id_ == execution_->context.span_id) ||
                         (options_.environment && parent_id_ == options_.environment->span_id);
  return source_ == lineage::Source::kWire && !handed_on;
}

// What formats say beside a span context counts with theirs, or where none was found; a decision
// not to record, or to do so in any case, also beside other evidence.
void CallTrace::hear_sender(bool has_parent) {
  using trace::Asked;
  if (source_ == lineage::Source::kWire) return;
  const bool heard = (options_.context_sources & bit_of(lineage::Source::kWire)) != 0;
  if (context_.span.valid() || !heard) context_.forget_sender();
  if (context_.asked == Asked::kNothing && foreign_.denies() && heard && options_.extract) {
    context_.asked = Asked::kDrop;
  }
  if (!context_.kept.empty()) {
    const std::string_view debug_id = context_.find_kept(kJaegerDebugId);
    if (!debug_id.empty()) rare().further_attributes.emplace_back(kJaegerDebugId, debug_id);
  }
  if (has_parent) forget_hints();
}

// There is a parent, and what was said beside none does not count.
void CallTrace::forget_hints() {
  using trace::Asked;
  const bool decides = context_.asked == Asked::kDrop || context_.asked == Asked::kDebug;
  if (!decides) context_.asked = Asked::kNothing;
  context_.trace_hint = {};
  context_.kept.clear();
}

void CallTrace::copy_baggage() {
  trace::Baggage baggage = context_.baggage;
  for (const auto& [key, value] : options_.baggage_add) baggage.set(key, value);
  for (trace::Baggage::Entry& entry : baggage.entries()) {
    const bool wanted = std::ranges::any_of(
        options_.baggage_to_attributes,
        [&](const std::string& pattern) { return text::matches_wildcard(pattern, entry.key); });
    if (wanted)
      rare().further_attributes.emplace_back(std::move(entry.key), std::move(entry.value));
  }
}

lineage::Told CallTrace::told_baggage() const {
  lineage::Told told;
  for (const auto& one : further_attributes()) {
    if (one.first != kJaegerDebugId) told.push_back(one);
  }
  return told;
}

std::optional<trace::SpanContext> CallTrace::heard_in(const Meta& meta) const {
  if (meta.traceparent.empty() || !active_ || !hears_meta()) return std::nullopt;
  std::optional<trace::SpanContext> found = trace::parse_traceparent(meta.traceparent);
  if (found && !meta.tracestate.empty()) {
    found->tracestate = trace::TraceState::parse(std::array{meta.tracestate});
  }
  return found;
}

void CallTrace::link_meta(const Meta& meta) {
  std::optional<trace::SpanContext> found = heard_in(meta);
  const bool known =
      found && found->span_id == parent_id_ && found->trace_id == context_.span.trace_id;
  // Nor is it another where it is the one that we wrote.
  if (!found || known || source_ == lineage::Source::kMcpMeta) return;
  rare().links.push_back(*std::move(found));
}

void CallTrace::next_attempt(Random& random) {
  ++resend_count_;
  if (!active_) return;
  rare().earlier = context_.span;
  context_.span.span_id = trace::SpanId::make(random);
}

void CallTrace::inject(http::Headers& headers, const DestinationRule& rule, Random& random) {
  if (!options_.inject) return;
  // What is signed names the old trace, and that is then the call's.
  if (active_ && rule.restart && !(signed_ && signed_->covers(trace::kTraceparentField)))
    restart(random);
  if (sends_traceparent_alone(headers, rule)) {
    const auto value = trace::encode_traceparent(context_.span);
    headers.add_checked({trace::kTraceparentField, http::FieldName::kTraceparent},
                        {value.data(), value.size()});
  } else if (signed_) {
    SignedWriter writer(headers, *signed_);
    inject_into(writer, rule);
    blocked_ = active_ && writer.blocked();
  } else {
    HeaderWriter writer(headers);
    inject_into(writer, rule);
  }
}

// Nothing came that is to go on or to be removed, as with most agents, which trace nothing.
bool CallTrace::sends_traceparent_alone(const http::Headers& headers,
                                        const DestinationRule& rule) const {
  const bool has_tracestate = rule.tracestate && !context_.span.tracestate.empty();
  const bool has_baggage =
      rule.baggage && !(context_.baggage.empty() && options_.baggage_add.empty());
  return active_ && rule.traceparent && !has_tracestate && !has_baggage && !signed_ &&
         !headers.may_have(kW3cFields) && foreign_.empty() &&
         options_.other_formats.custom.empty() && context_.span.valid() &&
         options_.inject->is_w3c();
}

void CallTrace::inject_into(trace::CarrierWriter& writer, const DestinationRule& rule) const {
  const trace::Parts parts{rule.traceparent, rule.tracestate, rule.baggage};
  const bool some_baggage = !allows_all(options_.baggage_allow) || !allows_all(rule.baggage_keys);
  const bool changes_baggage = some_baggage || !options_.baggage_add.empty();
  if (active_ && parts.baggage && changes_baggage) {
    return write(with_changed_baggage(rule), parts, some_baggage, writer);
  }
  write(context_, parts, some_baggage, writer);
}

void CallTrace::write(const trace::Context& sent, trace::Parts parts, bool some_baggage,
                      trace::CarrierWriter& writer) const {
  // Without a span of ours the context passes as it came, but not in a vendor's format either
  // where the destination may not see it.
  if (active_ || !parts.traceparent) options_.inject->inject(sent, parts, writer);
  foreign_.settle(options_.other_formats, sent, parts, some_baggage, active_, writer);
}

// What is sampled stays so: one call, one decision.
void CallTrace::restart(Random& random) {
  const bool has_parent = rare_ && rare_->parent;
  if ((rare_ && rare_->left) || !(has_parent || context_.trace_hint)) return;
  if (has_parent) rare_->left = std::exchange(rare_->parent, std::nullopt);
  const uint8_t sampled = sampled_ ? trace::kSampledFlag : 0;
  context_.span = {trace::TraceId::make(random),
                   context_.span.span_id,
                   static_cast<uint8_t>(trace::kRandomFlag | sampled),
                   {}};
  context_.forget_sender();
  parent_id_ = {};
  parent_is_remote_ = false;
  source_ = lineage::Source::kRoot;
  if (served_) become_execution();
}

trace::Context CallTrace::with_changed_baggage(const DestinationRule& rule) const {
  trace::Context sent = context_;
  if (!allows_all(options_.baggage_allow)) sent.baggage.allow_only(options_.baggage_allow);
  for (const auto& [key, value] : options_.baggage_add) sent.baggage.set(key, value);
  if (!allows_all(rule.baggage_keys)) sent.baggage.allow_only(rule.baggage_keys);
  return sent;
}

void CallTrace::describe_rare(semconv::HttpFacts& facts) const {
  facts.earlier = rare_->earlier ? &*rare_->earlier : nullptr;
  facts.left = rare_->left ? &*rare_->left : nullptr;
  facts.links = rare_->links;
  facts.further_attributes = rare_->further_attributes;
  const std::optional<Turn>& turn = rare_->turn;
  if (!turn) return;
  if (execution_ == nullptr) {
    facts.execution_id = turn->id;
    facts.execution_source = lineage::name_of(turn->fixed_by);
  }
  if (!turn->is_turn) return;
  facts.turn_id = turn->id;
  facts.turn_step = turn->step;
}

}  // namespace sidespan::proxy
