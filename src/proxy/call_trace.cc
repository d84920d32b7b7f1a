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

bool is_ignored(const std::vector<std::string>& patterns, std::string_view path) {
  path = path.substr(0, path.find('?'));
  return std::ranges::any_of(
      patterns, [&](const std::string& pattern) { return text::matches_wildcard(pattern, path); });
}

// Only then is the whole of a parent needed later on.
bool restarts_somewhere(const Options& options) {
  return std::ranges::any_of(options.destinations, &DestinationRule::restart);
}

bool allows_all(const std::vector<std::string>& keys) {
  return keys.size() == 1 && keys.front() == "*";
}

std::unique_ptr<const SignedFields> signed_fields(const http::Headers& headers,
                                                  std::string_view path) {
  SignedFields fields(headers, path);
  if (!fields) return nullptr;
  return std::make_unique<const SignedFields>(std::move(fields));
}

}  // namespace

CallTrace::CallTrace(const Options& options, const http::Head& request, const http::Url& url,
                     Random& random)
    : options_(options),
      sampler_(sampler_for(options.sampling_rules, url, request.method(), *options.sampler)),
      foreign_(request.headers),
      signed_(signed_fields(request.headers, url.path)) {
  if (options.extract) extract(request.headers);
  active_ = options.tracing && !is_ignored(options.ignore_paths, url.path);
  if (!active_) return;
  choose_parent(random);
  if (!options.baggage_to_attributes.empty()) copy_baggage();
}

void CallTrace::extract(const http::Headers& headers) {
  const HeaderReader reader(headers);
  options_.extract->extract(reader, context_);
  const trace::Propagator* const binary = options_.other_formats.binary;
  if (!context_.span.valid() && binary != nullptr && foreign_.has(trace::kOpenCensus)) {
    binary->extract(reader, context_);
  }
}

void CallTrace::choose_parent(Random& random) {
  const lineage::Evidence evidence{
      .mcp_meta = nullptr,
      .wire = context_.span.valid() ? &context_.span : nullptr,
      .listener = options_.run ? &*options_.run : nullptr,
      .environment = options_.environment ? &*options_.environment : nullptr,
  };
  const lineage::Parent parent = lineage::resolve(evidence, options_.context_sources);
  source_ = parent.source;
  execution_ = parent.execution;
  if (parent.context != nullptr) {
    parent_id_ = parent.context->span_id;
    parent_is_remote_ = parent.source != lineage::Source::kListener;
    if (restarts_somewhere(options_)) {
      parent_ = std::make_unique<const trace::SpanContext>(*parent.context);
    }
  }
  hear_sender(parent);
  const bool asked = context_.asked != trace::Asked::kNothing || context_.trace_hint;
  trace::StartedContext started =
      asked ? trace::start_span_context(parent.context, context_.asked, context_.trace_hint,
                                        sampler_, random)
            : trace::start_span_context(parent.context, sampler_, random);
  context_.span = std::move(started.context);
  sampled_ = started.sampled;
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
void CallTrace::hear_sender(const lineage::Parent& parent) {
  using trace::Asked;
  const bool by_wire = parent.source == lineage::Source::kWire;
  if (by_wire) return;
  const bool heard = (options_.context_sources & bit_of(lineage::Source::kWire)) != 0;
  if (context_.span.valid() || !heard) context_.forget_sender();
  if (context_.asked == Asked::kNothing && foreign_.denies() && heard && options_.extract) {
    context_.asked = Asked::kDrop;
  }
  const std::string_view debug_id = context_.find_kept(kJaegerDebugId);
  if (!debug_id.empty()) further_attributes_.emplace_back(kJaegerDebugId, debug_id);
  if (parent.context == nullptr) return;
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
    if (wanted) further_attributes_.emplace_back(std::move(entry.key), std::move(entry.value));
  }
}

std::optional<trace::SpanContext> CallTrace::heard_in(const Meta& meta) const {
  const bool heard = (options_.context_sources & bit_of(lineage::Source::kMcpMeta)) != 0;
  if (!active_ || !heard) return std::nullopt;
  std::optional<trace::SpanContext> found = trace::parse_traceparent(meta.traceparent);
  if (found && !meta.tracestate.empty()) {
    found->tracestate = trace::TraceState::parse(std::array{meta.tracestate});
  }
  return found;
}

