// The agent's half of an exchange: from the request's head to its last byte at the origin.
#include <algorithm>
#include <string>
#include <utility>

#include "credential.h"
#include "exchange.h"
#include "sidespan/base/text.h"
#include "sidespan/http/answer.h"
#include "sidespan/http/grpc.h"
#include "sidespan/http/hop_by_hop.h"
#include "sidespan/http/inflate.h"
#include "sidespan/http/via.h"

namespace sidespan::proxy {
namespace {

// Authentication that belongs to a connection, not to a request (RFC 4559): the origin's connection
// then serves one agent connection only.
bool binds_connection(std::string_view authorization) {
  const bool may = !authorization.empty() && text::to_lower(authorization.front()) == 'n';
  if (!may) return false;  // a bearer's, mostly
  const std::string_view scheme = authorization.substr(0, authorization.find(' '));
  return text::equal_ignoring_case(scheme, "negotiate") ||
         text::equal_ignoring_case(scheme, "ntlm");
}

// h2c is ours to offer, hop by hop; an agent's wish for it is not passed on.
bool wants_other_protocol(const http::Head& head) {
  return head.upgrade && !head.asks("CONNECT") && !head.headers.lists("upgrade", "h2c");
}

void add_proxy_authorization(http::Headers& headers, const wire::SecondProxy& proxy) {
  if (!proxy.authorization.empty()) headers.set("Proxy-Authorization", proxy.authorization);
}

}  // namespace

// Context stands in heads. In trailers it would pass by whatever is decided there.
void Exchange::remove_context(http::Headers& trailers) const {
  if (!options_.inject) return;
  trailers.remove(kW3cFields);
  trailers.remove_if(
      [](const http::Field& field) { return trace::vendor_field(field.name).has_value(); });
  const auto remove = [&](const trace::Propagator& format) {
    for (const std::string_view name : format.fields()) trailers.remove(http::Wanted(name));
  };
  remove(*options_.inject);
  for (const trace::Propagator* const format : options_.other_formats.custom) remove(*format);
}

void Exchange::on_agent_event(http::Event&& event) {
  if (done_) return;
  touch();
  if (std::holds_alternative<http::Drained>(event.what)) return on_agent_queue(queued_to_agent());
  if (auto* reset = std::get_if<http::Reset>(&event.what)) {
    return on_agent_reset(std::move(reset->error));
  }
  if (packed_request_ && packed_request_->behind()) return packed_request_->wait(std::move(event));
  if (auto* body = std::get_if<http::Body>(&event.what))
    return on_request_body(std::move(body->data));
  if (auto* trailers = std::get_if<http::Trailers>(&event.what)) {
    trailers_ = std::move(trailers->fields);
    http::remove_hop_by_hop(*trailers_, false);
    remove_context(*trailers_);
    return;
  }
  if (std::holds_alternative<http::End>(event.what)) return on_request_end();
  if (std::holds_alternative<http::HalfClosed>(event.what)) {
    half_closed_ = true;
    // Clients that give a call up close so, and may ask again at once.
    if (lineage_ && !answer_begun()) lineage_->agent_left();
    if (origin_) origin_->half_close();
    arm_timer();
  }
}

void Exchange::begin(const std::optional<Moment>& asked_for) {
  grpc_ = http::is_grpc(request_.headers);
  if (request_.begun == MonoTime{}) request_.begun = start_.mono;
  if (asked_for) {
    start_ = *asked_for;
  } else {
    const Nanoseconds ago = start_.mono - request_.begun;
    start_ = {request_.begun, start_.wall - ago};
  }
  if (std::optional<Error> error = choose_target())
    return answer_error(*error, semconv::Ending::kRefused);
  if (done_ || answer_max_forwards()) return;
  path_bytes_ = std::min(url_.path.find('?'), url_.path.size());
  if (!known_) {
    known_ = worker_.origins.find(url_.authority, url_.port(), url_.scheme == "https");
  }
  CallTrace::Standing standing = find_standing();
  standing.has_query = !query().empty();
  standing.authorization = request_.headers.find(http::FieldName::kAuthorization).value_or("");
  binds_ = binds_connection(standing.authorization);
  const bool unnamed = !standing.served && !standing.credential;
  if (options_.credentials_required && unnamed) return demand_credential();
  trace_.emplace(options_, request_, url_, std::move(standing), worker_.random);
  if (sidespans_passed() >= http::kSidespansMax) {
    return answer_error({Code::kLoop, Side::kSelf, false,
                         "the request has passed " + std::to_string(http::kSidespansMax) +
                             " sidespans by its Via field: routes or egress.via lead in a circle"},
                        semconv::Ending::kRefused);
  }
  if (known_->denied()) {
    return answer_error({Code::kDenied, Side::kAgent, false,
                         url_.authority.host + " is on the list of egress.deny"},
                        semconv::Ending::kRefused);
  }
  if (inside_ != nullptr && inside_->failure) {
    return answer_error(*inside_->failure, ending_by(*inside_->failure));
  }
  begin_observing();
  begin_packed_request();
  if (!holding_) connect(request_.asks("CONNECT"));
}

// Where others than this machine's agents may connect, each says who it is.
void Exchange::demand_credential() {
  refuse_without_span(407, "the proxy's URL must name a user: egress.credentials is required",
                      "Basic realm=\"sidespan\"");
}

void Exchange::refuse_without_span(int status, std::string body, std::string_view challenge) {
  http::LocalAnswer answer = http::make_answer(status, "sidespan: " + std::move(body) + ".\n");
  if (!challenge.empty()) answer.head.headers.add("Proxy-Authenticate", challenge);
  send_answer(std::move(answer));
  finish(semconv::Ending::kRefused, std::nullopt);
}

// What this request or its agent needs of a connection that others do not.
std::optional<wire::PoolKey> Exchange::special_key(const wire::PoolKey& usual) const {
  // What is bound to a connection has no streams, and later requests need the same one.
  const bool bound = agent_.pinned() != 0;
  const bool h1_alone = usual.h2 && (bound || wants_other_protocol(request_));
  // Nobody serves gRPC by anything else; an origin without TLS is known by it.
  const bool direct = inside_ != nullptr || !known_->absolute();
  const bool h2_alone = !usual.secure && direct && grpc_;
  const size_t passed = usual.through && inside_ == nullptr ? sidespans_passed() : 0;
  if (!bound && !h1_alone && !h2_alone && passed == 0) return std::nullopt;
  wire::PoolKey key = usual;
  key.pinned_to = agent_.pinned();
  key.h2 = (key.h2 || h2_alone) && !h1_alone;
  if (passed > 0) key.sidespans = passed;
  return key;
}

void Exchange::connect(bool fresh) {
  if (mode_ == semconv::Mode::kTunnel && has_secured_origin()) {
    opens_at_end_ = true;
    return;
  }
  if (binds_) agent_.pin();
  const wire::PoolKey* key = inside_ != nullptr                ? &inside_->key
                             : mode_ == semconv::Mode::kTunnel ? &known_->tunnel_key()
                                                               : &known_->key();
  const std::optional<wire::PoolKey> special = special_key(*key);
  if (special) key = &*special;
  const bool usual = inside_ == nullptr && mode_ != semconv::Mode::kTunnel && !special;
  repeatable_ = http::is_idempotent(request_.method());
  wire::OriginStreamPtr idle =
      fresh   ? nullptr
      : usual ? worker_.pool.acquire(*key, known_->pooled(), *this, repeatable_)
              : worker_.pool.acquire(*key, *this, repeatable_);
  if (idle) return on_connected(std::move(idle));
  waiting_ = worker_.pool.dial(
      *key, *this, [this](Result<wire::OriginStreamPtr> result) { on_dialled(std::move(result)); },
      fresh);
}

void Exchange::on_dialled(Result<wire::OriginStreamPtr> result) {
  touch();
  waiting_.reset();
  if (result) return on_connected(*std::move(result));
  Error error = by_absolute_form() ? wire::second_proxy_error(std::move(result).error())
                                   : std::move(result).error();
  if (tunnel_) return on_origin_reset(std::move(error));
  answer_error(error, ending_by(error));
}

void Exchange::on_connected(wire::OriginStreamPtr stream) {
  origin_ = std::move(stream);
  // RFC 9110 section 9.2.2, where a connection may have been closed before it was used; and where
  // the origin can say that it did nothing (RFC 9113 section 8.7).
  const bool h2 = origin_->protocol() == "2";
  replayable_ = h2 || (origin_->reused() && repeatable_);
  peer_ = origin_->peer();
  phases_ = origin_->phases();
  if (mode_ == semconv::Mode::kTunnel) return tunnel_ ? rejoin_tunnel() : open_tunnel();
  if (const auto error = misdirection(*origin_)) {
    return answer_error(*error, semconv::Ending::kRefused);
  }
  if (h2 && !agent_.crowded()) origin_->read_ahead();
  send_request();
  if (request_ended_) send_request_end();
  if (half_closed_ && origin_) origin_->half_close();
}

// What there is of it.
void Exchange::send_request() {
  if (writes_meta_) write_meta();
  send_request_head();
  if (!held_.empty()) forward_to_origin(std::exchange(held_, {}));
}

void Exchange::send_request_head() {
  // All of it changes nothing more when it is done for another attempt.
  http::Head& head = request_;
  head.upgrade = wants_other_protocol(head);
  const bool trailers = head.headers.lists(http::FieldName::kTe, "trailers");
  http::remove_hop_by_hop(head.headers, head.upgrade);
  if (trailers && origin_->protocol() == "2") head.headers.set("te", "trailers");
  if (!head.upgrade) head.headers.remove("http2-settings");
  if (mode_ == semconv::Mode::kIngress) {
    set_ingress_host();
  } else if (!keeps_host()) {
    // Most agents say the same.
    const bool same = head.headers.find(http::FieldName::kHost) == known_->authority();
    if (!same) head.headers.set("Host", known_->authority());
  }
  const bool asks_server = head.asks("OPTIONS") && !url_.path_given && url_.path == "/";
  if (by_absolute_form()) {
    head.set_target("http://" + known_->authority() + url_.path);
    add_proxy_authorization(head.headers, options_.second_proxy);
  } else {
    head.set_target(asks_server ? "*" : std::string_view(url_.path));
  }
  if (tells_way() && !via_added_) {
    via_added_ = head.headers.add("Via", http::via_entry(agent_.multiplexed()));
  }
  const DestinationRule& rule = known_->rule(origin_address());
  // Who gets no context does not see whose call it is either, which may come to light yet.
  if (rule.traceparent && options_.inject && !trace_->decided()) {
    trace_->decide(nullptr, {}, worker_.random);
  }
  trace_->inject(head.headers, rule, worker_.random);
  hold_own_trace();
  begin_serving();
  send_started_ = worker_.loop.now().mono;
  origin_->send_head(head);
}

void Exchange::on_request_body(Chain&& data) {
  if (peeking_) return peek(std::move(data));
  silence_observer();
  if (packed_request_) return packed_request_->take(std::move(data));
  if (observer_ || lineage_) data.visit([&](std::string_view bytes) { show_request(bytes); });
  take_request(std::move(data));
}

void Exchange::show_request(std::string_view bytes) {
  if (observer_ && tunnel_) {
    observer_->on_switched_request_bytes(bytes, last_activity_);
  } else if (observer_) {
    observer_->on_request_bytes(bytes, last_activity_);
  }
  if (lineage_) lineage_->on_request_bytes(bytes, last_activity_);
}

void Exchange::take_request(Chain&& data) {
  if (done_) return;
  request_bytes_ += data.size();
  if (holding_) {
    agent_.consumed(stream_, data.size());
    held_.append(std::move(data));
    if (writes_meta_ && held_.size() <= options_.limits.mcp_message_bytes_max) return;
    // One of unknown length turns out to be too long to be written into. It may still be waited
    // for.
    if (std::exchange(writes_meta_, false) && !waits_for_body()) return on_body_awaited(false);
    const bool too_long = held_.size() > options_.limits.lineage_hold_bytes_max;
    if (too_long || has_all_that_tells()) return on_body_awaited(!too_long);
    if (waits_for_a_file() || packed_request_) arm_timer();
    return;
  }
  request_unconsumed_ += data.size();
  if (!origin_) return held_.append(std::move(data));
  forward_to_origin(std::move(data));
}

void Exchange::begin_observing() {
  if (!trace_->active()) return;
  // What the agent's server is asked is no call of a model or a tool.
  if (mode_ == semconv::Mode::kIngress) return begin_given();
  if (worker_.shared.memory.over(MemoryMark::kTapsOff)) return lose_sight();
  make_lineage();
  observer_ = semconv::make_request_observer(call_facts(), options_.observers);
  begin_lineage();
  writes_meta_ = wants_meta();
  holding_ = writes_meta_ || waits_for_body();
  if (holding_) {
    held_since_ = worker_.loop.now().mono;
    return arm_timer();
  }
  if (!lineage_ || lineage_->is_silent() || lineage_->of_nobody() || !lineage_->reads_request()) {
    place();
  }
}

semconv::CallFacts Exchange::call_facts() {
  const bool seen = trace_ && trace_->active();
  return {.request = request_,
          .url = url_,
          .path = path(),
          .query = query(),
          .start = start_,
          .counts_itself = seen && trace_->agent_counts_itself(),
          .sampled = seen && trace_->sampled(),
          .mcp_calls = seen ? &worker_.shared.mcp_calls : nullptr,
          .mcp_sink = seen ? &worker_.mcp_sink : nullptr,
          .shared_calls = this,
          .watcher = lineage_.get(),
          .beginnings = trace_ ? trace_->beginnings() : semconv::FieldBeginnings::any()};
}

std::unique_ptr<PackedBody> Exchange::make_packed_request(size_t piece_bytes) {
  return std::make_unique<PackedBody>(
      worker_.loop, piece_bytes,
      PackedBody::Way{.show = [this](std::string_view bytes) { show_request(bytes); },
                      .pass = [this](Chain data) { take_request(std::move(data)); },
                      .handle = [this](http::Event&& event) { on_agent_event(std::move(event)); }});
}

void Exchange::begin_packed_request() {
  if (!observer_ && !lineage_) return;
  if (!http::is_packed(request_.headers)) return;
  packed_request_ = make_packed_request(PackedBody::kPieceBytes);
}

void Exchange::forward_to_origin(Chain data) {
  if (data.empty()) return;
  if (replayable_) keep_for_replay(data);
  on_origin_queue(origin_->send({0, http::Body{std::move(data)}}));
}

void Exchange::keep_for_replay(const Chain& data) {
  if (replay_.size() + data.size() > options_.limits.replay_bytes_max) return give_up_replay();
  replay_.append(data.share());
}

void Exchange::give_up_replay() {
  replayable_ = false;
  replay_.clear();
}

void Exchange::on_origin_queue(size_t bytes) {
  if (request_unconsumed_ == 0 || bytes >= options_.limits.queue_bytes_max) return;
  agent_.consumed(stream_, std::exchange(request_unconsumed_, 0));
}

void Exchange::on_request_end() {
  if (std::exchange(opens_at_end_, false)) return open_tunnel();
  // A tunnel that leads nowhere yet, and nobody would be there to see where.
  const bool abandoned = tunnel_ && !origin_ && (held_.empty() || opening_->inside);
  if (abandoned) {
    return give_up_half_closed(
        {Code::kConnectionClosed, Side::kAgent, false, "the agent has gone"});
  }
  stop_peeking();
  if (done_) return;
  if (opening_) opening_->close(Side::kAgent);
  if (observer_ && !request_ended_) observer_->on_request_end();
  if (lineage_ && !request_ended_) lineage_->on_request_end(last_activity_);
  request_ended_ = true;
  const Limits& limits = options_.limits;
  if (limits.begin_time_max < limits.stream_idle_time_max) arm_timer();
  if (holding_) return on_body_awaited(true);
  place();
  if (origin_) send_request_end();
  finish_if_over();
}

void Exchange::send_request_end() {
  if (trailers_) origin_->send({0, http::Trailers{*trailers_}});
  sent_ = worker_.loop.now().mono;
  origin_->send({0, http::End{}});
}

void Exchange::on_agent_reset(Error error) {
  if (said_close(Side::kAgent)) {
    if (request_ended_) return finish(semconv::Ending::kComplete, std::nullopt);
    return on_request_end();
  }
  const bool cancelled = error.code == Code::kTruncated || error.code == Code::kConnectionReset;
  if (cancelled && is_answered()) return finish(semconv::Ending::kComplete, std::nullopt);
  if (cancelled || answer_begun()) {
    to_agent(http::Reset{error});
    return finish(cancelled ? semconv::Ending::kAgentCancelled : semconv::Ending::kRefused,
                  cancelled ? std::nullopt : std::optional<Error>(error));
  }
  answer_error(error, semconv::Ending::kRefused);
}

}  // namespace sidespan::proxy
