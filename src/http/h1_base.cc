#include "h1_base.h"

#include <algorithm>
#include <cassert>
#include <utility>

namespace sidespan::http {
namespace {

// A smaller window ends input sooner, but does not cut what comes at once.
constexpr size_t kRoomBytesLeast = size_t{64} * 1024;

}  // namespace

std::optional<Event> H1Base::next() {
  std::optional<Event> event = events_.pop();
  release_events();
  return event;
}

void H1Base::feed(const Chunk& read, MonoTime now) {
  read_ = &read;
  feed(read.view(), now);
  read_ = nullptr;
}

void H1Base::on_body(std::string_view bytes) {
  unconsumed_ += bytes.size();
  events_.push_body(stream_, bytes, read_);
}

void H1Base::on_trailers(Headers fields) {
  push(stream_, Trailers{std::move(fields)});
}

void H1Base::begin_stream() {
  stream_ = ++last_stream_;
  head_sent_ = false;
  framing_ = Framing::kNone;
  body_left_ = 0;
}

void H1Base::leave_stream() {
  stream_ = 0;
  queued_earlier_ += std::exchange(queued_, 0);
  unconsumed_ = 0;
  release_events();
}

void H1Base::written(size_t n) {
  const size_t earlier = std::min(n, queued_earlier_);
  queued_earlier_ -= earlier;
  const size_t drained = std::min(n - earlier, queued_);
  queued_ -= drained;
  // Behind a request without a body nobody has more to say.
  const bool said = peer_ == Side::kOrigin && framing_ == Framing::kNone && !tunnel_;
  if (drained == 0 || said) return;
  if (has_events() && events_.back().stream == stream_) {
    if (Drained* last = std::get_if<Drained>(&events_.back().what)) {
      last->bytes += drained;
      return;
    }
  }
  push(stream_, Drained{drained});
}

void H1Base::consumed(StreamId stream, size_t n) {
  if (stream == stream_) unconsumed_ -= std::min(n, unconsumed_);
}

bool H1Base::wants_input() const {
  return !input_ended_ && !input_refused_ && unconsumed_ < limits_.window_bytes &&
         rest().size() < limits_.window_bytes;
}

size_t H1Base::room() const {
  const size_t waiting = std::max(unconsumed_, rest().size());
  if (waiting >= limits_.window_bytes) return 0;
  // An answer comes with its head. Of an agent, whose request may turn out to be a tunnel that is
  // long in opening, no more than the window is to wait.
  const size_t head = peer_ == Side::kOrigin && waiting == 0 ? Chunk::kReadHeadBytes : 0;
  return std::max(limits_.window_bytes, kRoomBytesLeast) - waiting + head;
}

// A peer who always has something more behind what is read never gets to the end of it.
void H1Base::keep_rest(std::string_view bytes) {
  if (rest_begin_ > rest().size()) {
    rest_.erase(0, rest_begin_);
    rest_begin_ = 0;
  }
  rest_.append(bytes);
  rest_charge_.set(rest_.capacity());
}

// Copying down what is left each time would cost its square for many small requests.
void H1Base::drop_rest(size_t n) {
  rest_begin_ += n;
  if (rest_begin_ < rest_.size()) return;
  rest_ = {};
  rest_begin_ = 0;
  rest_charge_.set(0);
}

void H1Base::end_tunnel_input() {
  if (input_end_ == InputEnd::kClean) return push(stream_, End{});
  std::string what = "the " + std::string(name_of(peer_)) + " broke the connection off";
  push(stream_, Reset{{Code::kConnectionReset, peer_, false, std::move(what)}});
}

void H1Base::refuse_input(Error error) {
  input_refused_ = true;
  drop_rest(rest().size());
  push(stream_, Reset{std::move(error)});
}

void H1Base::begin_body(Framing framing, const BodyLength& length) {
  head_sent_ = true;
  framing_ = framing;
  body_left_ = framing == Framing::kLength ? length.bytes : 0;
}

bool H1Base::write_body(Event& event) {
  if (Body* body = std::get_if<Body>(&event.what)) {
    if (tunnel_ || framing_ == Framing::kUntilClose) {
      out_.append(std::move(body->data));
    } else if (framing_ == Framing::kChunked) {
      write_chunk(out_, std::move(body->data));
    } else if (framing_ == Framing::kLength) {
      // More than announced would be read as the next message.
      assert(body->data.size() <= body_left_);
      const auto n = static_cast<size_t>(std::min<uint64_t>(body->data.size(), body_left_));
      body_left_ -= n;
      if (n < body->data.size()) body->data = body->data.take(n);
      write_known(out_, std::move(body->data));
    }
    return false;
  }
  if (Trailers* trailers = std::get_if<Trailers>(&event.what)) {
    trailers_ = std::move(trailers->fields);
    return false;
  }
  if (!std::holds_alternative<End>(event.what)) return false;
  if (tunnel_) {
    output_ended_ = true;
  } else if (framing_ == Framing::kChunked) {
    write_last_chunk(out_, trailers_);
  }
  // Also where there is no place for them.
  if (!trailers_.empty()) trailers_ = {};
  return true;
}

}  // namespace sidespan::http
