// An HTTP/1.1 server for tests on the test's own loop. It answers with bytes as they stand in the
// script, so that it can say what no decent server would. Requests are read by Content-Length only.
#pragma once

#include <cstdlib>
#include <deque>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sidespan/base/text.h"
#include "sidespan/net/listener.h"
#include "sidespan/net/loop.h"
#include "sidespan/net/stream.h"
#include "sidespan/net/timer.h"

namespace sidespan::support {

class ScriptedOrigin {
 public:
  using Fields = std::vector<std::pair<std::string, std::string>>;

  // What one request is answered with.
  struct Reply {
    std::string bytes;
    Milliseconds delay{0};
    bool close = false;  // FIN behind the bytes
    bool reset = false;  // RST behind the bytes
  };

  struct Request {
    size_t connection;  // counted from 0 in the order they were accepted
    std::string head;   // with the empty line
    std::string body;
    MonoTime at;

    // The value of the first line of that name; empty when absent.
    std::string field(std::string_view name) const {
      std::optional<std::string_view> rest = head;
      while (rest) {
        std::optional<std::string_view> line = text::split_first(rest, '\n');
        const std::string_view key = text::split_first(line, ':');
        if (line && text::equal_ignoring_case(key, name)) {
          return std::string(text::trim(line->substr(0, line->find('\r'))));
        }
      }
      return {};
    }
  };

  explicit ScriptedOrigin(net::Loop& loop) : loop_(loop) { start(); }

  // A whole answer with its Content-Length.
  static std::string answer(int status, const Fields& fields = {}, std::string_view body = "") {
    std::string out = "HTTP/1.1 " + std::to_string(status) + " \r\n";
    for (const auto& [name, value] : fields) out += name + ": " + value + "\r\n";
    return out + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + std::string(body);
  }

  // Replies are used up one a request; then comes `otherwise`.
  void then(Reply reply) { script_.push_back(std::move(reply)); }
  void then(int status, const Fields& fields = {}, std::string_view body = "") {
    then({.bytes = answer(status, fields, body)});
  }
  Reply otherwise{.bytes = answer(200)};

  uint16_t port() const { return port_; }
  const std::vector<Request>& requests() const { return requests_; }
  size_t accepted() const { return connections_.size(); }
  // Requests that were under way at once, at most.
  size_t most_at_once() const { return most_at_once_; }

  // Nobody listens any more, and what was connected is closed.
  void stop() {
    listener_.reset();
    for (auto& connection : connections_) connection->stream->close();
  }
  // Listens again, on the port it had.
  void start() {
    auto listener = net::Listener::listen(
        loop_, *net::Address::parse("127.0.0.1", port_), {},
        [this](std::unique_ptr<net::Stream> stream) { accept(std::move(stream)); });
    if (!listener) throw std::runtime_error(listener.error().what);
    listener_ = std::move(*listener);
    port_ = listener_->address().port();
  }

 private:
  struct Connection final : net::StreamReader {
    Connection(ScriptedOrigin& of, size_t index, std::unique_ptr<net::Stream> with)
        : origin(of), number(index), stream(std::move(with)), timer(of.loop_, [this] { reply(); }) {
      stream->start(*this);
    }

    void on_bytes(const Chunk& bytes) override {
      input += bytes.view();
      read();
    }
    void on_end() override { stream->close(); }
    void on_failure(Error) override { stream->close(); }
    void on_written(size_t) override {}

    void read() {
      const size_t head_end = input.find("\r\n\r\n");
      if (answering || head_end == std::string::npos) return;
      Request request{number, input.substr(0, head_end + 4), {}, origin.loop_.now().mono};
      const size_t length = std::strtoul(request.field("Content-Length").c_str(), nullptr, 10);
      if (input.size() < request.head.size() + length) return;
      request.body = input.substr(request.head.size(), length);
      input.erase(0, request.head.size() + length);
      origin.requests_.push_back(std::move(request));
      answering = true;
      origin.most_at_once_ = std::max(origin.most_at_once_, ++origin.at_once_);
      next = origin.next_reply();
      timer.start(next.delay);
    }

    void reply() {
      answering = false;
      --origin.at_once_;
      stream->write(Chain(next.bytes));
      if (next.reset) stream->close(true);
      if (next.close) stream->shutdown();
      read();
    }

    ScriptedOrigin& origin;
    size_t number;
    std::unique_ptr<net::Stream> stream;
    net::Timer timer;
    std::string input;
    Reply next;
    bool answering = false;
  };

  void accept(std::unique_ptr<net::Stream> stream) {
    connections_.push_back(
        std::make_unique<Connection>(*this, connections_.size(), std::move(stream)));
  }
  Reply next_reply() {
    if (script_.empty()) return otherwise;
    Reply reply = std::move(script_.front());
    script_.pop_front();
    return reply;
  }

  net::Loop& loop_;
  uint16_t port_ = 0;
  std::unique_ptr<net::Listener> listener_;
  std::vector<std::unique_ptr<Connection>> connections_;
  std::deque<Reply> script_;
  std::vector<Request> requests_;
  size_t at_once_ = 0;
  size_t most_at_once_ = 0;
};

// Turns the loop until `reached()` holds; false when that took longer than `limit`.
template <class Reached>
bool run_until(net::Loop& loop, Reached reached, Milliseconds limit = Milliseconds(10'000)) {
  const MonoTime end = loop.precise_now().mono + limit;
  net::Timer timer(loop, [&] {
    if (reached() || loop.precise_now().mono >= end) return loop.stop();
    timer.start(Milliseconds(1));
  });
  timer.start(Milliseconds(0));
  loop.run();
  return reached();
}

inline void run_for(net::Loop& loop, Milliseconds time) {
  run_until(loop, [] { return false; }, time);
}

}  // namespace sidespan::support
