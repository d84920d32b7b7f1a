// What comes from the peer of an HTTP/2 connection.
#include <algorithm>
#include <string>
#include <utility>

#include "h2_connection.h"

namespace sidespan::http {
namespace {

// Frames that bring nothing forward (SETTINGS, PING, PRIORITY, empty DATA, WINDOW_UPDATE for what
// was not sent) between two that do.
constexpr size_t kIdleFramesMax = 1000;
constexpr std::chrono::minutes kIdleFramesTime{1};
// Frames that wait inside nghttp2: answers to what a peer sends and reads no answers of.
constexpr size_t kFramesWaitingMax = 1000;
constexpr unsigned kPingDoublingsMax = 4;

}  // namespace

void H2Connection::feed(const Chunk& read, MonoTime now) {
  read_ = &read;
  feed(read.view(), now);
  read_ = nullptr;
}

void H2Connection::feed(std::string_view bytes, MonoTime now) {
  if (input_ended_ || closed_ || bytes.empty()) return;
  now_ = now;
  silent_since_ = now;
  pinged_at_.reset();
  if (!greeted_ && !section_begun_) section_begun_ = now;
  const ssize_t used = nghttp2_session_mem_recv(
      session_, reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size());
  if (used < 0)
    give_up(used == NGHTTP2_ERR_FLOODED ? NGHTTP2_ENHANCE_YOUR_CALM : NGHTTP2_PROTOCOL_ERROR);
  settle();
}

void H2Connection::eof(InputEnd) {
  if (std::exchange(input_ended_, true)) return;
  const Code code = server() ? Code::kConnectionReset : Code::kConnectionClosed;
  lose_streams(
      {code, peer(), false, "the " + std::string(name_of(peer())) + " closed the connection"});
  out_.clear();
}

std::optional<Event> H2Connection::next() {
  std::optional<Event> event = events_.pop();
  if (events_.empty() && streams_.empty()) events_.release();
  return event;
}

void H2Connection::consumed(StreamId id, size_t n) {
  H2Stream* stream = find(id);
  if (stream == nullptr) return;
  n = std::min(n, stream->unconsumed);
  if (n == 0) return;
  stream->unconsumed -= n;
  if (!server()) grow_window(*stream, n);
  nghttp2_session_consume_stream(session_, stream->wire_id, n);
  produces_ = true;
}

void H2Connection::read_ahead(StreamId id) {
  if (H2Stream* const stream = find(id)) widen(*stream, limits_.window_bytes);
}

void H2Connection::grow_window(H2Stream& stream, size_t consumed) {
  if (stream.input_ended || stream.window >= limits_.stream_window_bytes) return;
  stream.consumed += consumed;
  size_t window = stream.window;
  while (window < limits_.stream_window_bytes && stream.consumed >= window / 2) window *= 2;
  widen(stream, window);
}

void H2Connection::widen(H2Stream& stream, size_t window) {
  window = std::min(window, limits_.stream_window_bytes);
  if (window <= stream.window) return;
  stream.window = window;
  if (!stream.head_left) return;
  // nghttp2 goes by the windows that are in force, which are larger until our SETTINGS are
  // acknowledged, and then takes the difference off each.
  const size_t in_force =
      nghttp2_session_get_local_settings(session_, NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE);
  nghttp2_session_set_local_window_size(session_, NGHTTP2_FLAG_NONE, stream.wire_id,
                                        static_cast<int32_t>(window + in_force - kWindowAtFirst));
}

bool H2Connection::wants_input() const {
  return !input_ended_ && !closed_ &&
         nghttp2_session_get_outbound_queue_size(session_) < kFramesWaitingMax;
}

void H2Connection::wait_from(MonoTime now) {
  if (!server() && !greeted_ && !section_begun_) section_begun_ = now;  // for SETTINGS
  if (!silent_since_) silent_since_ = now;
  if (draining_ && !drained_at_) drained_at_ = now;
}

std::optional<MonoTime> H2Connection::deadline() const {
  std::optional<MonoTime> due = server() ? farewell_deadline() : ping_deadline();
  if (section_begun_) {
    const MonoTime section = *section_begun_ + limits_.head_time_max;
    due = due ? std::min(*due, section) : section;
  }
  return due;
}

std::optional<MonoTime> H2Connection::farewell_deadline() const {
  if (!drained_at_ || goodbye_said_ || streams_.empty() || given_up_ || input_ended_) return {};
  const Milliseconds unheard = farewell_said_ ? limits_.drain_time / 4 : Milliseconds(0);
  return *drained_at_ + limits_.drain_time + unheard;
}

void H2Connection::on_time(MonoTime now) {
  if (section_begun_ && now >= *section_begun_ + limits_.head_time_max) {
    section_begun_.reset();
    if (!server() && !greeted_) return lose_silent("the origin says nothing in HTTP/2");
    give_up(NGHTTP2_ENHANCE_YOUR_CALM);
  }
  if (server() && farewell_deadline()) say_farewell(now);
  const std::optional<MonoTime> due = ping_deadline();
  if (due && now >= *due) ping(now);
}

// A server of gRPC takes who asks again and again within five minutes for an abuser, at the third
// time: twice as long is waited each time, until it says something else than that it is there.
std::optional<MonoTime> H2Connection::ping_deadline() const {
  const bool idle = server() || streams_.empty() || !greeted_ || given_up_ || input_ended_;
  if (idle || !silent_since_ || limits_.ping_time <= Milliseconds(0)) return std::nullopt;
  if (pinged_at_) return *pinged_at_ + limits_.ping_answer_time;
  return *silent_since_ + limits_.ping_time * (int64_t{1} << pings_);
}

void H2Connection::ping(MonoTime now) {
  // What is not read says nothing of who wrote it.
  if (pinged_at_ && wants_input()) return lose_silent("the origin is silent and answers no PING");
  if (!pinged_at_) nghttp2_submit_ping(session_, NGHTTP2_FLAG_NONE, nullptr);
  pinged_at_ = now;
  produces_ = true;
}

void H2Connection::lose_silent(std::string what) {
  input_ended_ = true;
  lose_streams({Code::kTimeout, peer(), false, std::move(what)});
  out_.clear();
}

void H2Connection::on_section_begin(const nghttp2_frame& frame) {
  section_begun_ = now_;
  section_of_ = frame.hd.stream_id;
  section_.reset();
  H2Stream* stream = on_wire(frame.hd.stream_id);
  if (frame.headers.cat == NGHTTP2_HCAT_REQUEST) {
    if (goodbye_said_) return;  // GOAWAY, on its way, says that nothing is done for it
    stream = &add_stream(static_cast<StreamId>(frame.hd.stream_id));
    stream->wire_id = frame.hd.stream_id;
    nghttp2_session_set_stream_user_data(session_, stream->wire_id, stream);
  }
  if (stream == nullptr || stream->unread) return;
  const auto kind = stream->head_told ? H2Section::Kind::kTrailers
                    : server()        ? H2Section::Kind::kRequest
                                      : H2Section::Kind::kAnswer;
  section_ = std::make_unique<H2Section>(kind, peer(), limits_);
}

bool H2Connection::on_field(std::string_view name, std::string_view value, bool unindexed) {
  if (!section_) return true;
  section_->add(name, value, unindexed);
  return !section_->excessive();
}

void H2Connection::on_section_end(H2Stream& stream, bool ended) {
  const std::unique_ptr<H2Section> section = std::move(section_);
  if (!section) return;
  idle_frames_ = 0;
  if (section->kind() == H2Section::Kind::kTrailers) {
    Result<Headers> trailers = section->take_trailers();
    if (trailers) return push(stream, Trailers{*std::move(trailers)});
    push(stream, Reset{std::move(trailers).error()});
    stream.unread = true;
    return submit_reset(stream, NGHTTP2_PROTOCOL_ERROR);
  }
  Result<Head> head = section->take_head(ended);
  if (!head) {
    stream.unread = true;
    stream.input_ended = stream.input_ended || ended;
    push(stream, Reset{std::move(head).error()});
    if (!server()) submit_reset(stream, NGHTTP2_PROTOCOL_ERROR);
    return;
  }
  if (head->status >= 100 && head->status < 200) {
    if (++stream.interims <= limits_.interims_max) return push(stream, Interim{*std::move(head)});
    push(stream, Reset{{Code::kTooLarge, peer(), false, "there is no end of interim answers"}});
    stream.unread = true;
    return submit_reset(stream, NGHTTP2_ENHANCE_YOUR_CALM);
  }
  stream.head_told = true;
  stream.to_head = server() && head->asks("HEAD");
  stream.connect = server() && head->asks("CONNECT");
  head->begun = section_begun_.value_or(now_);
  push(stream, *std::move(head));
}

void H2Connection::on_body(int32_t wire_id, std::string_view bytes) {
  H2Stream* stream = on_wire(wire_id);
  if (stream == nullptr || stream->unread) {
    nghttp2_session_consume(session_, wire_id, bytes.size());
    return;
  }
  idle_frames_ = 0;
  stream->unconsumed += bytes.size();
  // A stream that nobody reads holds up itself; of the connection's window it holds none.
  nghttp2_session_consume_connection(session_, bytes.size());
  events_.push_body(stream->id, bytes, read_);
}

void H2Connection::on_frame(const nghttp2_frame& frame) {
  H2Stream* stream = on_wire(frame.hd.stream_id);
  const bool ended = (frame.hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
  const bool pong = frame.hd.type == NGHTTP2_PING && (frame.hd.flags & NGHTTP2_FLAG_ACK) != 0;
  pings_ = pong ? std::min(pings_ + 1, kPingDoublingsMax) : 0;
  if (pong && farewell_said_) say_goodbye();
  switch (frame.hd.type) {
    case NGHTTP2_HEADERS:
      if (stream != nullptr) {
        on_section_end(*stream, ended);
        if (ended) end_input(*stream);
      }
      return section_begun_.reset();
    case NGHTTP2_DATA:
      if (stream != nullptr && ended) return end_input(*stream);
      if (frame.hd.length == frame.data.padlen) count_idle_frame();
      return;
    case NGHTTP2_RST_STREAM:
      if (stream != nullptr) stream->reset_by_peer = true;
      return;
    case NGHTTP2_GOAWAY:
      peer_closing_ = true;
      return;
    case NGHTTP2_WINDOW_UPDATE:
      return count_update(frame);
    default:
      // Nothing but SETTINGS can be first.
      if (!std::exchange(greeted_, true)) section_begun_.reset();
      return count_idle_frame();
  }
}

void H2Connection::end_input(H2Stream& stream) {
  if (std::exchange(stream.input_ended, true) || stream.unread) return;
  push(stream, End{});
}

void H2Connection::on_stream_over(int32_t wire_id, uint32_t code) {
  // What was no section is told of by its stream's end alone, as one that GOAWAY crossed.
  if (section_of_ == wire_id) {
    section_begun_.reset();
    section_.reset();
  }
  H2Stream* stream = on_wire(wire_id);
  if (stream == nullptr) return;
  if (stream->is_whole()) {
    // What is refused calls no origin, and pays for none.
    if (stream->served) resets_left_ = std::min(resets_left_ + 1, kResetsMax);
  } else {
    // Who was only begun costs more than he pays: a head is read, an origin called and given up.
    // So does he, however far it went, who makes us end it.
    const bool by_fault = !stream->reset_by_peer && !stream->reset_by_us;
    if (server() && (!stream->head_sent || by_fault)) count_reset();
    tell_lost(*stream, error_of(*stream, code));
  }
  forget(*stream);
  if (draining_ && server() && streams_.empty()) say_goodbye();
}

Error H2Connection::error_of(const H2Stream& stream, uint32_t code) const {
  const std::string who(name_of(peer()));
  const std::string name = nghttp2_http2_strerror(code);
  if (code == NGHTTP2_REFUSED_STREAM && !server()) return not_taken(name);
  if (stream.reset_by_peer) {
    // To a client of gRPC, a deadline that the server has seen pass is this and nothing else.
    const bool cancelled = !server() && code == NGHTTP2_CANCEL;
    return {cancelled ? Code::kCancelled : Code::kConnectionReset, peer(), false,
            "the " + who + " reset the stream: " + name};
  }
  return {Code::kMalformed, peer(), false,
          "what the " + who + " sent is not HTTP/2 as it must be: " + name};
}

Error H2Connection::not_taken(std::string_view why) const {
  return {Code::kConnectionClosed, peer(), true,
          "the origin did not take the request: " + std::string(why)};
}

// Unless nobody asks any more. What never left did no harm.
void H2Connection::tell_lost(const H2Stream& stream, const Error& error) {
  if (stream.unread || stream.reset_by_us) return;
  push(stream, Reset{server() || stream.head_left ? error : not_taken(error.what)});
}

// The connection is of no use any more.
void H2Connection::lose_streams(const Error& error) {
  for (const auto& [id, stream] : streams_) {
    nghttp2_session_set_stream_user_data(session_, stream.wire_id, nullptr);
    if (!stream.is_whole()) tell_lost(stream, error);
  }
  streams_.clear();
  waiting_ = 0;
  settle();
}

void H2Connection::count_idle_frame() {
  // A connection that is kept alive by PING may be idle for days.
  if (now_ - idle_since_ >= kIdleFramesTime) {
    idle_since_ = now_;
    idle_frames_ = 0;
  }
  if (++idle_frames_ > kIdleFramesMax) give_up(NGHTTP2_ENHANCE_YOUR_CALM);
}

void H2Connection::count_update(const nghttp2_frame& frame) {
  if (frame.hd.stream_id == 0) {
    const int32_t window = nghttp2_session_get_remote_window_size(session_);
    window_max_ = std::max(window_max_, static_cast<size_t>(std::max(window, 0)));
  }
  if (updates_due_ == 0) return count_idle_frame();
  --updates_due_;
}

void H2Connection::count_reset() {
  if (resets_left_ > 0) --resets_left_;
  if (resets_left_ == 0) give_up(NGHTTP2_ENHANCE_YOUR_CALM);
}

// GOAWAY goes out, and then the streams are lost.
void H2Connection::give_up(uint32_t code) {
  if (std::exchange(given_up_, true)) return;
  nghttp2_session_terminate_session(session_, code);
  produces_ = true;
}

const H2Stream* H2Connection::find(StreamId id) const {
  const auto found = streams_.find(id);
  return found == streams_.end() ? nullptr : &found->second;
}

H2Stream* H2Connection::find(StreamId id) {
  const auto found = streams_.find(id);
  return found == streams_.end() ? nullptr : &found->second;
}

H2Stream* H2Connection::on_wire(int32_t wire_id) const {
  return static_cast<H2Stream*>(nghttp2_session_get_stream_user_data(session_, wire_id));
}

}  // namespace sidespan::http
