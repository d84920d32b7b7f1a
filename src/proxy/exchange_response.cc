// The origin's half of an exchange: from the answer's first byte to its last at the agent, and what
// happens when the origin fails before.
#include <utility>

#include "exchange.h"
#include "sidespan/http/grpc.h"
#include "sidespan/http/hop_by_hop.h"
#include "sidespan/http/inflate.h"
#include "sidespan/http/via.h"
#include "sidespan/http/websocket_deflate.h"

namespace sidespan::proxy {

void Exchange::on_origin_event(http::Event&& event) {
  if (done_) return;
  touch();
  if (std::holds_alternative<http::Drained>(event.what)) return on_origin_queue(queued_to_origin());
  if (packed_answer_ && packed_answer_->behind()) return packed_answer_->wait(std::move(event));
  if (auto* interim = std::get_if<http::Interim>(&event.what)) {
    return on_interim(std::move(*interim));
  }
  if (auto* head = std::get_if<http::Head>(&event.what)) return on_response_head(std::move(*head));
  if (auto* body = std::get_if<http::Body>(&event.what))
    return on_response_body(std::move(body->data));
  if (auto* trailers = std::get_if<http::Trailers>(&event.what)) {
    return on_response_trailers(std::move(*trailers));
  }
  if (std::holds_alternative<http::End>(event.what)) return on_response_end();
  if (auto* reset = std::get_if<http::Reset>(&event.what)) on_origin_reset(std::move(reset->error));
}

// What Alt-Svc offers (RFC 7838) is an origin that we would not see.
void Exchange::hide_alternatives(http::Headers& headers) const {
  if (origin_->tls() != nullptr) headers.remove("alt-svc");
}

void Exchange::on_interim(http::Interim&& interim) {
  interim_seen_ = true;
  arm_timer();
  http::remove_hop_by_hop(interim.head.headers, false);
  hide_alternatives(interim.head.headers);
  to_agent(std::move(interim));
}

void Exchange::on_response_trailers(http::Trailers&& trailers) {
  http::remove_hop_by_hop(trailers.fields, false);
  grpc_status_ = http::grpc_status(trailers.fields);
  to_agent(std::move(trailers));
}

void Exchange::on_response_head(http::Head&& head) {
  first_byte_ = worker_.loop.now().mono;
  give_up_replay();
  response_ = std::move(head);
  // The codec lets no 101 through that was not asked for.
  const bool switching = response_.status == http::kSwitchingProtocols;
  if (observer_) {
    observer_->on_response_head(response_, *first_byte_);
  } else if (mode_ != semconv::Mode::kIngress && semconv::may_be_observed(response_)) {
    observer_ = semconv::make_response_observer(call_facts(), response_);
  }
  settle_work();
  if (lineage_) lineage_->on_response_head(response_);
  begin_packed_answer();
  http::remove_hop_by_hop(response_.headers, switching);
  hide_alternatives(response_.headers);
  if (options_.via) response_.headers.add("Via", http::via_entry(origin_->protocol() == "2"));
  agent_.send_head(stream_, response_);
  const Limits& limits = options_.limits;
  if (limits.stream_idle_time_max < limits.begin_time_max) arm_timer();
  if (!switching) return;
  tunnel_ = true;
  request_ended_ = false;
  request_.headers.fit();
  response_.headers.fit();
  agent_.tunnel(stream_);
  origin_->tunnel();
}

std::unique_ptr<PackedBody> Exchange::make_packed_answer(size_t piece_bytes) {
  return std::make_unique<PackedBody>(
      worker_.loop, piece_bytes,
      PackedBody::Way{
          .show = [this](std::string_view bytes) { show_answer(bytes); },
          .pass = [this](Chain data) { take_answer(std::move(data)); },
          .handle = [this](http::Event&& event) { on_origin_event(std::move(event)); }});
}

void Exchange::begin_packed_answer() {
  if (!observer_ && !lineage_) return;
  if (response_.status != http::kSwitchingProtocols) {
    if (http::is_packed(response_.headers)) {
      packed_answer_ = make_packed_answer(PackedBody::kPieceBytes);
    }
  } else if (http::websocket_extension(response_.headers) == http::WebSocketExtension::kDeflate) {
    packed_request_ = make_packed_request(PackedBody::kMessagePieceBytes);
    packed_answer_ = make_packed_answer(PackedBody::kMessagePieceBytes);
  }
}

void Exchange::on_response_body(Chain&& data) {
  if (peeking_ && is_settings(data)) return arm_timer();
  stop_peeking();
  if (done_) return;
  silence_observer();
  if (packed_answer_) return packed_answer_->take(std::move(data));
  if (observer_ || lineage_) data.visit([&](std::string_view bytes) { show_answer(bytes); });
  take_answer(std::move(data));
}

void Exchange::show_answer(std::string_view bytes) {
  if (observer_) observer_->on_response_bytes(bytes, last_activity_);
  if (lineage_) lineage_->on_response_bytes(bytes, last_activity_);
}

void Exchange::take_answer(Chain&& data) {
  if (done_) return;
  response_bytes_ += data.size();
  response_unconsumed_ += data.size();
  on_agent_queue(to_agent(http::Body{std::move(data)}));
}

// Reading goes on with each Drained event, of which there are some while anything is queued.
void Exchange::on_agent_queue(size_t bytes) {
  if (half_closed_ && bytes == 0) arm_timer();  // a shorter wait begins
  if (!origin_ || !agent_.has_room(stream_, bytes, options_.limits.queue_bytes_max)) return;
  origin_->consumed(std::exchange(response_unconsumed_, 0));
}

void Exchange::on_response_end() {
  stop_peeking();
  if (done_) return;
  if (opening_) opening_->close(Side::kOrigin);
  if (lineage_) lineage_->on_response_end(true, last_activity_);
  response_ended_ = true;
  // The connection, which may be idle next, is read again.
  if (origin_ && response_unconsumed_ > 0)
    origin_->consumed(std::exchange(response_unconsumed_, 0));
  to_agent(http::End{});
  finish_if_over();
}

void Exchange::on_origin_reset(Error&& error) {
  if (opening_ && error.side == Side::kOrigin) opening_->close(Side::kOrigin);
  // By TLS many end a WebSocket's connection without close_notify.
  if (said_close(Side::kOrigin)) {
    if (response_ended_) return finish(semconv::Ending::kComplete, std::nullopt);
    return on_response_end();
  }
  if (tunnel_) {
    to_agent(http::Reset{error});
    return finish(ending_by(error), error);
  }
  if (response_ended_) {
    // The answer is whole; what is left of the request has nowhere to go.
    return finish(semconv::Ending::kComplete, std::nullopt);
  }
  if (answer_begun() || interim_seen_) {
    if (!answer_begun()) return answer_error(error, ending_by(error));
    // It heard that the agent has gone, and stops for that.
    if (half_closed_ && error.code == Code::kTruncated) {
      return give_up_half_closed(std::move(error));
    }
    to_agent(http::Reset{error});
    return finish(ending_by(error), error);
  }
  // One that says that it did nothing is there.
  const bool stale = origin_->reused() && error.code == Code::kConnectionClosed && !error.retryable;
  const bool again = ((stale && repeatable_) || error.retryable) && trace_->resend_count() == 0;
  if (again && replayable_) return retry(error);
  // A client's connection to the ingress is not the one that was stale.
  if (stale && !repeatable_ && mode_ != semconv::Mode::kIngress && agent_.end_as_stale(stream_)) {
    return finish(semconv::Ending::kOriginClosed, std::move(error));
  }
  if (half_closed_ && error.code == Code::kConnectionClosed) {
    return give_up_half_closed(std::move(error));
  }
  // A client of gRPC knows what CANCEL means for its deadline; by our 502 it would believe that the
  // service is not there, and try again.
  if (error.code == Code::kCancelled && agent_.multiplexed() && grpc_) {
    to_agent(http::Reset{error});
    return finish(semconv::Ending::kOriginClosed, std::move(error));
  }
  answer_error(error, ending_by(error));
}

void Exchange::retry(const Error& error) {
  if (mode_ == semconv::Mode::kIngress) {
    trace_->repeat();
  } else {
    emit_span(semconv::Ending::kOriginClosed, error, false);
    trace_->next_attempt(worker_.random);
    start_ = worker_.loop.now();
  }
  origin_.reset();
  // What the origin never read goes out again; bytes that still wait follow it.
  replay_.append(std::exchange(held_, {}));
  held_ = std::exchange(replay_, {});
  writes_meta_ = meta_written_;
  send_started_.reset();
  sent_.reset();
  connect(true);
}

}  // namespace sidespan::proxy
