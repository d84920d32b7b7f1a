#include "call_trace.h"

#include <algorithm>
#include <utility>

#include "header_carrier.h"
#include "sidespan/base/text.h"
#include "sidespan/trace/w3c.h"

namespace sidespan::proxy {
namespace {

bool is_ignored(const std::vector<std::string>& patterns, std::string_view path) {
  path = path.substr(0, path.find('?'));
  return std::ranges::any_of(
      patterns, [&](const std::string& pattern) { return text::matches_wildcard(pattern, path); });
}

// Whatever formats are configured: the agent's own fields obey the destination's rule, too.
void withhold(trace::Parts parts, http::Headers& headers) {
  if (!parts.traceparent) headers.remove(trace::kTraceparentField);
  if (!parts.traceparent || !parts.tracestate) headers.remove(trace::kTracestateField);
  if (!parts.baggage) headers.remove(trace::kBaggageField);
}

bool allows_all(const std::vector<std::string>& keys) {
  return keys.size() == 1 && keys.front() == "*";
}

}  // namespace

CallTrace::CallTrace(const Options& options, const http::Head& request, const http::Url& url,
                     Random& random)
    : options_(options) {
  if (options.extract) options.extract->extract(HeaderReader(request.headers), context_);
  active_ = options.tracing && !is_ignored(options.ignore_paths, url.path);
  if (active_) choose_parent(random);
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
  }
  trace::StartedContext started =
      trace::start_span_context(parent.context, *options_.sampler, random);
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

void CallTrace::next_attempt(Random& random) {
  ++resend_count_;
  if (!active_) return;
  earlier_ = context_.span;
  context_.span.span_id = trace::SpanId::make(random);
}

void CallTrace::inject(http::Headers& headers, const DestinationRule& rule) const {
  if (!options_.inject) return;
  const trace::Parts parts{rule.traceparent, rule.tracestate, rule.baggage};
  HeaderWriter writer(headers);
  const bool changes_baggage = !allows_all(options_.baggage_allow) || !options_.baggage_add.empty();
  if (active_ && parts.baggage && changes_baggage) {
    options_.inject->inject(with_changed_baggage(), parts, writer);
  } else if (active_ || !parts.traceparent) {
    // Without a span of ours the context passes as it came, but not in a vendor's format either
    // where the destination may not see it.
    options_.inject->inject(context_, parts, writer);
  }
  withhold(parts, headers);
}

trace::Context CallTrace::with_changed_baggage() const {
  trace::Context sent = context_;
  if (!allows_all(options_.baggage_allow)) sent.baggage.allow_only(options_.baggage_allow);
  for (const auto& [key, value] : options_.baggage_add) sent.baggage.set(key, value);
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
  facts.earlier = earlier_ ? &*earlier_ : nullptr;
}

}  // namespace sidespan::proxy
