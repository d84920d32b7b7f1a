// The agent's side of HTTP/1: reads one request at a time, writes its answer, then goes on with
// what was pipelined behind it.
#include <algorithm>
#include <cassert>
#include <utility>

#include "h1_base.h"
#include "head_rules.h"
#include "sidespan/http/h1_codec.h"
#include "sidespan/http/h2_codec.h"

namespace sidespan::http {
namespace {

class H1Server final : public H1Base {
 public:
  explicit H1Server(CodecLimits limits) : H1Base(limits, Side::kAgent) {}

  using H1Base::feed;
  void feed(std::string_view bytes, MonoTime now) override;
  void eof(InputEnd how) override;
  StreamId open() override { return 0; }
  size_t send(Event&& event) override;
  size_t send_head(StreamId stream, const Head& head) override;
  void written(size_t n) override;
  bool wants_input() const override { return H1Base::wants_input() && !waits(); }
  void tunnel(StreamId stream) override;
  void resume_http(StreamId stream, Chain first) override;
  void half_close(StreamId) override {}
  void drain() override;
  size_t streams() const override { return in_request() ? 1 : 0; }
  bool done() const override;
  bool reusable() const override;
  std::unique_ptr<Codec> successor(MonoTime now) override;
  std::optional<MonoTime> deadline() const override { return head_deadline_; }
  void on_time(MonoTime now) override;

 private:
  void on_head(Head&& head) override;
  bool may_be_h2(std::string_view bytes, MonoTime now);
  size_t parse(std::string_view bytes, MonoTime now);
  void read_rest();
  void refuse(Error error);
  void end_input();
  void end_request();
  void end_answer();
  void next_request();
  void read_on();
  void write_head(const Head& head);
  Framing answer_framing(const Head& head) const;
  bool is_whole() const { return parser_ && parser_->complete() && !request_done_; }
  bool keeps_rest() const { return keep_alive_ || upgrade_; }
  // Whether the next request has to wait until the peer has taken more of the answers before it.
  bool waits() const { return stream_ == 0 && queued_earlier_ >= limits_.window_bytes; }
  bool in_request() const { return stream_ != 0 && parser_ && parser_->started(); }
  bool in_head() const {
    return !input_refused_ && parser_ && parser_->started() && !parser_->head_done();
  }
  bool switches(const Head& head) const;

