#include "sidespan/serve/endpoint.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "sidespan/net/stream.h"
#include "support/scripted_origin.h"

namespace sidespan::serve {
namespace {

class CountingLog final : public Log {
 public:
  void write(LogLevel, std::string_view, std::initializer_list<LogField>) override { ++lines; }
  bool enabled(LogLevel) const override { return true; }

  int lines = 0;
};

// A client that sends bytes as they stand and keeps all that comes back.
struct Peer final : net::StreamReader {
  Peer(net::Loop& loop, const net::Address& to) : loop_(loop) {
    connecting = net::Stream::connect(loop, to, [this](auto result) {
      ended = failed = !result.has_value();
      if (ended) return;
      stream = *std::move(result);
      stream->start(*this);
      if (!reading) stream->pause();
      stream->write(Chain(unsent));
    });
  }

  void send(std::string_view bytes) {
    if (stream) {
      stream->write(Chain(bytes));
    } else {
      unsent += bytes;
    }
  }
  // Until that many answers are complete, or the end.
  bool answers(size_t count) {
    return support::run_until(
        loop_, [&] { return ended || complete() >= count; }, Milliseconds(3000));
  }
  bool end() {
    return support::run_until(loop_, [&] { return ended; }, Milliseconds(5000));
  }
  // By Content-Length; answers to HEAD are not counted right.
  size_t complete() const {
    size_t count = 0;
    for (size_t at = 0;;) {
      const size_t body = received.find("\r\n\r\n", at);
      const size_t length = received.find("Content-Length: ", at);
      if (body == std::string::npos) return count;
      at = body + 4 + (length < body ? std::stoul(received.substr(length + 16)) : 0);
      if (at > received.size()) return count;
      ++count;
    }
  }
  std::vector<int> statuses() const {
    std::vector<int> out;
    const std::string mark = "HTTP/1.1 ";
    for (size_t at = received.find(mark); at != std::string::npos;
         at = received.find(mark, at + 1)) {
      out.push_back(std::stoi(received.substr(at + mark.size())));
    }
    return out;
  }
  bool has(std::string_view text) const { return received.find(text) != std::string::npos; }

  void on_bytes(const Chunk& read) override { received += read.view(); }
  void on_end() override { finish(); }
  void on_failure(Error) override {
    failed = true;
    finish();
  }
  void on_written(size_t) override {}
  void finish() {
    ended = true;
    stream->close();
  }

  net::Loop& loop_;
  std::unique_ptr<net::Stream::Connecting> connecting;
  std::unique_ptr<net::Stream> stream;
  std::string unsent;
  std::string received;
  bool reading = true;  // from the beginning on
  bool ended = false;
  bool failed = false;
};

struct Rig {
  net::Loop loop;
  CountingLog log;
  Endpoint::Options options;
  std::vector<std::string> handled;
  std::unique_ptr<Endpoint> endpoint;
  net::Address address;

  std::unique_ptr<Peer> peer() {
    if (!endpoint) {
      endpoint = std::make_unique<Endpoint>(
          loop, log, options, [this](const Request& request) { return handle(request); });
      address = endpoint->listen(*net::Address::parse("127.0.0.1", 0)).value();
    }
    return std::make_unique<Peer>(loop, address);
  }

  // One request on a connection of its own, to its end.
  std::unique_ptr<Peer> ask(std::string_view bytes) {
    auto one = peer();
    one->send(bytes);
    CHECK(one->end());
    return one;
  }

