// What goes to the peer of an HTTP/2 connection.
#include <algorithm>
#include <string>
#include <utility>

#include "h2_connection.h"

namespace sidespan::http {
namespace {

constexpr int kFirstRefusal = 400;

// What an agent hears of a stream that broke off (RFC 9113 sections 7 and 8.5).
uint32_t code_of(const Error& error, bool tunnel) {
  if (error.side == Side::kAgent || error.code == Code::kCancelled) return NGHTTP2_CANCEL;
  return tunnel ? NGHTTP2_CONNECT_ERROR : NGHTTP2_INTERNAL_ERROR;
}

// nghttp2 has copied it before the next section is made.
thread_local H2Fields fields;

}  // namespace

StreamId H2Connection::open() {
  const size_t allowed =
      nghttp2_session_get_remote_settings(session_, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
  // One is what any peer takes before its SETTINGS say how many; who sends it more is refused.
  const size_t most = greeted_ ? std::min<size_t>(limits_.streams_max, allowed) : 1;
  if (!reusable() || streams_.size() >= most) return 0;
  return add_stream(++last_stream_).id;
}

H2Stream& H2Connection::add_stream(StreamId id) {
  if (streams_.empty()) silent_since_.reset();  // until now nothing was owed
  H2Stream& stream = streams_[id];
  stream.id = id;
  settle();
  return stream;
}

void H2Connection::forget(const H2Stream& stream) {
  const StreamId id = stream.id;
  waiting_ -= stream.out.size();
  streams_.erase(id);
}

size_t H2Connection::send(Event&& event) {
  if (const Head* head = std::get_if<Head>(&event.what)) return send_head(event.stream, *head);
  H2Stream* stream = find(event.stream);
  if (stream == nullptr || closed_ || input_ended_) return 0;
  if (const Reset* reset = std::get_if<Reset>(&event.what)) {
    send_reset(*stream, reset->error);
    return 0;
  }
  if (stream->output_ended) return queued(*stream);
  if (Interim* interim = std::get_if<Interim>(&event.what)) {
    send_interim(*stream, interim->head);
  } else if (Body* body = std::get_if<Body>(&event.what)) {
    if (stream->has_body) {
      waiting_ += body->data.size();
      stream->out.append(std::move(body->data));
    }
    resume(*stream);
  } else if (Trailers* trailers = std::get_if<Trailers>(&event.what)) {
    stream->trailers = std::move(trailers->fields);
  } else if (std::holds_alternative<End>(event.what)) {
    stream->output_ended = true;
    resume(*stream);
  }
  return queued(*stream);
}

size_t H2Connection::send_head(StreamId id, const Head& head) {
  H2Stream* stream = find(id);
  if (stream == nullptr || stream->head_sent || closed_ || input_ended_) return 0;
  stream->head_sent = true;
  produces_ = true;
  nghttp2_data_provider body{};
  body.read_callback = [](nghttp2_session*, int32_t wire_id, uint8_t*, size_t room, uint32_t* flags,
                          nghttp2_data_source*, void* self) -> ssize_t {
    auto& codec = *static_cast<H2Connection*>(self);
    H2Stream* const found = codec.on_wire(wire_id);
    if (found == nullptr) return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    return codec.on_body_wanted(*found, room, *flags);
  };
  if (server()) {
    stream->served = head.status < kFirstRefusal;
    const bool tunnel = stream->connect = stream->connect && head.status / 100 == 2;
    const bool bodyless = stream->to_head || head.status == 204 || head.status == 304;
    // An empty body may have trailers.
    const bool none = bodyless || head.body.kind == BodyLength::Kind::kNone;
    stream->has_body = tunnel || !none;
    fields.answer(head, bodyless || tunnel);
    const int said = nghttp2_submit_response(session_, stream->wire_id, fields.data(),
                                             fields.size(), stream->has_body ? &body : nullptr);
    if (said != 0) lose_unsendable(*stream);
    return queued(*stream);
  }
  stream->has_body = head.asks("CONNECT") || head.body.kind != BodyLength::Kind::kNone;
  fields.request(head, scheme_);
  stream->wire_id = nghttp2_submit_request(session_, nullptr, fields.data(), fields.size(),
                                           stream->has_body ? &body : nullptr, stream);
  if (stream->wire_id < 0) {  // all ids are used up
    push(*stream, Reset{{Code::kConnectionClosed, Side::kOrigin, true,
                         "the connection has no stream left"}});
    forget(*stream);
    peer_closing_ = true;
    return 0;
  }
  return queued(*stream);
}

void H2Connection::send_interim(H2Stream& stream, const Head& head) {
  if (!server() || stream.head_sent) return;
  fields.answer(head, true);
  const int said = nghttp2_submit_headers(session_, NGHTTP2_FLAG_NONE, stream.wire_id, nullptr,
                                          fields.data(), fields.size(), nullptr);
  if (said != 0) lose_unsendable(stream);
  produces_ = true;
}

// Whoever it came from, its next reader would wait for it for ever.
void H2Connection::lose_unsendable(H2Stream& stream) {
  push(stream, Reset{{Code::kTooLarge, Side::kSelf, false,
                      "HTTP/2 takes no head or trailers of that size from here"}});
  stream.unread = stream.reset_by_us = true;
  // A request's stream that nothing was said of to the peer ends by itself.
  if (server() || stream.head_left) submit_reset(stream, NGHTTP2_INTERNAL_ERROR);
}

// The answer is whole, and nobody wants the rest of the request: that goes after it. Of a request
// that was answered in full the rest still goes out. Else the stream ends where it is.
void H2Connection::send_reset(H2Stream& stream, const Error& error) {
  stream.reset_by_us = true;
  if (stream.wire_id == 0) {
    forget(stream);
    return;
  }
  if (server() && stream.output_ended) {
    stream.unread = true;
    if (stream.end_sent && !stream.input_ended) submit_reset(stream, NGHTTP2_NO_ERROR);
    return;
  }
  if (!server()) {
    stream.unread = stream.output_ended && stream.input_ended;
    if (!stream.unread) submit_reset(stream, NGHTTP2_CANCEL);
    return;
  }
  // What came of the answer goes out first.
  const int32_t room =
      std::min(nghttp2_session_get_stream_remote_window_size(session_, stream.wire_id),
               nghttp2_session_get_remote_window_size(session_));
  const uint32_t code = code_of(error, stream.connect && stream.head_sent);
  const bool waits = !stream.out.empty() && std::cmp_less_equal(stream.out.size(), room);
  if (!waits) return submit_reset(stream, code);
  stream.cut = code;
  resume(stream);
}

void H2Connection::submit_reset(const H2Stream& stream, uint32_t code) {
  nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, stream.wire_id, code);
  produces_ = true;
}

void H2Connection::resume(H2Stream& stream) {
  produces_ = true;
  if (std::exchange(stream.deferred, false)) nghttp2_session_resume_data(session_, stream.wire_id);
}

ssize_t H2Connection::on_body_wanted(H2Stream& stream, size_t room, uint32_t& flags) {
  if (stream.out.empty() && !stream.output_ended) {
    if (stream.cut) submit_reset(stream, *stream.cut);
    stream.deferred = !stream.cut;
    return NGHTTP2_ERR_DEFERRED;
  }
  const size_t size = std::min(room, stream.out.size());
  flags |= NGHTTP2_DATA_FLAG_NO_COPY;
  if (size < stream.out.size() || !stream.output_ended) return static_cast<ssize_t>(size);
  flags |= NGHTTP2_DATA_FLAG_EOF;
  if (stream.trailers && !stream.trailers->empty()) {
    flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
    fields.trailers(*stream.trailers);
    const int said = nghttp2_submit_trailer(session_, stream.wire_id, fields.data(), fields.size());
    if (said != 0) lose_unsendable(stream);
  }
  return static_cast<ssize_t>(size);
}

void H2Connection::on_body_frame(H2Stream& stream, std::string_view header, size_t size) {
  idle_frames_ = 0;
  const size_t most = std::max(refunds(window_max_), kRefundsKept);
  updates_due_ = std::min(updates_due_ + refunds(size), most);
  out_.append(header);
  if (size > 0) out_.append(stream.out.take(size));
  waiting_ -= size;
  stream.in_flight += size;
  add_piece(stream.id, kFrameHeaderBytes + size, size);
}

void H2Connection::on_frame_sent(const nghttp2_frame& frame) {
  // Whoever found the fault, nghttp2 or we.
  const bool last = frame.hd.type == NGHTTP2_GOAWAY && frame.goaway.error_code != NGHTTP2_NO_ERROR;
  if (last && !std::exchange(closed_, true)) {
    return lose_streams(
        {Code::kMalformed, peer(), false,
         "the " + std::string(name_of(peer())) + " does not speak HTTP/2 as it must"});
  }
  // Submitted with it, it would go before it.
  const bool farewell = frame.hd.type == NGHTTP2_GOAWAY && farewell_said_ && !goodbye_said_;
  if (farewell) nghttp2_submit_ping(session_, NGHTTP2_FLAG_NONE, nullptr);
  H2Stream* stream = on_wire(frame.hd.stream_id);
  if (stream == nullptr) return;
  if (frame.hd.type == NGHTTP2_HEADERS && !std::exchange(stream->head_left, true) && !server()) {
    widen(*stream, std::exchange(stream->window, kWindowAtFirst));
  }
  if ((frame.hd.flags & NGHTTP2_FLAG_END_STREAM) == 0) return;
  if (frame.hd.type != NGHTTP2_HEADERS && frame.hd.type != NGHTTP2_DATA) return;
  stream->end_sent = true;
  if (server() && stream->unread && !stream->input_ended) submit_reset(*stream, NGHTTP2_NO_ERROR);
}

// What the end of its stream or of the connection kept back is told of by that.
void H2Connection::on_frame_not_sent(const nghttp2_frame& frame, int reason) {
  if (frame.hd.type != NGHTTP2_HEADERS || reason != NGHTTP2_ERR_FRAME_SIZE_ERROR) return;
  if (H2Stream* const stream = on_wire(frame.hd.stream_id)) lose_unsendable(*stream);
}

Chain H2Connection::take_output() {
  produce();
  return std::exchange(out_, {});
}

bool H2Connection::has_output() const {
  if (!out_.empty()) return true;
  const bool room = unwritten_bytes_ < limits_.window_bytes;
  return produces_ && room && !input_ended_ && nghttp2_session_want_write(session_) != 0;
}

// As much as the socket may take for now: what is later in a frame can still be put behind what is
// more urgent, or be given up.
void H2Connection::produce() {
  produces_ = false;
  while (unwritten_bytes_ < limits_.window_bytes) {
    const uint8_t* bytes = nullptr;
    const ssize_t size = nghttp2_session_mem_send(session_, &bytes);
    if (size <= 0) return;
    const auto n = static_cast<size_t>(size);
    out_.append(std::string_view(reinterpret_cast<const char*>(bytes), n));
    add_piece(0, n, 0);
  }
  produces_ = true;
}

void H2Connection::add_piece(StreamId stream, size_t bytes, size_t body) {
  unwritten_bytes_ += bytes;
  if (!unwritten_.empty() && unwritten_.back().stream == stream) {
    unwritten_.back().bytes += bytes;
    unwritten_.back().body += body;
    return;
  }
  unwritten_.push_back({stream, bytes, body});
}

void H2Connection::written(size_t n) {
  unwritten_bytes_ -= std::min(n, unwritten_bytes_);
  while (n > 0 && !unwritten_.empty()) {
    Piece& piece = unwritten_.front();
    const size_t gone = std::min(n, piece.bytes);
    n -= gone;
    piece.bytes -= gone;
    if (piece.body > piece.bytes) drained(piece.stream, piece.body - piece.bytes);
    piece.body = std::min(piece.body, piece.bytes);
    if (piece.bytes == 0) unwritten_.pop_front();
  }
}

void H2Connection::drained(StreamId id, size_t bytes) {
  H2Stream* stream = find(id);
  if (stream == nullptr) return;
  stream->in_flight -= std::min(bytes, stream->in_flight);
  push(*stream, Drained{bytes});
}

size_t H2Connection::queued(StreamId id) const {
  const H2Stream* stream = find(id);
  return stream == nullptr ? 0 : queued(*stream);
}

// What waits of other streams for the connection's window is bounded as what waits for the socket.
size_t H2Connection::sendable(StreamId id) const {
  const H2Stream* stream = find(id);
  if (stream == nullptr) return 0;
  const int32_t window = nghttp2_session_get_stream_remote_window_size(session_, stream->wire_id);
  const auto left = [](size_t room, size_t used) { return room - std::min(room, used); };
  return std::min(left(kQueuedWindows * limits_.window_bytes, unwritten_bytes_ + waiting_),
                  left(static_cast<size_t>(std::max(window, 0)), stream->out.size()));
}

// GOAWAY comes when nothing is under way: some clients take it for the end of what they wait for.
// Who always waits for something hears in time that it will come; streams that cross it are served.
// The PING behind that comes back when all who were on their way are here, and then, or soon in any
// case, it comes.
void H2Connection::drain() {
  draining_ = true;
  if (server() && streams_.empty()) say_goodbye();
}

void H2Connection::say_farewell(MonoTime now) {
  if (now < *farewell_deadline()) return;
  if (std::exchange(farewell_said_, true)) return say_goodbye();
  nghttp2_submit_shutdown_notice(session_);
  produces_ = true;
}

void H2Connection::say_goodbye() {
  if (std::exchange(goodbye_said_, true)) return;
  nghttp2_submit_goaway(session_, NGHTTP2_FLAG_NONE,
                        nghttp2_session_get_last_proc_stream_id(session_), NGHTTP2_NO_ERROR,
                        nullptr, 0);
  produces_ = true;
}

bool H2Connection::output_ended() const {
  if (input_ended_) return true;
  const bool over = closed_ || (streams_.empty() && (draining_ || peer_closing_));
  return over && out_.empty() && nghttp2_session_want_write(session_) == 0;
}

// Nobody knows whether a peer that has not answered a PING yet is there.
bool H2Connection::reusable() const {
  return !input_ended_ && !given_up_ && !draining_ && !peer_closing_ && !pinged_at_ &&
         (server() || nghttp2_session_check_request_allowed(session_) != 0);
}

}  // namespace sidespan::http