  std::optional<MonoTime> head_deadline_;
  MonoTime begun_{};   // when the first byte of the head that is read came; 0 when it had to wait
  bool fresh_ = true;  // nothing has been read yet, but maybe the beginning of HTTP/2's preface
  bool request_done_ = false;
  bool answer_done_ = false;
  bool keep_alive_ = true;
  bool draining_ = false;
  // Of the request that is being answered:
  bool to_head_ = false;
  bool to_connect_ = false;
  bool upgrade_ = false;
  bool from_http10_ = false;
  bool awaits_continue_ = false;
};

void H1Server::feed(std::string_view bytes, MonoTime now) {
  if (input_ended_ || input_refused_ || bytes.empty()) return;
  if (tunnel_) return on_body(bytes);
  if (output_ended_) return;
  if (fresh_ && may_be_h2(bytes, now)) return;
  if (request_done_ || waits() || !rest().empty()) {
    // After Connection: close nothing may follow, and what does is not read.
    if (keeps_rest()) keep_rest(bytes);
    return;
  }
  const size_t used = parse(bytes, now);
  if (used < bytes.size() && !input_refused_ && keeps_rest()) keep_rest(bytes.substr(used));
  if (is_whole()) end_request();
  // A head that was pipelined gets its time from the next bytes on: before, nobody waited for it.
  if (in_head() && !head_deadline_) head_deadline_ = now + limits_.head_time_max;
}

// Who knows that we speak HTTP/2 begins with its preface (RFC 9113 section 3.3), as no request of
// HTTP/1 does. Keeps what may be one, and when it is, all that follows, for the successor.
bool H1Server::may_be_h2(std::string_view bytes, MonoTime now) {
  const std::string_view left = kH2Preface.substr(std::min(rest().size(), kH2Preface.size()));
  const size_t size = std::min(left.size(), bytes.size());
  if (bytes.substr(0, size) == left.substr(0, size)) {
    keep_rest(bytes);
    head_deadline_ = now + limits_.head_time_max;
    return true;
  }
  fresh_ = false;
  if (rest().empty()) return false;
  keep_rest(bytes);
  read_rest();
  return true;
}

std::unique_ptr<Codec> H1Server::successor(MonoTime now) {
  if (!fresh_ || rest().size() < kH2Preface.size()) return nullptr;
  std::unique_ptr<Codec> next = make_h2_server(limits_);
  next->feed(rest(), now);
  if (draining_) next->drain();
  return next;
}

// Up to the end of one request, which the caller has to see; how much that was.
size_t H1Server::parse(std::string_view bytes, MonoTime now) {
  if (!parser_) begin_stream();
  H1Parser& parser = message(H1Parser::Kind::kRequest);
  if (!parser.started()) begun_ = now;
  const size_t used = parser.feed(bytes);
  if (!parser.failed()) return used;
  refuse(parser.error());
  return bytes.size();
}

// What was pipelined, when its turn has come.
void H1Server::read_rest() {
  while (!fresh_ && !request_done_ && !input_refused_ && !output_ended_ && !rest().empty() &&
         !waits()) {
    const size_t used = parse(rest(), {});
    if (!input_refused_) drop_rest(used);
    if (is_whole()) end_request();
  }
}

void H1Server::refuse(Error error) {
  keep_alive_ = false;
  head_deadline_.reset();
  refuse_input(std::move(error));
  if (answer_done_) output_ended_ = true;
}

void H1Server::on_head(Head&& head) {
  head_deadline_.reset();
  to_head_ = head.asks("HEAD");
  to_connect_ = head.asks("CONNECT");
  upgrade_ = head.upgrade;
  from_http10_ = head.minor_version == 0;
  awaits_continue_ = !from_http10_ && head.headers.lists(FieldName::kExpect, "100-continue");
  keep_alive_ = keeps_connection(head);
  head.begun = begun_;
  push(stream_, std::move(head));
}

void H1Server::end_request() {
  request_done_ = true;
  push(stream_, End{});
  if (answer_done_) return next_request();
  if (input_ended_) end_input();
}

void H1Server::eof(InputEnd how) {
  if (input_ended_) return;
  input_ended_ = true;
  input_end_ = how;
  if (tunnel_) return end_tunnel_input();
  if (!input_refused_ && !output_ended_) end_input();
}

void H1Server::end_input() {
  if (request_done_) {
    if (rest().empty()) push(stream_, HalfClosed{});
    return;
  }
  if (fresh_) drop_rest(rest().size());  // half a preface
  if (!rest().empty()) return;           // its turn has yet to come
  if (parser_ && parser_->head_done()) return refuse(parser_->eof(input_end_).error());
  // Idle, or within a head that nobody has seen yet.
  head_deadline_.reset();
  leave_stream();
  output_ended_ = true;
}

size_t H1Server::send(Event&& event) {
  if (const Head* head = std::get_if<Head>(&event.what)) return send_head(event.stream, *head);
  if (stream_ == 0 || event.stream != stream_) return 0;
  if (output_ended_ || answer_done_) return queued_;
  const size_t before = out_.size();
  if (Interim* interim = std::get_if<Interim>(&event.what)) {
    if (from_http10_) return queued_;
    awaits_continue_ = awaits_continue_ && interim->head.status != 100;
    write_response_head(out_, interim->head, Framing::kNone, {});
  } else if (std::holds_alternative<Reset>(event.what)) {
    abrupt_ = tunnel_ || (head_sent_ && framing_ == Framing::kUntilClose);
    output_ended_ = input_refused_ = true;
  } else if (write_body(event)) {
    const size_t queued = queue_from(before);
    if (!tunnel_) end_answer();
    return queued;
  }
  return queue_from(before);
}

size_t H1Server::send_head(StreamId stream, const Head& head) {
  if (stream_ == 0 || stream != stream_) return 0;
  if (output_ended_ || answer_done_) return queued_;
  const size_t before = out_.size();
  write_head(head);
  return queue_from(before);
}

void H1Server::write_head(const Head& head) {
  const bool switching = switches(head);
  // An agent that still waits for 100 may send its body or the next request: only a close is clear.
  // So it is for bytes of another protocol that came before the switch was refused.
  const bool unsure =
      (awaits_continue_ && !request_done_) || (upgrade_ && !switching && !rest().empty());
  begin_body(answer_framing(head), head.body);
  const bool close = switching || draining_ || unsure || framing_ == Framing::kUntilClose ||
                     head.headers.lists(FieldName::kConnection, "close");
  if (close) keep_alive_ = false;
  std::string_view connection;
  if (!switching && !keep_alive_) {
    connection = "close";
  } else if (!switching && from_http10_) {
    connection = "keep-alive";
  }
  write_response_head(out_, head, framing_, connection);
}

void H1Server::written(size_t n) {
  H1Base::written(n);
  if (stream_ != 0 || rest().empty() || waits()) return;
  read_on();
}

// Whether this answer turns the connection into a tunnel.
bool H1Server::switches(const Head& head) const {
  return to_connect_ ? head.status / 100 == 2 : head.status == kSwitchingProtocols;
}

Framing H1Server::answer_framing(const Head& head) const {
  const bool bodyless = to_head_ || head.status < 200 || head.status == 204 || head.status == 304;
  if (switches(head)) return Framing::kSwitch;
  if (bodyless) return Framing::kNone;
  if (head.body.kind != BodyLength::Kind::kUnknown) return Framing::kLength;
  return from_http10_ ? Framing::kUntilClose : Framing::kChunked;
}

void H1Server::end_answer() {
  answer_done_ = true;
  if (!keep_alive_ || !head_sent_ || is_short()) {
    output_ended_ = true;
  } else if (request_done_) {
    next_request();
  }
}

void H1Server::next_request() {
  parser_.reset();
  leave_stream();
  request_done_ = answer_done_ = false;
  to_head_ = to_connect_ = upgrade_ = from_http10_ = awaits_continue_ = false;
  read_on();
}

// What waited, and then what was put off until it had been read.
void H1Server::read_on() {
  read_rest();
  if (draining_ && !in_request() && rest().empty()) output_ended_ = true;
  if (input_ended_ && !request_done_ && !input_refused_ && !output_ended_) end_input();
}

void H1Server::tunnel(StreamId stream) {
  if (stream == 0 || stream != stream_) return;
  assert(request_done_);
  tunnel_ = true;
  if (!rest().empty()) on_body(rest());
  drop_rest(rest().size());
  if (input_ended_) end_tunnel_input();
}

void H1Server::resume_http(StreamId stream, Chain first) {
  if (stream != stream_ || !tunnel_ || output_ended_ || input_refused_) return;
  // What was not told yet follows what was; the tunnel's own end becomes the connection's.
  while (std::optional<Event> event = events_.pop()) {
    if (Body* body = std::get_if<Body>(&event->what)) first.append(std::move(body->data));
  }
  tunnel_ = false;
  // What the request for the tunnel said of its connection was about the tunnel.
  keep_alive_ = true;
  drop_rest(rest().size());
  keep_rest(first.to_string());
  fresh_ = rest().starts_with(kH2Preface);  // then the successor reads it
  next_request();
}

void H1Server::drain() {
  draining_ = true;
  if (!in_request() && rest().empty()) output_ended_ = true;
}

bool H1Server::done() const {
  return output_ended_ && (!tunnel_ || input_ended_ || input_refused_);
}

bool H1Server::reusable() const {
  return keep_alive_ && !draining_ && !output_ended_ && (!input_ended_ || !rest().empty());
}

void H1Server::on_time(MonoTime now) {
  if (!head_deadline_ || now < *head_deadline_) return;
  if (std::exchange(fresh_, false) && stream_ == 0) begin_stream();  // for half a preface
  refuse({Code::kTimeout, Side::kAgent, false,
          "the request's head did not arrive within " +
              std::to_string(limits_.head_time_max.count()) + " ms"});
}

}  // namespace

std::unique_ptr<Codec> make_h1_server(CodecLimits limits) {
  return std::make_unique<H1Server>(limits);
}

}  // namespace sidespan::http
