#include "packed_body.h"

#include <algorithm>
#include <utility>

namespace sidespan::proxy {

PackedBody::PackedBody(net::Loop& loop, size_t piece_bytes, Way way)
    : loop_(loop), piece_bytes_(piece_bytes), way_(std::move(way)) {}

PackedBody::~PackedBody() {
  loop_.cancel_next_turn(*this);
}

void PackedBody::take(Chain data) {
  unread_.append(std::move(data));
  begin_turn();
  read();
}

// Pieces become one: a peer may send them byte by byte.
void PackedBody::wait(http::Event&& event) {
  auto* const more = std::get_if<http::Body>(&event.what);
  auto* const last = waiting_.empty() ? nullptr : std::get_if<http::Body>(&waiting_.back().what);
  if (more != nullptr && last != nullptr) return last->data.append(std::move(more->data));
  waiting_.push_back(std::move(event));
}

bool PackedBody::has_end() const {
  return std::ranges::any_of(waiting_, [](const http::Event& event) {
    return std::holds_alternative<http::End>(event.what);
  });
}

size_t PackedBody::held() const {
  size_t bytes = unread_.size();
  for (const http::Event& event : waiting_) {
    if (const auto* body = std::get_if<http::Body>(&event.what)) bytes += body->data.size();
    if (const auto* trailers = std::get_if<http::Trailers>(&event.what)) {
      bytes += trailers->fields.memory_bytes();
    }
  }
  return bytes;
}

Nanoseconds PackedBody::behind_for() const {
  return behind_ ? behind_before_ + (loop_.now().mono - behind_since_) : behind_before_;
}

void PackedBody::stop() {
  loop_.cancel_next_turn(*this);
  unread_.clear();
  shown_ = 0;
  waiting_.clear();
}

void PackedBody::begin_turn() {
  const uint64_t turn = loop_.turn();
  if (std::exchange(turn_, turn) != turn) backlog_.begin_turn(kTurnBytes);
}

bool PackedBody::show_front() {
  const http::InflateBacklog::Scope scope(backlog_);
  const std::string_view front = unread_.front();
  while (shown_ < front.size()) {
    if (backlog_.room() == 0) return false;
    const std::string_view piece = front.substr(shown_, piece_bytes_);
    shown_ += piece.size();
    way_.show(piece);
    if (!backlog_.empty()) return false;
  }
  return true;
}

// What was read goes on in one piece, as it came.
void PackedBody::read() {
  Chain ready;
  bool all = true;
  while (all && !unread_.empty()) {
    all = show_front();
    // Of what they are behind with, the last piece stays.
    size_t done = shown_;
    if (!backlog_.empty()) done -= (shown_ - 1) % piece_bytes_ + 1;
    ready.append(unread_.take(done));
    shown_ -= done;
  }
  if (!all) {
    if (!std::exchange(behind_, true)) behind_since_ = loop_.now().mono;
    loop_.at_next_turn(*this);
  }
  if (!ready.empty()) way_.pass(std::move(ready));
}

void PackedBody::on_next_turn() {
  begin_turn();
  {
    const http::InflateBacklog::Scope scope(backlog_);
    backlog_.go_on();
    way_.show({});
  }
  if (!backlog_.empty()) return loop_.at_next_turn(*this);
  behind_before_ = behind_for();
  behind_ = false;
  read();
  while (!behind_ && !waiting_.empty()) {
    http::Event event = std::move(waiting_.front());
    waiting_.erase(waiting_.begin());
    way_.handle(std::move(event));
  }
}

}  // namespace sidespan::proxy
