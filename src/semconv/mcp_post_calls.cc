#include "semconv/mcp_post_calls.h"

#include <algorithm>
#include <utility>

#include "sidespan/semconv/attributes.h"
#include "sidespan/semconv/mcp_span.h"
#include "sidespan/trace/w3c.h"

namespace sidespan::semconv {
namespace {

constexpr size_t kCallBytes = 1024;
// Without a table.
constexpr size_t kCallsMax = 1000;
constexpr int kFirstErrorStatus = 400;

// What the agent says is the request's own parent, where the POST's is another: a link.
void link_meta(trace::Span& span, const McpMessage& request, const HttpFacts& post) {
  std::optional<trace::SpanContext> meta = trace::parse_traceparent(request.traceparent);
  if (!meta || meta->span_id == post.parent_id || meta->span_id == post.context->span_id) return;
  meta->tracestate = trace::TraceState::parse({request.tracestate});
  span.links.push_back({*std::move(meta), trace::Attributes(trace::AttributeLimits{})});
}

trace::Span begin_span(const McpMessage& request, Moment start, const HttpFacts& post,
                       const McpPostCalls::Session& session, const HttpSpanOptions& options,
                       Random& random) {
  trace::Span span(options.limits);
  span.context = *post.context;
  span.context.span_id = trace::SpanId::make(random);
  span.parent_id = post.context->span_id;
  span.kind = trace::SpanKind::kClient;
  span.start = start.wall;
  describe_mcp(span,
               {.request = &request,
                .answer = nullptr,
                .session_id = session.id,
                .protocol_version = session.version,
                .transport = "tcp"},
               options.redact_query);
  trace::Attributes& attributes = span.attributes;
  attributes.add(attribute::kServerAddress, std::string_view(post.url->authority.host));
  attributes.add(attribute::kServerPort, static_cast<int64_t>(post.url->port()));
  attributes.add(attribute::kMode, name_of(post.mode));
  attributes.add(attribute::kParentSource, post.parent_source);
  if (!post.execution_id.empty()) {
    attributes.add(attribute::kExecutionId, post.execution_id);
    attributes.add(attribute::kExecutionSource, post.execution_source);
  }
  link_meta(span, request, post);
  return span;
}

void set_error(trace::Span& span, std::string_view type) {
  span.attributes.set(attribute::kErrorType, type);
  span.status = trace::SpanStatus::kError;
}

// An exchange that failed failed all that it carried.
void describe_failure(trace::Span& span, const HttpFacts& post) {
  if (post.error && post.ending != Ending::kAgentCancelled) {
    return set_error(span, name_of(post.error->code));
  }
  const int status = post.response != nullptr ? post.response->status : 0;
  if (status >= kFirstErrorStatus) set_error(span, std::to_string(status));
}

}  // namespace

McpPostCalls::~McpPostCalls() {
  for (const Call& call : calls_) {
    if (call.ref.serial != 0) elsewhere_->take(call.ref);
  }
}

void McpPostCalls::share(const std::string& session, MonoTime now) {
  if (elsewhere_ == nullptr || !session_.empty()) return;
  session_ = session;
  for (Call& call : calls_) share(call, now);
}

void McpPostCalls::share(Call& call, MonoTime now) {
  if (session_.empty() || call.request.id.empty()) return;
  call.ref = elsewhere_->open(session_, call.request, now, *sink_);
}

void McpPostCalls::on_request(const McpMessage& request, Moment at) {
  if (calls_.size() >= (elsewhere_ != nullptr ? elsewhere_->calls_max() : kCallsMax)) {
    ++left_out_;
    return;
  }
  // Of one alone it may have to be written again.
  if (!calls_.empty()) calls_.front().request.baggage.clear();
  calls_.push_back({.request = request, .start = at});
  if (calls_.size() > 1) calls_.back().request.baggage.clear();
  charge_.set(calls_.size() * kCallBytes);
  share(calls_.back(), at.mono);
}

bool McpPostCalls::on_answer(const McpMessage& answer, MonoTime at) {
  const auto call = std::ranges::find_if(
      calls_, [&](const Call& one) { return !one.end && one.request.id == answer.id; });
  if (call == calls_.end()) return false;
  call->end = McpEnd{.ending = Ending::kComplete, .at = at, .answer = answer};
  return true;
}

bool McpPostCalls::on_progress(std::string_view token) {
  const auto call = std::ranges::find_if(
      calls_, [&](const Call& one) { return !one.end && one.request.progress_token == token; });
  if (call == calls_.end()) return false;
  ++call->progress;
  return true;
}

const McpMessage* McpPostCalls::answer() const {
  if (calls_.empty() || !calls_.front().end) return nullptr;
  return &*calls_.front().end->answer;
}

void McpPostCalls::settle(bool goes_on) {
  goes_on_ = goes_on;
  have_spans_ = count() > 1;
  if (have_spans_ || calls_.empty() || calls_.front().end) return;
  const McpCalls::Ref& ref = calls_.front().ref;
  const std::optional<McpEnd> elsewhere =
      ref.serial != 0 ? elsewhere_->look(ref) : std::optional<McpEnd>();
  have_spans_ = goes_on || (elsewhere && elsewhere->answer);
}

void McpPostCalls::leave_out() {
  if (elsewhere_ == nullptr || count() <= 1) return;
  for (uint64_t left = count(); left > 0; --left) sink_->on_call_left_out();
}

uint64_t McpPostCalls::progress_of(const Call& call) const {
  return call.progress + (call.ref.serial != 0 ? elsewhere_->progress_of(call.ref) : 0);
}

// Of one that does not wait any longer.
McpEnd McpPostCalls::end_of(Call& call, const HttpFacts& post) const {
  std::optional<McpEnd> elsewhere;
  if (call.ref.serial != 0) elsewhere = elsewhere_->take(std::exchange(call.ref, {}));
  if (call.end) return *std::move(call.end);
  if (elsewhere) {
    if (elsewhere->at == MonoTime{}) elsewhere->at = post.end;
    return *std::move(elsewhere);
  }
  // There was no room to wait.
  if (goes_on_) return {.ending = Ending::kLimit, .at = post.end};
  const bool unanswered = post.ending == Ending::kComplete && !post.error &&
                          post.response != nullptr && post.response->status < kFirstErrorStatus;
  return {.ending = unanswered ? Ending::kOriginClosed : post.ending, .at = post.end};
}

void McpPostCalls::emit(const HttpFacts& post, const HttpSpanOptions& options,
                        const Session& session, Random& random) {
  if (!have_spans_ || sink_ == nullptr) return;
  for (Call& call : calls_) {
    McpOpenSpan open{begin_span(call.request, call.start, post, session, options, random),
                     call.start.mono, call.progress};
    const bool waits = goes_on_ && !call.end && call.ref.serial != 0;
    if (!waits) open.progress = progress_of(call);
    if (waits) {
      elsewhere_->leave(std::exchange(call.ref, {}), std::move(open), post.end, *sink_);
      continue;
    }
    const McpEnd end = end_of(call, post);
    if (end.ending != Ending::kLimit && !end.answer) describe_failure(open.span, post);
    end_call(std::move(open), end, *sink_);
  }
  for (; left_out_ > 0; --left_out_) sink_->on_call_left_out();
}

}  // namespace sidespan::semconv