void CallTrace::adopt_meta(const Meta& meta, Random& random) {
  const std::optional<trace::SpanContext> found = heard_in(meta);
  if (!found) return;
  const bool named = source_ == lineage::Source::kWire;
  const bool another = parent_id_ != found->span_id || context_.span.trace_id != found->trace_id;
  if (named && another) {
    other_ = std::make_unique<const trace::SpanContext>(
        trace::SpanContext{context_.span.trace_id, parent_id_, context_.span.flags, {}});
  }
  if (!meta.baggage.empty()) {
    context_.baggage = {};
    context_.baggage.add_line(meta.baggage);
  }
  context_.forget_sender();
  source_ = lineage::Source::kMcpMeta;
  parent_id_ = found->span_id;
  parent_is_remote_ = true;
  if (restarts_somewhere(options_)) parent_ = std::make_unique<const trace::SpanContext>(*found);
  trace::StartedContext started = trace::start_span_context(&*found, sampler_, random);
  context_.span = std::move(started.context);
  sampled_ = started.sampled;
}

void CallTrace::link_meta(const Meta& meta) {
  std::optional<trace::SpanContext> found = heard_in(meta);
  const bool known =
      found && found->span_id == parent_id_ && found->trace_id == context_.span.trace_id;
  // Nor is it another where it is the one that we wrote.
  if (!found || known || source_ == lineage::Source::kMcpMeta) return;
  other_ = std::make_unique<const trace::SpanContext>(*std::move(found));
}

void CallTrace::next_attempt(Random& random) {
  ++resend_count_;
  if (!active_) return;
  earlier_ = std::make_unique<const trace::SpanContext>(context_.span);
  context_.span.span_id = trace::SpanId::make(random);
}

void CallTrace::inject(http::Headers& headers, const DestinationRule& rule, Random& random) {
  if (!options_.inject) return;
  // What is signed names the old trace, and that is then the call's.
  if (active_ && rule.restart && !(signed_ && signed_->covers(trace::kTraceparentField)))
    restart(random);
  if (signed_) {
    SignedWriter writer(headers, *signed_);
    inject_into(writer, rule);
    blocked_ = active_ && writer.blocked();
  } else {
    HeaderWriter writer(headers);
    inject_into(writer, rule);
  }
}

void CallTrace::inject_into(trace::CarrierWriter& writer, const DestinationRule& rule) const {
  const trace::Parts parts{rule.traceparent, rule.tracestate, rule.baggage};
  const bool some_baggage = !allows_all(options_.baggage_allow) || !allows_all(rule.baggage_keys);
  const bool changes_baggage = some_baggage || !options_.baggage_add.empty();
  std::optional<trace::Context> changed;
  if (active_ && parts.baggage && changes_baggage) changed = with_changed_baggage(rule);
  const trace::Context& sent = changed ? *changed : context_;
  // Without a span of ours the context passes as it came, but not in a vendor's format either
  // where the destination may not see it.
  if (active_ || !parts.traceparent) options_.inject->inject(sent, parts, writer);
  foreign_.settle(options_.other_formats, sent, parts, some_baggage, active_, writer);
}

// What is sampled stays so: one call, one decision.
void CallTrace::restart(Random& random) {
  if (left_ || (!parent_ && !context_.trace_hint)) return;
  left_ = std::move(parent_);
  const uint8_t sampled = sampled_ ? trace::kSampledFlag : 0;
  context_.span = {trace::TraceId::make(random),
                   context_.span.span_id,
                   static_cast<uint8_t>(trace::kRandomFlag | sampled),
                   {}};
  context_.forget_sender();
  parent_id_ = {};
  parent_is_remote_ = false;
  source_ = lineage::Source::kRoot;
}

trace::Context CallTrace::with_changed_baggage(const DestinationRule& rule) const {
  trace::Context sent = context_;
  if (!allows_all(options_.baggage_allow)) sent.baggage.allow_only(options_.baggage_allow);
  for (const auto& [key, value] : options_.baggage_add) sent.baggage.set(key, value);
  if (!allows_all(rule.baggage_keys)) sent.baggage.allow_only(rule.baggage_keys);
  return sent;
}

void CallTrace::describe(semconv::HttpFacts& facts) const {
  facts.context = context_.span;
  facts.parent_id = parent_id_;
  facts.parent_is_remote = parent_is_remote_;
  facts.parent_source = lineage::name_of(source_);
  facts.resend_count = resend_count_;
  if (execution_ != nullptr) {
    facts.execution_id = execution_->id;
    facts.execution_source = lineage::name_of(execution_->fixed_by);
  }
  facts.earlier = earlier_.get();
  facts.left = left_.get();
  facts.other = other_.get();
  facts.context_blocked = blocked_;
  facts.further_attributes = further_attributes_;
}

}  // namespace sidespan::proxy
