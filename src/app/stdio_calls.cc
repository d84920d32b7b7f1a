#include "app/stdio_calls.h"

#include <utility>
#include <vector>

#include "app/head_sampling.h"
#include "sidespan/lineage/resolver.h"
#include "sidespan/semconv/attributes.h"
#include "sidespan/semconv/mcp_meta.h"
#include "sidespan/semconv/mcp_span.h"
#include "sidespan/trace/w3c.h"

namespace sidespan::app {
namespace {

namespace attribute = semconv::attribute;

constexpr std::string_view kPipe = "pipe";
constexpr std::string_view kCancelled = "notifications/cancelled";

std::optional<trace::SpanContext> context_of(const semconv::McpMessage& message) {
  std::optional<trace::SpanContext> context = trace::parse_traceparent(message.traceparent);
  // Half of an entry would be somebody else's.
  if (context && !message.tracestate_cut) {
    context->tracestate = trace::TraceState::parse({message.tracestate});
  }
  return context;
}

}  // namespace

StdioCalls::StdioCalls(const Settings& settings, std::optional<trace::SpanContext> environment,
                       Random& random, OnSpan on_span)
    : settings_(settings),
      environment_(std::move(environment)),
      sampler_(HeadSampling(settings.sampling).sampler),
      on_span_(std::move(on_span)),
      random_(random),
      agent_([this](const semconv::McpMessage& message) { on_message(message, false); }),
      server_([this](const semconv::McpMessage& message) { on_message(message, true); }) {}

std::string_view StdioCalls::from_agent(std::string_view read) {
  if (!settings_.tracing) return read;
  if (settings_.mcp_inject_meta) return with_context(read);
  const std::scoped_lock lock(mutex_);
  agent_.lines.feed(read);
  return read;
}

std::string_view StdioCalls::from_server(std::string_view read) {
  if (!settings_.tracing) return read;
  const std::scoped_lock lock(mutex_);
  server_.lines.feed(read);
  return read;
}

std::string_view StdioCalls::agent_ended(net::Pump::End why) {
  const std::scoped_lock lock(mutex_);
  if (why == net::Pump::End::kFromEnded) set_first_end(semconv::Ending::kAgentCancelled);
  if (why == net::Pump::End::kToClosed) set_first_end(semconv::Ending::kOriginClosed);
  written_.clear();
  // Else nobody would take it, and it would be no call.
  if (why == net::Pump::End::kFromEnded && !line_.empty()) append_line(line_);
  return written_;
}

std::string_view StdioCalls::server_ended(net::Pump::End why) {
  const std::scoped_lock lock(mutex_);
  if (why == net::Pump::End::kFromEnded) set_first_end(semconv::Ending::kOriginClosed);
  if (why == net::Pump::End::kToClosed) set_first_end(semconv::Ending::kAgentCancelled);
  return {};
}

void StdioCalls::ended_by(semconv::Ending ending) {
  const std::scoped_lock lock(mutex_);
  set_first_end(ending);
}

void StdioCalls::set_first_end(semconv::Ending ending) {
  if (!first_end_) first_end_ = ending;
}

void StdioCalls::end() {
  for (Direction* asker : {&agent_, &server_}) {
    for (const auto& [id, call] : asker->open) finish(call, nullptr, *first_end_);
    asker->open.clear();
  }
}

// Lines are held until they are whole, and then read before they are written.
std::string_view StdioCalls::with_context(std::string_view read) {
  const std::scoped_lock lock(mutex_);
  written_.clear();
  while (!read.empty()) {
    const size_t end = read.find('\n');
    const bool whole = end != std::string_view::npos;
    const std::string_view piece = read.substr(0, whole ? end + 1 : read.size());
    read.remove_prefix(piece.size());
    line_.append(piece);
    if (passing_ || line_.size() > settings_.limits.proxy.mcp_message_bytes_max) {
      agent_.lines.feed(line_);
      written_.append(line_);
      passing_ = !whole;
    } else if (whole) {
      append_line(line_);
    } else {
      continue;
    }
    line_.clear();
  }
  return written_;
}

void StdioCalls::append_line(std::string_view line) {
  begun_.reset();
  agent_.lines.feed(line);
  std::optional<std::string> edited;
  if (begun_) {
    const auto traceparent = trace::encode_traceparent(begun_->context);
    const std::string tracestate = begun_->context.tracestate.to_header();
    std::vector<semconv::MetaEntry> entries = {
        {trace::kTraceparentField, std::string_view(traceparent.data(), traceparent.size())}};
    if (begun_->tracestate_cut) {
      entries.emplace_back(trace::kTracestateField, std::nullopt);
    } else if (!tracestate.empty()) {
      entries.emplace_back(trace::kTracestateField, tracestate);
    }
    if (begun_->baggage_cut) {
      entries.emplace_back(trace::kBaggageField, std::nullopt);
    } else if (!begun_->baggage.empty()) {
      entries.emplace_back(trace::kBaggageField, begun_->baggage);
    }
    edited = semconv::with_meta_context(line, entries);
  }
  written_.append(edited ? std::string_view(*edited) : line);
}

void StdioCalls::on_message(const semconv::McpMessage& message, bool by_server) {
  // Servers log on stdout, too, and what they log may be JSON with an id.
  if (!message.json_rpc) return;
  if (message.is_request()) return begin(message, by_server);
  Direction& own = by_server ? server_ : agent_;
  Direction& other = by_server ? agent_ : server_;
  if (message.method == kCancelled) return cancel(own, message.cancelled_id);
  if (message.is_progress()) return progress(other, message.progress_token);
  if (message.answers && message.method.empty() && !message.id.empty()) answer(other, message);
}

void StdioCalls::begin(const semconv::McpMessage& request, bool by_server) {
  Call call;
  call.request = request;
  call.by_server = by_server;
  call.start = clock_.now();
  choose_parent(call);
  if (!by_server) {
    begun_ = Begun{call.context, request.baggage, request.tracestate_cut, request.baggage_cut};
  }
  auto& open = (by_server ? server_ : agent_).open;
  if (const auto same = open.find(request.id); same != open.end()) {
    // An id is used again before it was answered: whose answer will come is not to be told.
    finish(same->second, nullptr, semconv::Ending::kLimit);
    open.erase(same);
  }
  if (open.size() >= settings_.limits.mcp_calls) {
    return finish(call, nullptr, semconv::Ending::kLimit);
  }
  open.emplace(request.id, std::move(call));
}

void StdioCalls::choose_parent(Call& call) {
  const std::optional<trace::SpanContext> meta = context_of(call.request);
  const lineage::Evidence evidence{.mcp_meta = meta ? &*meta : nullptr,
                                   .environment = environment_ ? &*environment_ : nullptr};
  const lineage::Parent parent = lineage::resolve(evidence, settings_.context_sources);
  call.parent_source = lineage::name_of(parent.source);
  if (parent.context != nullptr) call.parent_id = parent.context->span_id;
  trace::StartedContext started = trace::start_span_context(parent.context, *sampler_, random_);
  call.context = std::move(started.context);
  call.sampled = started.sampled;
}

void StdioCalls::answer(Direction& asker, const semconv::McpMessage& answer) {
  const auto call = asker.open.find(answer.id);
  if (call == asker.open.end()) return;
  if (!answer.protocol_version.empty()) protocol_version_ = answer.protocol_version;
  finish(call->second, &answer, semconv::Ending::kComplete);
  asker.open.erase(call);
}

void StdioCalls::cancel(Direction& asker, const std::string& id) {
  const auto call = asker.open.find(id);
  if (call == asker.open.end()) return;
  finish(call->second, nullptr,
         &asker == &agent_ ? semconv::Ending::kAgentCancelled : semconv::Ending::kOriginClosed);
  asker.open.erase(call);
}

void StdioCalls::progress(Direction& asker, const std::string& token) {
  for (auto& [id, call] : asker.open) {
    if (call.request.progress_token != token) continue;
    ++call.progress;
    return;
  }
}

void StdioCalls::finish(const Call& call, const semconv::McpMessage* answer,
                        semconv::Ending ending) {
  if (!call.sampled) return;
  trace::Span span(settings_.limits.attributes);
  span.context = call.context;
  span.parent_id = call.parent_id;
  span.parent_is_remote = static_cast<bool>(call.parent_id);
  // What the server asks of the agent, the agent serves.
  span.kind = call.by_server ? trace::SpanKind::kServer : trace::SpanKind::kClient;
  span.start = call.start.wall;
  span.duration = clock_.now().mono - call.start.mono;
  semconv::describe_mcp(span,
                        {.request = &call.request,
                         .answer = answer,
                         .session_id = {},
                         .protocol_version = protocol_version_,
                         .transport = kPipe,
                         .progress = call.progress},
                        settings_.capture.redact);
  span.attributes.set(attribute::kMode, name_of(semconv::Mode::kStdio));
  span.attributes.set(attribute::kParentSource, call.parent_source);
  if (ending == semconv::Ending::kOriginClosed) {
    span.attributes.set(attribute::kErrorType, name_of(Code::kConnectionClosed));
    span.status = trace::SpanStatus::kError;
  }
  span.attributes.set(attribute::kEnd, name_of(ending));
  on_span_(std::move(span));
}

}  // namespace sidespan::app
