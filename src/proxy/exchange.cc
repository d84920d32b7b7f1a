#include "exchange.h"

#include <algorithm>
#include <utility>

#include "access_log.h"
#include "sidespan/http/answer.h"
#include "sidespan/http/grpc.h"
#include "sidespan/semconv/attributes.h"
#include "sidespan/semconv/mcp.h"
#include "sidespan/semconv/redact.h"

namespace sidespan::proxy {
namespace {

// How long a tunnel's first bytes, so far the beginning of an HTTP method or of a TLS hello, wait
// for more of it.
constexpr Milliseconds kPeekTimeMax{200};
constexpr Milliseconds kHelloTimeMax{5000};
// An exchange with its connection to the origin, without what it carries.
constexpr size_t kOwnBytes = size_t{6} * 1024;

}  // namespace

Exchange::Exchange(Worker& worker, AgentSide& agent, http::StreamId stream, http::Head&& request)
    : worker_(worker),
      options_(*worker.options),
      agent_(agent),
      stream_(stream),
      inside_(agent.inside()),
      charge_(kOwnBytes),
      request_(std::move(request)),
      start_(worker.loop.now()),
      last_activity_(start_.mono) {
  ++worker_.exchanges;
  agent_.call_at(last_activity_ + options_.limits.stream_idle_time_max);
}

Exchange::~Exchange() {
  if (!done_ && !handed_over_) --worker_.exchanges;
}

void Exchange::on_agent_gone() {
  // Who sent all and has its answer cancels nothing. Its codec knows that of a reset by itself.
  const bool is_served = response_ended_ && is_request_here();
  if (done_ || is_served) return;
  const bool parted = said_close(Side::kAgent) && said_close(Side::kOrigin);
  finish(parted || is_answered() ? semconv::Ending::kComplete : semconv::Ending::kAgentCancelled,
         std::nullopt);
}

void Exchange::abort(semconv::Ending ending, Error error) {
  if (done_) return;
  if (answer_begun()) {
    to_agent(http::Reset{error});
    return finish(ending, std::move(error));
  }
  answer_error(error, ending);
}

void Exchange::cut(const Error& error) {
  finish(semconv::Ending::kLimit, error);
}

void Exchange::silence_observer() {
  const bool looks = observer_ || (lineage_ && !lineage_->is_silent());
  if (!looks || !worker_.shared.memory.over(MemoryMark::kTapsOff)) return;
  if (observer_) observer_->on_silenced();
  observer_.reset();
  lose_sight();
  tap_off_ = true;
  worker_.metrics.memory_taps_off.add();
}

void Exchange::end_observing(semconv::Ending ending, const std::optional<Error>& error) {
  using End = semconv::Observer::End;
  observer_->on_end(ending == semconv::Ending::kComplete && !error ? End::kWhole
                    : ending == semconv::Ending::kAgentCancelled   ? End::kCancelled
                                                                   : End::kBroken,
                    worker_.loop.now().mono);
  if (const semconv::McpMessage* message = observer_->mcp_request()) {
    trace_->link_meta({message->traceparent, message->tracestate, message->baggage});
  }
  const semconv::genai::Call* call = observer_->model_call();
  if (call == nullptr) return;
  semconv::HttpFacts how;
  how.mode = mode_;
  how.response = origin_status(error) != 0 ? &response_ : nullptr;
  how.ending = ending;
  how.error = error ? &*error : nullptr;
  record_model(*call, how, start_.mono);
}

// What the proxy answered by itself is no answer of the origin. 0: there is none.
int Exchange::origin_status(const std::optional<Error>& error) const {
  const bool own_answer = error && !first_byte_;
  return own_answer ? 0 : response_.status;
}

semconv::Ending Exchange::ending_by(const Error& error) {
  switch (error.code) {
    case Code::kDenied:
    case Code::kLoop:
      return semconv::Ending::kRefused;
    case Code::kConnectTimeout:
    case Code::kTimeout:
      return semconv::Ending::kTimeout;
    case Code::kOverload:
      return semconv::Ending::kLimit;
    default:
      return semconv::Ending::kOriginClosed;
  }
}

void Exchange::answer_error(const Error& error, semconv::Ending ending) {
  send_answer(http::make_answer(error));
  finish(ending, error);
}

void Exchange::send_answer(http::LocalAnswer answer) {
  // Nobody will read the rest of the request, nor what a tunnel would have had.
  const bool open = !request_ended_ && !is_request_here();
  const bool unread = open && request_.body.kind != http::BodyLength::Kind::kNone;
  // In another tunnel the origin may be well again.
  const Inside* inside = agent_.inside();
  const bool hopeless = inside != nullptr && inside->failure;
  if (unread || hopeless) answer.head.headers.set("Connection", "close");
  response_.status = answer.head.status;
  to_agent(std::move(answer.head));
  to_agent(http::Body{Chain(answer.body)});
  to_agent(http::End{});
  if (!agent_.multiplexed()) return;
  if (hopeless) agent_.take_no_more();
  if (open) agent_.close(stream_);
}

void Exchange::finish_if_over() {
  if (done_ || !response_ended_ || is_request_here()) return;
  if (request_ended_ || (agent_.ending() && !tunnel_))
    finish(semconv::Ending::kComplete, std::nullopt);
}

void Exchange::finish(semconv::Ending ending, const std::optional<Error>& error) {
  if (done_) return;
  if (ending == semconv::Ending::kAgentCancelled && deadline_has_passed()) {
    ending = semconv::Ending::kTimeout;
    grpc_status_ = http::grpc::kDeadlineExceeded;
  }
  if (opening_ && ending == semconv::Ending::kAgentCancelled) opening_->close(Side::kAgent);
  if (observer_) end_observing(ending, error);
  const lineage::CallEnd how = end_lineage(ending);
  // A tunnel that was left is no request of its own: those inside it are.
  if (trace_ || !tunnel_) {
    emit_span(ending, error, true);
    release_own_trace();
    worker_.metrics.count_request(mode_, response_.status);
    if (mode_ == semconv::Mode::kTunnel && opening_ && opening_->passed) {
      worker_.metrics.tunnels[static_cast<size_t>(opening_->reason)].add();
    }
    if (options_.access_log) write_access_log(ending, error);
  }
  done_ = true;
  const bool request_read = request_ended_ || is_request_here();
  if (packed_request_) packed_request_->stop();
  if (packed_answer_) packed_answer_->stop();
  if (options_.ingress) leave_ingress(ending, how);
  --worker_.exchanges;
  waiting_.reset();
  if (!(request_ended_ && response_ended_)) cut_off(request_read);
  origin_.reset();
  if (!held_.empty()) held_.clear();
  if (!replay_.empty()) replay_.clear();
  agent_.exchange_over();
}

// A client of gRPC cancels by itself when the time is over that it gave the call, and tells its
// user of that. Its clock runs a little before ours.
bool Exchange::deadline_has_passed() const {
  constexpr Milliseconds kAhead{20};
  if (!grpc_ || grpc_status()) return false;
  const std::optional<Nanoseconds> timeout = http::grpc_timeout(request_.headers);
  return timeout && worker_.loop.now().mono - request_.begun + kAhead >= *timeout;
}

// In the trailers, or in the head of an answer that has nothing else.
std::optional<uint32_t> Exchange::grpc_status() const {
  return grpc_status_ ? grpc_status_ : http::grpc_status(response_.headers);
}

void Exchange::cut_off(bool request_read) {
  if (origin_) {
    // It would take a FIN for a half-close, and go on working for nobody.
    origin_->send(
        {0, http::Reset{{Code::kConnectionClosed, Side::kSelf, false, "the exchange was ended"}}});
  }
  // The answer is whole, and nobody reads the rest of the request. Where there is none the agent
  // may be at its next one.
  if (response_ended_ && !request_read) agent_.close(stream_);
}

void Exchange::emit_span(semconv::Ending ending, const std::optional<Error>& error, bool last) {
  if (!trace_) return;
  place();
  const MonoTime end = worker_.loop.now().mono;
  const int status = origin_status(error);
  // Without an error and an answer the agent has cancelled it.
  const std::string_view reason = error         ? name_of(error->code)
                                  : status == 0 ? name_of(ending)
                                                : std::string_view();
  const double duration = to_seconds(end - start_.mono);
  if (mode_ == semconv::Mode::kIngress) {
    worker_.metrics.served_durations_of({request_.method(), url_.scheme, status, reason})
        .record(duration);
  } else {
    known_->record_duration(worker_.metrics,
                            {request_.method(), url_.authority.host, status, reason}, duration);
    if (trace_->active()) worker_.metrics.count_parent(trace_->source());
  }
  if (!trace_->sampled()) return;
  std::string client;
  semconv::HttpFacts facts = facts_by_now(status, client);
  facts.end = end;
  facts.ending = ending;
  facts.error = error ? &*error : nullptr;
  trace::Span span = semconv::make_http_span(facts, options_.spans);
  if (observer_) {
    observer_->describe(span);
    describe_session(span);
  }
  if (tap_off_) span.attributes.set(semconv::attribute::kTapOff, true);
  worker_.sink.emit(std::move(span));
  if (observer_ && last) observer_->emit_calls(facts, options_.spans, worker_.random);
}

// All but how it ended. Views are into this exchange and `client`. Whoever else is asked is asked
// first, so that nothing is set twice.
semconv::HttpFacts Exchange::facts_by_now(int status, std::string& client) const {
  const bool served = mode_ == semconv::Mode::kIngress;
  const semconv::KnownTarget* const target = served ? nullptr : &known_->target(url_);
  const trace::Attributes::Packed* const peer = served ? nullptr : known_->peer(peer_);
  const std::string_view protocol = origin_ ? origin_->protocol() : std::string_view();
  const tls::Engine* const tls = origin_ ? origin_->tls() : nullptr;
  const std::string_view source = lineage::name_of(trace_->source());

  semconv::HttpFacts facts;
  facts.context = &trace_->span();
  facts.parent_id = trace_->parent_id();
  facts.parent_is_remote = trace_->parent_is_remote();
  facts.parent_source = source;
  facts.context_blocked = trace_->context_blocked();
  facts.mode = mode_;
  facts.request = &request_;
  facts.url = &url_;
  facts.secret = !url_.userinfo.empty() || !query().empty();
  facts.target = target;
  facts.response = status != 0 ? &response_ : nullptr;
  facts.grpc = grpc_;
  facts.resend_count = trace_->resend_count();
  facts.protocol_version = protocol;
  facts.peer = peer;
  facts.alike = served ? nullptr : &known_->alike();
  facts.request_body_bytes = facts.bytes_sent = request_bytes_;
  facts.response_body_bytes = facts.bytes_received = response_bytes_;
  facts.start = start_;
  facts.dns = phases_.dns;
  facts.connect = phases_.connect;
  facts.tls = phases_.tls;
  facts.send_started = send_started_;
  facts.sent = sent_;
  facts.first_byte = first_byte_;
  trace_->describe(facts);
  if (grpc_) facts.grpc_status = grpc_status();
  if (tls != nullptr) {
    facts.tls_version = tls->version();
    facts.tls_resumed = tls->resumed();
  }
  if (opening_) {
    const bool decided = opening_->passed || opening_->reason != Opaque::kNotTls;
    if (decided && mode_ == semconv::Mode::kTunnel) facts.tunnel_reason = name_of(opening_->reason);
    facts.closed_by = opening_->closed_by;
    facts.tls_server_name = opening_->server_name;
    facts.tls_alpn = opening_->alpn;
  }
  if (served) describe_client(facts, client);
  return facts;
}

void Exchange::write_access_log(semconv::Ending ending, const std::optional<Error>& error) {
  const size_t query = std::min(url_.path.find('?'), url_.path.size());
  std::string path = url_.path.substr(0, query);
  if (query < url_.path.size()) {
    path.push_back('?');
    semconv::append_redacted_query(path, std::string_view(url_.path).substr(query + 1),
                                   options_.spans.redact_query);
  }
  const std::string baggage = trace_ ? baggage_text(trace_->further_attributes()) : std::string();
  write_access_line(worker_.log, {.mode = mode_,
                                  .method = request_.method(),
                                  .host = url_.authority.host,
                                  .path = path,
                                  .status = response_.status,
                                  .duration = worker_.loop.now().mono - start_.mono,
                                  .ending = ending,
                                  .error = error ? &*error : nullptr,
                                  .span = trace_ ? &trace_->span() : nullptr,
                                  .baggage = baggage});
}

Exchange::Wait Exchange::wait() const {
  const Limits& limits = options_.limits;
  if (peeking_ && !waiting_ && !(held_.empty() && opening_->settings.empty())) {
    return {Wait::For::kPeek, opening_->since, opening_->greeting ? kHelloTimeMax : kPeekTimeMax};
  }
  const bool of_known_length = request_.body.kind == http::BodyLength::Kind::kKnown;
  // Decoding goes on by itself, and takes nothing of the agent's time.
  const bool is_decoded = packed_request_ && packed_request_->behind();
  if (holding_ && !is_decoded && !(writes_meta_ && of_known_length)) {
    const Nanoseconds decoding = packed_request_ ? packed_request_->behind_for() : Nanoseconds(0);
    return {Wait::For::kBody, held_since_ + decoding,
            waits_for_a_file() ? Milliseconds(0) : limits.lineage_hold_time_max};
  }
  // Who takes what waits for him is there.
  if (half_closed_ && queued_to_agent() == 0) {
    const Milliseconds patience =
        worker_.agents_gone ? Milliseconds(0) : limits.half_close_time_max;
    return {Wait::For::kHalfClosed, last_activity_, patience};
  }
  const bool beginning = request_ended_ && !answer_begun() && !interim_seen_;
  return {Wait::For::kProgress, last_activity_,
          beginning ? limits.begin_time_max : limits.stream_idle_time_max};
}

// Progress only moves what a wait counts from; the timer finds out when it fires. It is set anew
// where a wait begins that may be shorter than the one before: by the settings that of an answer's
// beginning is, or that of its next byte, or neither.
void Exchange::arm_timer() {
  const Wait now = wait();
  agent_.call_at(now.since + now.time_max);
}

void Exchange::on_timer() {
  if (done_) return;
  const Wait over = wait();
  // Nobody was silent for as long as we did not listen.
  if (worker_.loop.looked() - over.since < over.time_max) return arm_timer();
  switch (over.what) {
    case Wait::For::kPeek:
      stop_peeking();
      return arm_timer();
    case Wait::For::kBody:
      return on_body_awaited(false);
    case Wait::For::kHalfClosed:
      return give_up_half_closed({Code::kTimeout, Side::kAgent, false, "the agent has gone"});
    case Wait::For::kProgress: {
      const Side side = silent_side();
      return abort(semconv::Ending::kTimeout,
                   {Code::kTimeout, side, false,
                    "the " + std::string(name_of(side)) + " was silent for " +
                        std::to_string(over.time_max.count()) + " ms"});
    }
  }
}

// Most agents that send FIN and wait have simply gone.
void Exchange::give_up_half_closed(Error error) {
  to_agent(http::Reset{std::move(error)});
  finish(semconv::Ending::kAgentCancelled, std::nullopt);
}

net::Address Exchange::origin_address() const {
  const bool through = inside_ != nullptr ? inside_->key.through : known_->tunnel_key().through;
  return through ? net::Address() : peer_;
}

Side Exchange::silent_side() const {
  // Who does not take what waits for it holds up the other, who else owes the next byte.
  if (queued_to_agent() > 0) return Side::kAgent;
  if (queued_to_origin() > 0) return Side::kOrigin;
  return request_ended_ || tunnel_ ? Side::kOrigin : Side::kAgent;
}

}  // namespace sidespan::proxy