  Response handle(const Request& request) {
    handled.push_back(std::string(request.head.method()) + " " + std::string(request.path) + " ? " +
                      std::string(request.query) + " " + std::string(request.body));
    Response response;
    response.body = "you said " + std::string(request.body);
    if (request.path == "/missing") response.status = 404;
    if (request.path == "/nothing") response = {204, "", "", {{"X-Why", "none"}}};
    if (request.path == "/huge") response.body.assign(6'000'000, 'x');
    if (request.path == "/large") response.body.assign(1'000'000, 'x');
    return response;
  }
};

}  // namespace

TEST_CASE("endpoint: requests one after the other on one connection") {
  Rig rig;
  auto peer = rig.peer();
  peer->send("GET /a?b=c HTTP/1.1\r\nHost: x\r\n\r\n");
  REQUIRE(peer->answers(1));
  peer->send("POST /d HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello");
  REQUIRE(peer->answers(2));
  peer->send("GET /missing HTTP/1.1\r\nHost: x\r\n\r\n");
  REQUIRE(peer->answers(3));
  CHECK(peer->statuses() == std::vector<int>{200, 200, 404});
  CHECK(rig.handled ==
        std::vector<std::string>{"GET /a ? b=c ", "POST /d ?  hello", "GET /missing ?  "});
  CHECK(peer->has("Content-Type: text/plain; charset=utf-8\r\n"));
  CHECK(peer->has(" GMT\r\n"));
  CHECK(peer->has("\r\n\r\nyou said hello"));
  CHECK_FALSE(peer->ended);
}

TEST_CASE("endpoint: pipelined requests, byte by byte too") {
  const std::string three =
      "GET /1 HTTP/1.1\r\nHost: x\r\n\r\n"
      "POST /2 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
      "GET /3 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
  for (const bool whole : {true, false}) {
    Rig rig;
    auto peer = rig.peer();
    if (whole) {
      peer->send(three);
    } else {
      for (const char c : three) {
        peer->send({&c, 1});
        support::run_for(rig.loop, Milliseconds(1));
      }
    }
    REQUIRE(peer->end());
    CHECK(peer->statuses() == std::vector<int>{200, 200, 200});
    CHECK(rig.handled == std::vector<std::string>{"GET /1 ?  ", "POST /2 ?  abc", "GET /3 ?  "});
    CHECK_FALSE(peer->failed);
  }
}

TEST_CASE("endpoint: HEAD has the answer's length and no body, 204 neither") {
  Rig rig;
  auto peer = rig.ask(
      "HEAD /a HTTP/1.1\r\nHost: x\r\n\r\n"
      "GET /nothing HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  CHECK(peer->statuses() == std::vector<int>{200, 204});
  CHECK(peer->has("Content-Length: 9\r\n"));
  CHECK_FALSE(peer->has("you said"));
  CHECK(peer->has("X-Why: none\r\n"));
  const std::string second = peer->received.substr(peer->received.find("HTTP/1.1 204"));
  CHECK(second.find("Content-") == std::string::npos);
}

TEST_CASE("endpoint: what never reaches the handler") {
  struct Row {
    std::string name, request;
    int status;
    std::string told;
  };
  const Row rows[] = {
      {"other method", "PUT / HTTP/1.1\r\nHost: localhost\r\n\r\n", 405,
       "Allow: GET, HEAD, POST\r\n"},
      {"foreign host", "GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n", 421, "under that host name"},
      {"no host", "GET / HTTP/1.0\r\n\r\n", 400, "for which host"},
      {"no HTTP", "GET / SPDY/1.1\r\n\r\n", 400, ""},
      {"two lengths",
       "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
       400, ""},
      {"body announced too large",
       "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 101\r\n\r\n", 413, "too large"},
      {"body found too large",
       "POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n65\r\n" +
           std::string(101, 'x') + "\r\n",
       413, "too large"},
      {"head too large",
       "GET / HTTP/1.1\r\nHost: localhost\r\nX: " + std::string(70'000, 'x') + "\r\n\r\n", 431, ""},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    Rig rig;
    rig.options.hosts = {"localhost"};
    rig.options.body_bytes_max = 100;
    auto peer = rig.ask(row.request);
    CHECK(peer->statuses() == std::vector<int>{row.status});
    CHECK(peer->has(row.told));
    CHECK(peer->has("Connection: close\r\n"));
    CHECK(peer->has("\r\n\r\nsidespan: "));
    CHECK(rig.handled.empty());
    CHECK_FALSE(peer->failed);
  }
}

TEST_CASE("endpoint: a refusal after HEAD has its body") {
  Rig rig;
  auto peer = rig.ask("HEAD / HTTP/1.1\r\nHost: x\r\n\r\nGET / SPDY/1.1\r\n\r\n");
  CHECK(peer->statuses() == std::vector<int>{200, 400});
  CHECK(peer->has("\r\n\r\nsidespan: "));
}

TEST_CASE("endpoint: Expect: 100-continue") {
  Rig rig;
  auto peer = rig.peer();
  peer->send("POST /d HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
  REQUIRE(support::run_until(rig.loop, [&] { return peer->has("HTTP/1.1 100 Continue\r\n\r\n"); }));
  peer->send("ok");
  REQUIRE(peer->answers(2));
  CHECK(peer->statuses() == std::vector<int>{100, 200});
  CHECK(rig.handled == std::vector<std::string>{"POST /d ?  ok"});
}

TEST_CASE("endpoint: an answer of a megabyte, slowly read") {
  Rig rig;
  auto peer = rig.peer();
  peer->send("GET /large HTTP/1.1\r\nHost: x\r\n\r\n");
  REQUIRE(support::run_until(rig.loop, [&] { return !peer->received.empty(); }));
  peer->stream->pause();
  support::run_for(rig.loop, Milliseconds(20));
  peer->stream->resume();
  REQUIRE(peer->answers(1));
  CHECK(peer->received.size() > 1'000'000);
}

TEST_CASE("endpoint: who reads nothing makes it hold no more than some of the answers") {
  constexpr size_t kPeers = 12;
  const std::string ask = "GET /huge HTTP/1.1\r\nHost: x\r\n\r\n";
  Rig rig;
  std::vector<std::unique_ptr<Peer>> peers;
  for (size_t i = 0; i < kPeers; ++i) {
    peers.push_back(rig.peer());
    peers.back()->reading = false;
    peers.back()->send(ask);
  }
  REQUIRE(support::run_until(rig.loop, [&] { return rig.handled.size() == kPeers; }));
  size_t refused = 0;
  for (const auto& peer : peers) {
    peer->stream->resume();
    REQUIRE(peer->answers(1));
    refused += peer->statuses() == std::vector{503} ? 1 : 0;
  }
  // One of 6 MB waits at a time.
  CHECK(refused == kPeers - 1);
  auto next = rig.peer();
  next->send(ask);
  REQUIRE(next->answers(1));
  CHECK(next->statuses() == std::vector{200});
}

TEST_CASE("endpoint: waits have their limits") {
  struct Row {
    std::string name, request;
    std::vector<int> statuses;
  };
  const Row rows[] = {
      {"nothing", "", {}},
      {"an idle connection", "GET / HTTP/1.1\r\nHost: x\r\n\r\n", {200}},
      {"half a head", "GET / HT", {408}},
      {"half a body", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nabc", {408}},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    Rig rig;
    rig.options.idle_time_max = Milliseconds(400);
    rig.options.request_time_max = Milliseconds(200);
    rig.options.codec.head_time_max = Milliseconds(200);
    auto peer = rig.ask(row.request);
    CHECK(peer->statuses() == row.statuses);
    CHECK_FALSE(peer->failed);
  }
}

TEST_CASE("endpoint: an answer nobody reads is given up") {
  Rig rig;
  rig.options.idle_time_max = Milliseconds(50);
  auto peer = rig.peer();
  for (int i = 0; i < 30; ++i) peer->send("GET /large HTTP/1.1\r\nHost: x\r\n\r\n");
  REQUIRE(support::run_until(rig.loop, [&] { return !peer->received.empty(); }));
  peer->stream->pause();
  support::run_for(rig.loop, Milliseconds(300));
  peer->stream->resume();
  REQUIRE(peer->end());
  CHECK(peer->failed);
  CHECK(peer->complete() < 30);
}

TEST_CASE("endpoint: over the limit the longest idle connection makes room") {
  Rig rig;
  rig.options.connections_max = 2;
  auto first = rig.peer();
  first->send("GET /1 HTTP/1.1\r\nHost: x\r\n\r\n");
  REQUIRE(first->answers(1));
  support::run_for(rig.loop, Milliseconds(2));
  auto second = rig.peer();
  second->send("GET /2 HTTP/1.1\r\nHost: x\r\n\r\n");
  REQUIRE(second->answers(1));
  auto third = rig.peer();
  third->send("GET /3 HTTP/1.1\r\nHost: x\r\n\r\n");
  REQUIRE(third->answers(1));
  CHECK(third->statuses() == std::vector<int>{200});
  REQUIRE(first->end());
  CHECK_FALSE(second->ended);
  CHECK(rig.log.lines == 0);
}

TEST_CASE("endpoint: idle connections make room for as many at once") {
  Rig rig;
  rig.options.connections_max = 32;
  std::vector<std::unique_ptr<Peer>> idle;
  for (int i = 0; i < 32; ++i) idle.push_back(rig.peer());
  support::run_for(rig.loop, Milliseconds(20));
  std::vector<std::unique_ptr<Peer>> crowd;
  for (int i = 0; i < 32; ++i) {
    crowd.push_back(rig.peer());
    crowd.back()->send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  }
  // The kernel has connected all of them before the first is accepted.
  for (const auto& peer : crowd) {
    REQUIRE(peer->answers(1));
    CHECK(peer->statuses() == std::vector<int>{200});
  }
  CHECK(rig.log.lines == 0);
}

TEST_CASE("endpoint: where none is idle, more are told 503, and many more nothing") {
  Rig rig;
  rig.options.connections_max = 2;
  std::vector<std::unique_ptr<Peer>> busy;
  for (int i = 0; i < 2; ++i) {
    busy.push_back(rig.peer());
    busy.back()->send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n");
  }
  support::run_for(rig.loop, Milliseconds(20));
  auto shed = rig.ask("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  CHECK(shed->statuses() == std::vector<int>{503});
  CHECK(shed->has("Retry-After: 1\r\n"));
  CHECK(rig.log.lines == 1);

  std::vector<std::unique_ptr<Peer>> crowd;
  for (int i = 0; i < 40; ++i) crowd.push_back(rig.peer());
  support::run_for(rig.loop, Milliseconds(50));
  const auto closed = std::ranges::count_if(crowd, [](const auto& peer) { return peer->ended; });
  CHECK(closed >= 20);
  CHECK(rig.log.lines == 1);
  busy[0]->send("x");
  REQUIRE(busy[0]->answers(1));
  CHECK(busy[0]->statuses() == std::vector<int>{200});
}

TEST_CASE("endpoint: clients that leave at any point leave nothing behind") {
  Rig rig;
  const std::string request = "POST /d HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello";
  for (size_t cut = 0; cut <= request.size(); ++cut) {
    for (const bool reset : {false, true}) {
      auto peer = rig.peer();
      peer->send(request.substr(0, cut));
      REQUIRE(support::run_until(rig.loop, [&] { return peer->stream != nullptr; }));
      support::run_for(rig.loop, Milliseconds(2));
      peer->stream->close(reset);
    }
  }
  support::run_for(rig.loop, Milliseconds(50));
  auto peer = rig.ask("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  CHECK(peer->statuses() == std::vector<int>{200});
}

TEST_CASE("endpoint: a taken port is an error of our own") {
  Rig rig;
  rig.peer();
  const auto again = rig.endpoint->listen(rig.address);
  REQUIRE_FALSE(again.has_value());
  CHECK(again.error().side == Side::kSelf);
  const auto other = rig.endpoint->listen(*net::Address::parse("::1", 0));
  if (other) CHECK(other->port() != 0);
}

}  // namespace sidespan::serve
