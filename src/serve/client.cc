#include "serve/client.h"

#include <array>
#include <ctime>
#include <utility>

#include "sidespan/http/answer.h"
#include "sidespan/http/h1_codec.h"

namespace sidespan::serve {
namespace {

// Answers beyond the small ones wait for readers up to so much, all clients' together; one always
// may.
constexpr size_t kUnreadBytesMax = size_t{8} * 1024 * 1024;
constexpr size_t kSmallBytesMax = size_t{64} * 1024;

// RFC 9110 section 5.6.7; asked of every server that has a clock.
std::string http_date(WallTime now) {
  const std::time_t seconds =
      std::chrono::floor<std::chrono::seconds>(now).time_since_epoch().count();
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  std::array<char, 32> text;
  const size_t size = std::strftime(text.data(), text.size(), "%a, %d %b %Y %H:%M:%S GMT", &parts);
  return {text.data(), size};
}

bool has_body(int status) {
  return status >= 200 && status != 204 && status != 304;
}

}  // namespace

Client::Client(ClientOwner& owner, net::Loop& loop, std::unique_ptr<net::Stream> stream,
               bool welcome)
    : owner_(owner),
      loop_(loop),
      connection_(std::move(stream), nullptr, http::make_h1_server(owner.options().codec), *this),
      timer_(loop, [this] { on_time(); }),
      welcome_(welcome) {
  const Endpoint::Options& options = owner.options();
  wait(State::kIdle, welcome ? options.idle_time_max : options.request_time_max);
}

void Client::evict() {
  connection_.abort();
  done_ = true;
  owner_.reap_later();
}

void Client::wake(wire::Connection&) {
  // Whom HTTP/2 lets hold a hundred answers open at once is not served by it.
  if (connection_.codec().multiplexed()) return evict();
  while (auto event = connection_.next()) on_event(*std::move(event));
  if (connection_.closed()) {
    done_ = true;
    owner_.reap_later();
  } else if (connection_.codec().done() && state_ != State::kEnding) {
    wait(State::kEnding, owner_.options().idle_time_max);
    connection_.finish();
  }
}

void Client::on_event(http::Event event) {
  if (auto* head = std::get_if<http::Head>(&event.what)) {
    on_head(event.stream, std::move(*head));
  } else if (auto* body = std::get_if<http::Body>(&event.what)) {
    on_body(event.stream, body->data);
  } else if (std::holds_alternative<http::End>(event.what)) {
    on_end();
  } else if (auto* reset = std::get_if<http::Reset>(&event.what)) {
    on_reset(event.stream, reset->error);
  }
}

void Client::on_head(http::StreamId stream, http::Head head) {
  stream_ = stream;
  head_ = std::move(head);
  body_.clear();
  wait(State::kReading, owner_.options().request_time_max);
  if (!welcome_) return refuse(503, "too many connections");
  auto target = read_head(head_, owner_.options());
  if (!target) return refuse(target.error().status, std::move(target.error().sentence));
  target_ = *std::move(target);
  if (head_.headers.lists("Expect", "100-continue")) {
    http::Head go_on;
    go_on.status = 100;
    connection_.send({stream_, http::Interim{std::move(go_on)}});
  }
}

void Client::on_body(http::StreamId stream, const Chain& data) {
  connection_.consumed(stream, data.size());
  if (state_ != State::kReading) return;
  if (body_.size() + data.size() > owner_.options().body_bytes_max) {
    return refuse(413, "the request's body is too large");
  }
  body_ += data.to_string();
}

void Client::on_end() {
  if (state_ != State::kReading) return;
  answer(owner_.handle({head_, target_.path, target_.query, body_}), false);
}

void Client::on_reset(http::StreamId stream, const Error& error) {
  if (state_ == State::kAnswered) return;
  stream_ = stream;
  http::LocalAnswer local = http::make_answer(error);
  Response response;
  response.status = local.head.status;
  response.body = std::move(local.body);
  answer(response, true);
}

void Client::on_time() {
  if (state_ == State::kReading) return refuse(408, "the request's body did not arrive in time");
  if (state_ == State::kIdle && !connection_.has_unsent()) return connection_.drain();
  evict();
}

void Client::refuse(int status, std::string sentence) {
  Response response;
  response.status = status;
  response.body = "sidespan: " + std::move(sentence) + ".\n";
  if (status == 405) response.headers.emplace_back("Allow", "GET, HEAD, POST");
  if (status == 503) response.headers.emplace_back("Retry-After", "1");
  answer(response, true);
}

void Client::answer(const Response& response, bool close) {
  const size_t unread = response.body.size() > kSmallBytesMax ? owner_.unread_bytes() : 0;
  if (unread > 0 && unread + response.body.size() > kUnreadBytesMax) {
    return refuse(503, "others have not read their answers");
  }
  answer_bytes_ = response.body.size();
  http::Head head;
  head.status = response.status;
  if (has_body(response.status)) {
    head.body = http::BodyLength::known(response.body.size());
    if (!response.content_type.empty()) head.headers.add("Content-Type", response.content_type);
    head.headers.add("Content-Length", std::to_string(response.body.size()));
  }
  head.headers.add("Date", http_date(loop_.now().wall));
  for (const auto& [name, value] : response.headers) head.headers.add(name, value);
  if (close) head.headers.set("Connection", "close");
  const bool with_body = has_body(response.status) && !head_.asks("HEAD");
  // The state first: the codec may already hold the next request.
  wait(close ? State::kAnswered : State::kIdle, owner_.options().idle_time_max);
  connection_.send({stream_, std::move(head)});
  if (with_body) connection_.send({stream_, http::Body{Chain(response.body)}});
  head_ = {};
  connection_.send({std::exchange(stream_, 0), http::End{}});
}

void Client::wait(State state, Milliseconds time) {
  state_ = state;
  since_ = loop_.now().mono;
  timer_.start(time);
}

}  // namespace sidespan::serve
