#include "inner_connection.h"

#include <utility>

#include "sidespan/http/h1_codec.h"

namespace sidespan::proxy {

InnerConnection::InnerConnection(AgentSide& agent, http::StreamId stream,
                                 std::unique_ptr<net::Stream> end, const Options& options)
    : agent_(agent),
      stream_(stream),
      options_(options),
      charge_(sizeof(InnerConnection)),
      connection_(std::move(end), nullptr, http::make_h1_client(options.limits.codec), *this),
      inner_(connection_.open()) {}

void InnerConnection::begin(http::Head&& connect) {
  connect.upgrade = false;
  connect.body = http::BodyLength::none();
  connection_.send_head(inner_, connect);
}

void InnerConnection::on_agent_event(http::Event&& event) {
  if (done_) return;
  if (auto* body = std::get_if<http::Body>(&event.what)) {
    agent_unconsumed_ += body->data.size();
    if (!opened_) return early_.append(std::move(body->data));
    to_inner(std::move(*body));
  } else if (std::holds_alternative<http::End>(event.what)) {
    agent_ended_ = true;
    if (opened_) to_inner(http::End{});
  } else if (std::holds_alternative<http::Reset>(event.what)) {
    return cut();
  }
  make_room();
  finish_if_over();
}

void InnerConnection::cut() {
  if (done_) return;
  connection_.abort();
  finish();
}

void InnerConnection::wake(wire::Connection&) {
  while (!done_) {
    std::optional<http::Event> event = connection_.next();
    if (!event) break;
    on_inner_event(std::move(*event));
  }
  if (done_ || !connection_.closed()) return;
  if (!inner_ended_) {
    to_agent(http::Reset{{Code::kConnectionReset, Side::kSelf, false, "the tunnel broke off"}});
  }
  finish();
}

void InnerConnection::on_inner_event(http::Event&& event) {
  if (auto* head = std::get_if<http::Head>(&event.what)) {
    on_answer(std::move(*head));
  } else if (auto* body = std::get_if<http::Body>(&event.what)) {
    inner_unconsumed_ += body->data.size();
    to_agent(std::move(*body));
  } else if (std::holds_alternative<http::End>(event.what)) {
    inner_ended_ = true;
    to_agent(http::End{});
  } else if (auto* reset = std::get_if<http::Reset>(&event.what)) {
    to_agent(http::Reset{reset->error});
    return finish();
  }
  make_room();
  finish_if_over();
}

void InnerConnection::on_answer(http::Head&& head) {
  opened_ = head.status / 100 == 2;
  agent_.send_head(stream_, head);
  if (!opened_) return;
  connection_.tunnel(inner_);
  if (!early_.empty()) to_inner(http::Body{std::exchange(early_, {})});
  if (agent_ended_) to_inner(http::End{});
}

size_t InnerConnection::room(const wire::Connection&) const {
  return agent_.room(stream_, agent_.queued(stream_), options_.limits.queue_bytes_max);
}

void InnerConnection::make_room() {
  const size_t most = options_.limits.queue_bytes_max;
  if (opened_ && connection_.queued(inner_) < most) {
    agent_.consumed(stream_, std::exchange(agent_unconsumed_, 0));
  }
  if (room(connection_) > 0) {
    connection_.consumed(inner_, std::exchange(inner_unconsumed_, 0));
  }
}

// A refusal is all there is.
void InnerConnection::finish_if_over() {
  if (!done_ && inner_ended_ && (agent_ended_ || !opened_)) finish();
}

void InnerConnection::finish() {
  done_ = true;
  connection_.finish();
  if (!agent_ended_) agent_.close(stream_);
  agent_.exchange_over();
}

}  // namespace sidespan::proxy
