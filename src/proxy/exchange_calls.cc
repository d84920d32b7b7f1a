// Calls of models that an exchange is, or that share it: their metrics, and spans of those that
// have one of their own.
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

void Exchange::record_model(const semconv::genai::Call& call, std::string_view error_type,
                            MonoTime start) {
  if (trace_->agent_counts_itself()) return;
  worker_.metrics.models.record(call, {.host = url_.authority.host,
                                       .port = url_.port(),
                                       .error_type = error_type,
                                       .duration = worker_.loop.now().mono - start});
}

void Exchange::on_shared_call(const semconv::SharedCall& call) {
  if (!trace_) return;
  std::optional<Error> error;
  if (call.ending == End::kBroken) {
    error = Error{Code::kTruncated, Side::kOrigin, false, "the connection ended before the answer"};
  }
  if (call.model_call != nullptr) {
    std::string_view type = call.model_call->error.type;
    if (type.empty() && error) type = name_of(error->code);
    record_model(*call.model_call, type, call.start);
  }
  if (!trace_->sampled()) return;
  semconv::HttpFacts facts;
  trace_->describe(facts);
  facts.mode = mode_;
  facts.url = &url_;
  facts.start = {call.start, start_.wall + (call.start - start_.mono)};
  facts.end = worker_.loop.now().mono;
  facts.ending = ending_of(call.ending);
  facts.error = std::move(error);
  trace::Span span =
      semconv::make_inner_span(facts, trace::SpanId::make(worker_.random), options_.spans);
  call.describe(span);
  worker_.sink.emit(std::move(span));
}

void Exchange::on_calls_unread(semconv::Unread reason, size_t under_way) {
  worker_.metrics.websockets_unread[static_cast<size_t>(reason)].add();
  worker_.metrics.websocket_calls_lost[static_cast<size_t>(reason)].add(under_way);
}

void Exchange::on_unwatched_answer(MonoTime at) {
  if (worker_.shared.lineage != nullptr) worker_.shared.lineage->lose_sight(at);
}

}  // namespace sidespan::proxy
