// The origin's side of HTTP/1: writes one request, reads its answer, and says whether the
// connection may carry another.
#include <utility>

#include "h1_base.h"
#include "head_rules.h"
#include "sidespan/base/text.h"
#include "sidespan/http/h1_codec.h"

namespace sidespan::http {
namespace {

constexpr uint64_t kKeepAliveSecondsMax = 86400;

// RFC 2068 section 19.7.1.1 and its common use: "timeout=5, max=100".
std::optional<Milliseconds> keep_alive_timeout(const Headers& headers) {
  constexpr std::string_view kName = "timeout=";
  std::optional<Milliseconds> found;
  headers.for_each(FieldName::kKeepAlive, [&](std::string_view value) {
    for (std::optional<std::string_view> rest = value; rest;) {
      const std::string_view member = text::trim(text::split_first(rest, ','));
      if (!text::equal_ignoring_case(member.substr(0, kName.size()), kName)) continue;
      const auto seconds = text::parse_unsigned(member.substr(kName.size()), kKeepAliveSecondsMax);
      if (seconds) found = std::chrono::seconds(*seconds);
    }
  });
  return found;
}

// A 204 that announces a body has none, but its origin may send one all the same.
bool is_doubtful(const Head& head) {
  return head.status == 204 && (head.headers.contains(FieldName::kTransferEncoding) ||
                                head.headers.find(FieldName::kContentLength).value_or("0") != "0");
}

class H1Client final : public H1Base {
 public:
  explicit H1Client(CodecLimits limits) : H1Base(limits, Side::kOrigin) {}

  using H1Base::feed;
  void feed(std::string_view bytes, MonoTime now) override;
  void eof(InputEnd how) override;
  StreamId open() override;
  size_t send(Event&& event) override;
  size_t send_head(StreamId stream, const Head& head) override;
  void tunnel(StreamId stream) override;
  void resume_http(StreamId stream, Chain first) override;
  void half_close(StreamId stream) override;
  void drain() override { keep_alive_ = false; }
  bool output_ended() const override { return output_ended_ || (stream_ == 0 && !keep_alive_); }
  bool done() const override;
  bool reusable() const override;
  AtRest at_rest() const override {
    constexpr int kNotModified = 304;
    const bool bodyless = answer_kind_ == H1Parser::Kind::kAnswerToHead || status_ == kNotModified;
    return {.keep_alive = keep_alive_time_, .may_say_more = bodyless};
  }
  std::optional<MonoTime> deadline() const override { return std::nullopt; }
  void on_time(MonoTime) override {}

 private:
  void on_head(Head&& head) override;
  void parse(std::string_view bytes);
  void end_message();
  void end_interim();
  void finish_stream();
  void fail_stream(Error error);
  bool reading() const { return stream_ != 0 && !answer_done_ && !switched_; }
  static Error fault(Code code, std::string what, bool retryable = false);

