#include "tunnel.h"

#include <utility>

#include "access_log.h"

namespace sidespan::proxy {
namespace {

// Of one without bytes on the way, as measured: two sockets and what is about them.
constexpr size_t kSocketsBytes = size_t{1} * 1024;
constexpr int kOpenedStatus = 200;

size_t bytes_of(const Tunnel::Parts& parts) {
  size_t bytes = kSocketsBytes;
  if (parts.span) bytes += parts.span->memory_bytes();
  if (parts.logged) {
    bytes += sizeof(*parts.logged) + parts.logged->span.tracestate.to_string().size() +
             parts.logged->baggage.capacity();
  }
  return bytes;
}

}  // namespace

Tunnel::Tunnel(Worker& worker, Owner& owner, SlotId id, Place place, Parts parts)
    : worker_(worker),
      owner_(owner),
      id_(id),
      reason_(parts.reason),
      place_(std::move(place)),
      origin_place_(std::move(parts.origin.place)),
      charge_(bytes_of(parts)),
      known_(std::move(parts.known)),
      start_(parts.start),
      opened_(parts.opened),
      sent_before_(parts.sent),
      received_before_(parts.received),
      span_(std::move(parts.span)),
      logged_(std::move(parts.logged)),
      splice_(std::move(parts.agent), std::move(parts.origin.stream),
              worker.options->limits.queue_bytes_max, *this) {
  worker_.metrics.connections.add(1);
  ++worker_.exchanges;
}

Tunnel::~Tunnel() {
  worker_.metrics.connections.add(-1);
  if (!over_) --worker_.exchanges;
}

void Tunnel::reset(semconv::Ending ending, const Error& error) {
  if (!over_) end(ending, &error);
}

void Tunnel::sweep() {
  if (!over_) splice_.look_for_reset();
  const Milliseconds patience = worker_.options->limits.stream_idle_time_max;
  // Nobody was silent for as long as we did not listen.
  if (over_ || worker_.loop.looked() - splice_.last_activity() < patience) return;
  const Side side = splice_.awaited();
  reset(semconv::Ending::kTimeout, {Code::kTimeout, side, false,
                                    "the " + std::string(name_of(side)) + " was silent for " +
                                        std::to_string(patience.count()) + " ms"});
}

void Tunnel::on_splice_end(const Error* broken) {
  if (broken == nullptr) return end(semconv::Ending::kComplete, nullptr);
  if (broken->side == Side::kAgent) return end(semconv::Ending::kAgentCancelled, nullptr);
  end(semconv::Ending::kOriginClosed, broken);
}

void Tunnel::end(semconv::Ending ending, const Error* error) {
  over_ = true;
  --worker_.exchanges;
  const MonoTime now = worker_.loop.now().mono;
  const std::string& host = known_->tunnel_key().host;
  known_->record_duration(worker_.metrics,
                          {"CONNECT", host, kOpenedStatus,
                           error != nullptr ? name_of(error->code) : std::string_view()},
                          to_seconds(now - start_));
  worker_.metrics.count_request(semconv::Mode::kTunnel, kOpenedStatus);
  worker_.metrics.tunnels[static_cast<size_t>(reason_)].add();
  if (span_) {
    trace::Span span = std::move(*span_).unpack();
    semconv::end_tunnel_span(span, {.bytes_sent = sent_before_ + splice_.from_agent(),
                                    .bytes_received = received_before_ + splice_.from_origin(),
                                    .start = start_,
                                    .opened = opened_,
                                    .end = now,
                                    .ending = ending,
                                    .error = error,
                                    .closed_by = splice_.closed_by()});
    worker_.sink.emit(std::move(span));
  }
  if (logged_) {
    write_access_line(worker_.log, {.mode = semconv::Mode::kTunnel,
                                    .method = "CONNECT",
                                    .host = host,
                                    .path = {},
                                    .status = kOpenedStatus,
                                    .duration = now - start_,
                                    .ending = ending,
                                    .error = error,
                                    .span = &logged_->span,
                                    .baggage = logged_->baggage});
  }
  // Whole only where both have said so; else nobody may take it for that.
  ending == semconv::Ending::kComplete ? splice_.close() : splice_.reset();
  owner_.tunnel_over(id_);
}

}  // namespace sidespan::proxy
