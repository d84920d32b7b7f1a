#include <cstdlib>
#include <string>
#include <utility>

#include "hot_path.h"
#include "http/head_guard.h"
#include "sidespan/http/h1_codec.h"
#include "sidespan/http/uri.h"

namespace sidespan::bench {
namespace {

// What the SDKs of model providers send.
constexpr std::string_view kFields =
    "Host: api.example.com:8080\r\n"
    "Accept: application/json\r\n"
    "Accept-Encoding: gzip, deflate\r\n"
    "Connection: keep-alive\r\n"
    "Content-Type: application/json\r\n"
    "User-Agent: ExampleAI/Python 1.54.0\r\n"
    "X-Stainless-Lang: python\r\n"
    "Authorization: Bearer sk-0123456789abcdef0123456789abcdef0123456789abcdef\r\n"
    "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\r\n";
constexpr std::string_view kQuestion =
    R"({"model":"m","messages":[{"role":"user","content":"hi"}]})";
constexpr std::string_view kAnswer =
    "HTTP/1.1 200 OK\r\n"
    "Content-Type: application/json\r\n"
    "Content-Length: 27\r\n"
    "X-Request-Id: req_0123456789abcdef\r\n"
    "\r\n"
    "{\"message\":\"Hello, World!\"}";

std::string request(std::string_view method, std::string_view body) {
  std::string text = std::string(method) + " http://api.example.com:8080/v1/messages HTTP/1.1\r\n";
  text += kFields;
  if (!body.empty()) text += "Content-Length: " + std::to_string(body.size()) + "\r\n";
  text += "\r\n";
  return text += body;
}

// One request and its answer through both codecs, events moved from one to the other as an exchange
// does it.
class Call : public HotPath {
 public:
  explicit Call(std::string request) : request_(std::move(request)) {}

  void once() override {
    agent_->feed(request_, now_);
    while (std::optional<http::Event> event = agent_->next()) {
      if (std::holds_alternative<http::Head>(event->what)) {
        agent_stream_ = event->stream;
        origin_stream_ = origin_->open();
      }
      pass(*agent_, *origin_, origin_stream_, *std::move(event));
    }
    flush(*origin_);
    origin_->feed(kAnswer, now_);
    while (std::optional<http::Event> event = origin_->next()) {
      pass(*origin_, *agent_, agent_stream_, *std::move(event));
    }
    flush(*agent_);
  }

 private:
  static void pass(http::Codec& from, http::Codec& to, http::StreamId stream, http::Event event) {
    if (std::holds_alternative<http::Drained>(event.what)) return;
    if (std::holds_alternative<http::Reset>(event.what)) std::abort();
    size_t body_bytes = 0;
    if (const auto* body = std::get_if<http::Body>(&event.what)) body_bytes = body->data.size();
    const http::StreamId from_stream = std::exchange(event.stream, stream);
    to.send(std::move(event));
    if (body_bytes > 0) from.consumed(from_stream, body_bytes);
  }

  static void flush(http::Codec& codec) {
    if (!codec.has_output()) std::abort();
    const Chain output = codec.take_output();
    keep(output);
    codec.written(output.size());
  }

  std::string request_;
  MonoTime now_{};
  std::unique_ptr<http::Codec> agent_ = http::make_h1_server({});
  std::unique_ptr<http::Codec> origin_ = http::make_h1_client({});
  http::StreamId agent_stream_ = 0;
  http::StreamId origin_stream_ = 0;
};

class Get final : public Call {
 public:
  Get() : Call(request("GET", "")) {}
};

class Post final : public Call {
 public:
  Post() : Call(request("POST", kQuestion)) {}
};

class Guard final : public HotPath {
 public:
  void once() override {
    http::Headers lines;
    http::HeadGuard guard(http::HeadGuard::Section::kRequest, Side::kAgent, limits_, lines);
    if (!guard.feed(head_).complete) std::abort();
  }

 private:
  http::CodecLimits limits_;
  std::string head_ = request("GET", "");
};

class ParseUrl final : public HotPath {
 public:
  void once() override {
    const Result<http::Url> url = http::parse_url(text_);
    if (!url) std::abort();
    keep(*url);
  }

 private:
  std::string text_ = "http://api.example.com:8080/v1/chat/completions?stream=true";
};

}  // namespace

void add_http_paths(std::vector<HotPathRow>& rows) {
  rows.push_back(row<ParseUrl>("url"));
  rows.push_back(row<Guard>("head_guard"));
  rows.push_back(row<Get>("codecs_get"));
  rows.push_back(row<Post>("codecs_post"));
}

}  // namespace sidespan::bench