  std::optional<Milliseconds> keep_alive_time_;
  Head interim_;  // read, not yet told
  size_t interims_ = 0;
  H1Parser::Kind answer_kind_ = H1Parser::Kind::kAnswer;
  int status_ = 0;  // of the head read last
  bool upgrade_asked_ = false;
  bool request_done_ = false;
  bool answer_done_ = false;
  bool switched_ = false;  // the answer left HTTP: what follows waits for tunnel()
  bool keep_alive_ = true;
  bool half_close_ = false;
  bool tunnel_used_ = false;
};

Error H1Client::fault(Code code, std::string what, bool retryable) {
  return {code, Side::kOrigin, retryable, std::move(what)};
}

StreamId H1Client::open() {
  if (!reusable()) return 0;
  begin_stream();
  interims_ = 0;
  request_done_ = answer_done_ = false;
  return stream_;
}

bool H1Client::reusable() const {
  return stream_ == 0 && keep_alive_ && !input_ended_ && !input_refused_ && !output_ended_;
}

bool H1Client::done() const {
  if (tunnel_) return input_ended_ && output_ended_;
  return stream_ == 0 && (input_ended_ || input_refused_ || !keep_alive_);
}

size_t H1Client::send(Event&& event) {
  if (const Head* head = std::get_if<Head>(&event.what)) return send_head(event.stream, *head);
  if (stream_ == 0 || event.stream != stream_) return 0;
  if (std::holds_alternative<Reset>(event.what)) {
    abrupt_ = output_ended_ = input_refused_ = true;
    tunnel_ = false;
    leave_stream();
    return 0;
  }
  if (output_ended_ || request_done_) return queued_;
  const size_t before = out_.size();
  if (write_body(event)) {
    request_done_ = !tunnel_;
    if (half_close_ || is_short()) output_ended_ = true;
    if (is_short()) keep_alive_ = false;
    const size_t queued = queue_from(before);
    finish_stream();
    return queued;
  }
  tunnel_used_ = tunnel_;
  return queue_from(before);
}

size_t H1Client::send_head(StreamId stream, const Head& head) {
  if (stream_ == 0 || stream != stream_) return 0;
  if (output_ended_ || request_done_) return queued_;
  upgrade_asked_ = head.upgrade;
  if (head.headers.lists(FieldName::kConnection, "close")) keep_alive_ = false;
  answer_kind_ = head.asks("HEAD")      ? H1Parser::Kind::kAnswerToHead
                 : head.asks("CONNECT") ? H1Parser::Kind::kAnswerToConnect
                                        : H1Parser::Kind::kAnswer;
  const Framing framing = head.body.kind == BodyLength::Kind::kNone    ? Framing::kNone
                          : head.body.kind == BodyLength::Kind::kKnown ? Framing::kLength
                                                                       : Framing::kChunked;
  const size_t before = out_.size();
  begin_body(framing, head.body);
  write_request_head(out_, head, framing);
  return queue_from(before);
}

void H1Client::feed(std::string_view bytes, MonoTime) {
  if (input_ended_ || input_refused_ || bytes.empty()) return;
  if (tunnel_) {
    tunnel_used_ = true;
    return on_body(bytes);
  }
  if (reading() && !head_sent_) {
    return fail_stream(fault(Code::kMalformed, "the origin answered before it was asked", true));
  }
  parse(bytes);
}

void H1Client::parse(std::string_view bytes) {
  while (!bytes.empty() && reading()) {
    H1Parser& parser = message(answer_kind_);
    const size_t used = parser.feed(bytes);
    if (parser.failed()) return fail_stream(parser.error());
    bytes.remove_prefix(used);
    if (parser.complete()) end_message();
  }
  if (bytes.empty() || input_refused_) return;
  if (switched_) {
    keep_rest(bytes);
  } else {
    keep_alive_ = false;  // the next request would take these bytes for its answer
  }
}

void H1Client::on_head(Head&& head) {
  status_ = head.status;
  if (status_ < 200) {
    interim_ = std::move(head);
    return;
  }
  const bool until_close = head.body.kind == BodyLength::Kind::kUnknown &&
                           !head.headers.contains(FieldName::kTransferEncoding);
  if (until_close || is_doubtful(head) || !keeps_connection(head)) keep_alive_ = false;
  keep_alive_time_ = keep_alive_timeout(head.headers);
  push(stream_, std::move(head));
}

void H1Client::end_message() {
  parser_.reset();
  if (status_ < 200) return end_interim();
  if (answer_kind_ == H1Parser::Kind::kAnswerToConnect && status_ / 100 == 2) {
    switched_ = true;
    return;
  }
  answer_done_ = true;
  push(stream_, End{});
  finish_stream();
}

void H1Client::end_interim() {
  if (status_ != kSwitchingProtocols) {
    if (++interims_ <= limits_.interims_max) return push(stream_, Interim{std::move(interim_)});
    return fail_stream(fault(
        Code::kTooLarge,
        "the origin sent more than " + std::to_string(limits_.interims_max) + " interim answers"));
  }
  // RFC 9110 section 7.8: not unasked, and not while the request is still HTTP.
  if (!upgrade_asked_ || !request_done_) {
    return fail_stream(fault(Code::kMalformed, "the origin switched protocols out of turn"));
  }
  switched_ = true;
  push(stream_, std::move(interim_));
}

void H1Client::finish_stream() {
  if (request_done_ && answer_done_) leave_stream();
}

void H1Client::fail_stream(Error error) {
  parser_.reset();
  abrupt_ = output_ended_ = true;
  refuse_input(std::move(error));
  leave_stream();
}

void H1Client::eof(InputEnd how) {
  if (input_ended_) return;
  input_ended_ = true;
  input_end_ = how;
  if (tunnel_) return end_tunnel_input();
  if (!reading()) return;
  if (!parser_ || !parser_->started()) {
    return fail_stream(fault(Code::kConnectionClosed,
                             "the origin closed the connection without an answer", !head_sent_));
  }
  const Result<void> ended = parser_->eof(how);
  if (!ended) return fail_stream(ended.error());
  end_message();
}

void H1Client::tunnel(StreamId stream) {
  if (stream == 0 || stream != stream_) return;
  tunnel_ = true;
  keep_alive_ = false;
  request_done_ = switched_ = false;
  parser_.reset();
  if (!rest().empty()) on_body(rest());
  drop_rest(rest().size());
  if (input_ended_) end_tunnel_input();
}

void H1Client::resume_http(StreamId stream, Chain) {
  const bool fresh = tunnel_ && !tunnel_used_ && !head_sent_ && !output_ended_ && !input_ended_;
  if (stream != stream_ || !fresh) return;
  tunnel_ = false;
  keep_alive_ = true;
  leave_stream();
}

void H1Client::half_close(StreamId stream) {
  if (stream == 0 || stream != stream_) return;
  half_close_ = true;
  keep_alive_ = false;
  if (request_done_) output_ended_ = true;
}

}  // namespace

std::unique_ptr<Codec> make_h1_client(CodecLimits limits) {
  return std::make_unique<H1Client>(limits);
}

}  // namespace sidespan::http
