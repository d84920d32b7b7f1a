// The origin's side of HTTP/2, against the server's codec as the peer, and frame by frame where no
// server would say it.
#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "sidespan/http/h2_codec.h"
#include "support/h2_frames.h"
#include "support/http_script.h"

using namespace sidespan;
using namespace sidespan::http;
using script::Cuts;
using script::Line;
using script::request;

namespace {

// A client and a server, each with what the other says.
struct Pair {
  explicit Pair(Cuts cuts = Cuts::whole(), const CodecLimits& limits = {})
      : client(make_h2_client(limits, "https"), cuts), server(make_h2_server(limits), cuts) {}

  void run() {
    for (;;) {
      const std::string there = client.output();
      if (!there.empty()) server.feed(there);
      const std::string back = server.output();
      if (!back.empty()) client.feed(back);
      if (there.empty() && back.empty()) return;
    }
  }

  Line client;
  Line server;
};

Line origin(const CodecLimits& limits = {}) {
  return Line(make_h2_client(limits, "https"), Cuts::whole());
}

StreamId ask(Line& line, std::string_view method = "GET") {
  const StreamId stream = line->open();
  line.send(stream, request(method, "/a", BodyLength::none(), {{"Host", "o"}}));
  line.send(stream, End{});
  return stream;
}

}  // namespace

TEST_CASE("h2 client: what is another in each request takes no place in the peer's table") {
  const auto bytes_of_second = [](std::string_view name) {
    const std::string value = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    Line line = origin();
    line.feed(h2::server_start());
    line.output();
    size_t bytes = 0;
    for (int i = 0; i < 2; ++i) {
      const StreamId stream = line->open();
      line.send(stream, request("GET", "/a", BodyLength::none(), {{"Host", "o"}, {name, value}}));
      line.send(stream, End{});
      bytes = line.output().size();
    }
    return bytes;
  };
  CHECK(bytes_of_second("x-same") < 30);
  CHECK(bytes_of_second("traceparent") > 50);
  CHECK(bytes_of_second("Tracestate") > 50);
  for (const std::string_view name :
       {"Authorization", "Cookie", "X-Api-Key", "API-KEY", "api-key"}) {
    CAPTURE(name);
    CHECK(bytes_of_second(name) > 40);
  }
}

TEST_CASE("h2 client: what its sender wants in nobody's table gets into none") {
  for (const bool never : {true, false}) {
    CAPTURE(never);
    Line server(make_h2_server({}), Cuts::whole());
    std::string block =
        h2::block({{":method", "GET"}, {":scheme", "http"}, {":authority", "o"}, {":path", "/"}});
    block += (never ? '\x10' : '\0') + h2::text("x-key") + h2::text("secret");
    std::string bytes;
    server.react = [&](const Event& event) {
      const auto* head = std::get_if<Head>(&event.what);
      if (head == nullptr) return;
      Line line = origin();
      const StreamId stream = line->open();
      line->send_head(stream, Head(*head));
      bytes = line.output();
    };
    server.feed(h2::client_start() +
                h2::frame(h2::kHeaders, h2::kEndHeaders | h2::kEndStream, 1, block));
    // A literal with a new name of four bytes, by Huffman's code: never indexed, or from now on.
    CHECK((bytes.find("\x10\x84") != std::string::npos) == never);
    CHECK((bytes.find("\x40\x84") != std::string::npos) != never);
  }
}

TEST_CASE("h2 client: a request and its answer") {
  script::at_all_cuts([](Cuts cuts) {
    Pair pair(cuts);
    const StreamId stream = pair.client->open();
    pair.client.send(stream, request("POST", "/a?b", BodyLength::unknown(),
                                     {{"Host", "o:1"},
                                      {"X-Case", "Yes"},
                                      {"Connection", "x"},
                                      {"TE", "trailers"},
                                      {"Transfer-Encoding", "chunked"}}));
    pair.client.send(stream, Body{Chain("hello")});
    pair.client.send(stream, Trailers{script::fields_of({{"T", "1"}})});
    pair.client.send(stream, End{});
    pair.run();
    CHECK(pair.server.events() ==
          "\n1 POST https://o:1/a?b 1.1 [Host: o:1, x-case: Yes, te: trailers] unknown"
          "\n1 body hello\n1 trailers [t: 1]\n1 end");
    pair.server.send(1, Interim{script::answer(103, BodyLength::none(), {{"Link", "l"}})});
    pair.server.send(1, script::answer(200, BodyLength::known(2), {{"A", "b"}}));
    pair.server.send(1, Body{Chain("ok")});
    pair.server.send(1, End{});
    pair.run();
    CHECK(pair.client.events() ==
          "\n1 interim 103  1.1 [link: l] unknown"
          "\n1 200  1.1 [a: b, content-length: 2] 2\n1 body ok\n1 end");
    CHECK(pair.client->streams() == 0);
    CHECK(pair.server->streams() == 0);
    CHECK(pair.client->reusable());
  });
}

TEST_CASE("h2 client: a head and trailers as large as they may be arrive, either way") {
  for (const size_t bytes : {size_t{65'536}, size_t{262'144}, size_t{1'048'576}}) {
    CAPTURE(bytes);
    Pair pair(Cuts::whole(), {.head_bytes_max = bytes});
    const std::string value((bytes - 4000) / 100, 'v');
    const auto with_many = [&](Headers& headers) {
      for (int i = 0; i < 100; ++i) headers.add("x-" + std::to_string(i), value);
    };
    Headers trailers;
    with_many(trailers);
    Head asked = request("POST", "/", BodyLength::unknown(), {{"Host", "o"}});
    with_many(asked.headers);
    Head answered = script::answer(200, BodyLength::unknown());
    with_many(answered.headers);
    const std::string fields = script::show(trailers);
    const StreamId stream = pair.client->open();
    pair.client.send(stream, std::move(asked));
    pair.client.send(stream, Body{Chain("a")});
    pair.client.send(stream, Trailers{trailers});
    pair.client.send(stream, End{});
    pair.run();
    CHECK(pair.server.events() == "\n1 POST https://o/ 1.1 [Host: o, " + fields.substr(1) +
                                      " unknown\n1 body a\n1 trailers " + fields + "\n1 end");
    pair.server.send(1, std::move(answered));
    pair.server.send(1, Body{Chain("b")});
    pair.server.send(1, Trailers{trailers});
    pair.server.send(1, End{});
    pair.run();
    CHECK(pair.client.events() ==
          "\n1 200  1.1 " + fields + " unknown\n1 body b\n1 trailers " + fields + "\n1 end");
    CHECK(pair.client->streams() + pair.server->streams() == 0);
  }
}

TEST_CASE("h2 client: a head or trailers that nghttp2 does not send end the stream") {
  const std::string huge(5'000'000, 'v');
  Line line = origin();
  line.feed(h2::server_start());
  line.output();
  std::optional<Error> told;
  line.react = [&](const Event& event) {
    if (const auto* reset = std::get_if<Reset>(&event.what)) told = reset->error;
  };
  const auto is_ours = [&] {
    return told && told->code == Code::kTooLarge && told->side == Side::kSelf && !told->retryable;
  };
  SUBCASE("a request") {
    const StreamId stream = line->open();
    line.send(stream, request("GET", "/a", BodyLength::none(), {{"Host", "o"}, {"x", huge}}));
    line.send(stream, End{});
    CHECK(h2::show(line.output()).empty());
  }
  SUBCASE("trailers of a request") {
    const StreamId stream = line->open();
    line.send(stream, request("POST", "/a", BodyLength::unknown(), {{"Host", "o"}}));
    line.send(stream, Trailers{script::fields_of({{"x", huge}})});
    line.send(stream, End{});
    CHECK(h2::show(line.output()) == "headers 1, rst 1 code 2");
  }
  line.pull();
  CHECK(is_ours());
  CHECK(line->streams() == 0);
  CHECK(line->reusable());
  told.reset();
  line.react = {};
  ask(line);
  CHECK(h2::show(line.output()).starts_with("headers "));
}

TEST_CASE("h2 client: many at a time, as many as both allow") {
  Pair pair(Cuts::whole(), {.streams_max = 3});
  pair.run();
  for (StreamId id = 1; id <= 3; ++id) CHECK(ask(pair.client) == id);
  CHECK(pair.client->open() == 0);
  CHECK(pair.client->reusable());
  pair.run();
  for (const StreamId id : {5U, 1U, 3U}) {
    pair.server.send(id, script::answer(200, BodyLength::known(0)));
    pair.server.send(id, End{});
  }
  pair.run();
  CHECK(pair.client.events() ==
        "\n3 200  1.1 [content-length: 0] 0\n1 200  1.1 [content-length: 0] 0"
        "\n2 200  1.1 [content-length: 0] 0\n3 end\n1 end\n2 end");
  CHECK(pair.client->open() == 4);
}

TEST_CASE("h2 client: one stream until the peer has said how many it takes") {
  const auto settings = [](uint32_t streams) {
    return h2::frame(h2::kSettings, 0, 0, h2::number(3, 2) + h2::number(streams, 4));
  };
  Line line = origin();
  CHECK(ask(line) == 1);
  CHECK(line->open() == 0);
  CHECK(line->reusable());
  line.feed(settings(2));
  CHECK(ask(line) == 2);
  CHECK(line->open() == 0);

  Line none = origin();
  none.feed(settings(0));
  CHECK(none->open() == 0);

  // Whoever is over makes room, whatever is known.
  Line gone = origin();
  const StreamId first = ask(gone);
  gone.output();
  gone.send(first, Reset{{Code::kConnectionClosed, Side::kSelf, false, ""}});
  gone.output();
  CHECK(ask(gone) == 2);
}

TEST_CASE("h2 client: a peer that is silent while it owes answers is asked whether it is there") {
  using std::chrono::milliseconds;
  const CodecLimits limits = {.ping_time = milliseconds(100), .ping_answer_time = milliseconds(30)};
  const std::string pong = h2::frame(h2::kPing, h2::kAck, 0, std::string(8, '\0'));
  const MonoTime start{std::chrono::seconds(5)};
  const auto connected = [&](const CodecLimits& such) {
    Line line = origin(such);
    line.now = start;
    line.feed(h2::server_start());
    line.output();
    return line;
  };
  const auto at = [&](Line& line, MonoTime now) {
    line.now = now;
    line->on_time(now);
    line.pull();
    return h2::show(line.output());
  };
  Line line = connected(limits);
  CHECK_FALSE(line->deadline());  // nobody waits
  ask(line);
  line.output();
  line->wait_from(start);
  CHECK(line->deadline() == start + milliseconds(100));
  CHECK(at(line, start + milliseconds(99)).empty());
  CHECK(at(line, start + milliseconds(100)) == "ping 0");
  CHECK(line->deadline() == start + milliseconds(130));
  line.now = start + milliseconds(110);
  line.feed(pong);
  // Twice as long, and again, as long as that is all it says.
  CHECK(line->deadline() == start + milliseconds(310));
  CHECK(at(line, start + milliseconds(310)) == "ping 0");
  line.feed(pong);
  CHECK(line->deadline() == start + milliseconds(710));
  line.now = start + milliseconds(400);
  line.feed(h2::headers(1, {{":status", "200"}}, false));
  CHECK(line->deadline() == start + milliseconds(500));
  line.events();
  // Any byte is a sign of life; none is none.
  CHECK(at(line, start + milliseconds(500)) == "ping 0");
  line.now = start + milliseconds(529);
  line.feed(std::string_view("\0", 1));
  CHECK(line->deadline() == start + milliseconds(629));
  CHECK(at(line, start + milliseconds(629)) == "ping 0");
  CHECK(at(line, start + milliseconds(658)).empty());
  CHECK(line.events().empty());
  at(line, start + milliseconds(659));
  CHECK(line.events() == "\n1 reset timeout");
  CHECK(line->streams() == 0);
  CHECK(line->done());
  CHECK_FALSE(line->reusable());
  CHECK_FALSE(line->deadline());

  Line off = connected({.ping_time = milliseconds(0)});
  ask(off);
  off->wait_from(start);
  CHECK_FALSE(off->deadline());
  Line over = connected(limits);
  const StreamId stream = ask(over);
  over->wait_from(start);
  over.send(stream, Reset{{Code::kConnectionClosed, Side::kSelf, false, ""}});
  over.output();
  CHECK_FALSE(over->deadline());
}

TEST_CASE("h2 client: silence counts from when something was owed") {
  using std::chrono::milliseconds;
  Line line = origin({.ping_time = milliseconds(100)});
  const MonoTime start{std::chrono::seconds(5)};
  line.now = start;
  line.feed(h2::server_start());
  line.output();
  const MonoTime later = start + std::chrono::minutes(1);
  const StreamId first = ask(line);
  line.output();
  line->wait_from(later);
  CHECK(line->deadline() == later + milliseconds(100));
  ask(line);  // one more changes nothing
  line.output();
  line->wait_from(later + milliseconds(50));
  CHECK(line->deadline() == later + milliseconds(100));
  line.send(first, Reset{{Code::kConnectionClosed, Side::kSelf, false, ""}});
  CHECK(line->deadline() == later + milliseconds(100));
}

TEST_CASE("h2 client: a peer that owes a PING's answer gets no new stream") {
  using std::chrono::milliseconds;
  Line line = origin({.ping_time = milliseconds(100), .ping_answer_time = milliseconds(30)});
  const MonoTime start{std::chrono::seconds(5)};
  line.now = start;
  line.feed(h2::server_start());
  const StreamId stream = ask(line);
  line.output();
  line->wait_from(start);
  line->on_time(start + milliseconds(100));
  CHECK(h2::show(line.output()) == "ping 0");
  CHECK_FALSE(line->reusable());
  CHECK(line->open() == 0);
  SUBCASE("until it has answered") {
    line.feed(h2::frame(h2::kPing, h2::kAck, 0, std::string(8, '\0')));
  }
  SUBCASE("until it says anything") {
    line.feed(h2::headers(1, {{":status", "200"}}, false));
  }
  SUBCASE("nor when nothing is owed any more") {
    line.send(stream, Reset{{Code::kConnectionClosed, Side::kSelf, false, ""}});
    line.output();
    CHECK(line->streams() == 0);
    CHECK_FALSE(line->reusable());
    return;
  }
  CHECK(line->reusable());
  CHECK(line->open() == stream + 1);
}

TEST_CASE("h2 client: a peer that never says its SETTINGS") {
  using std::chrono::milliseconds;
  for (const bool speaks : {false, true}) {
    CAPTURE(speaks);
    Line line = origin({.head_time_max = milliseconds(100)});
    ask(line);
    line.output();
    const MonoTime start{std::chrono::seconds(5)};
    line->wait_from(start);
    CHECK(line->deadline() == start + milliseconds(100));
    line.now = start + milliseconds(50);
    if (speaks) line.feed(h2::server_start().substr(0, 8));
    line->on_time(start + milliseconds(99));
    line.pull();
    CHECK(line.events().empty());
    line->on_time(start + milliseconds(100));
    line.pull();
    CHECK(line.events() == "\n1 reset timeout");
    CHECK(line->done());
    CHECK_FALSE(line->deadline());
  }
}

TEST_CASE("h2 client: a body waits for the peer's window") {
  Pair pair(Cuts::whole(), {.stream_window_bytes = 65'535, .connection_window_bytes = 1'000'000});
  pair.run();
  pair.server.consume = false;
  const StreamId stream = pair.client->open();
  pair.client.send(stream, request("POST", "/", BodyLength::known(200'000), {{"Host", "o"}}));
  CHECK(pair.client.send(stream, Body{Chain(std::string(200'000, 'x'))}) == 200'000);
  pair.run();
  CHECK(pair.client->queued(stream) == 200'000 - 65'535);
  pair.server->consumed(1, 65'535);
  pair.run();
  CHECK(pair.client->queued(stream) == 200'000 - 2 * 65'535);
  // Another stream is not held up by it.
  const StreamId other = pair.client->open();
  pair.client.send(other, request("POST", "/", BodyLength::known(5), {{"Host", "o"}}));
  pair.client.send(other, Body{Chain("hello")});
  pair.client.send(other, End{});
  pair.server.events();
  pair.run();
  CHECK(pair.server.events().ends_with("\n3 body hello\n3 end"));
}

TEST_CASE(
    "h2 client: little comes of an answer that nobody takes, and twice as much of one that is") {
  constexpr size_t kAll = 900'000;
  constexpr size_t kMost = 100'000;
  struct Row {
    bool ahead;
    size_t first;
    bool greeted;  // the peer has acknowledged our SETTINGS
  };
  for (const auto& [ahead, first, greeted] :
       {Row{false, 8192, true}, Row{true, 65'536, true}, Row{true, 32'768, true},
        Row{false, 8192, false}, Row{true, 65'536, false}, Row{true, 32'768, false}}) {
    CAPTURE(ahead);
    CAPTURE(first);
    CAPTURE(greeted);
    Pair pair(Cuts::whole(),
              {.window_bytes = ahead ? first : size_t{65'536}, .stream_window_bytes = kMost});
    if (greeted) pair.run();
    pair.client.consume = false;
    const StreamId stream = pair.client->open();
    if (ahead) pair.client->read_ahead(stream);
    pair.client.send(stream, request("GET", "/", BodyLength::none(), {{"Host", "o"}}));
    pair.client.send(stream, End{});
    pair.run();
    pair.server.send(1, script::answer(200, BodyLength::known(kAll)));
    pair.server.send(1, Body{Chain(std::string(kAll, 'x'))});
    size_t consumed = 0;
    const auto consume = [&](size_t n) {
      pair.client->consumed(stream, n);
      consumed += n;
    };
    const auto unconsumed = [&] {
      pair.run();
      return kAll - pair.server->queued(1) - consumed;
    };
    CHECK(unconsumed() == first);
    consume((first / 2) - 1);
    CHECK(unconsumed() == (first / 2) + 1);
    consume(1);
    CHECK(unconsumed() > first);
    size_t largest = 0;
    while (consumed < kAll) {
      const size_t n = unconsumed();
      REQUIRE(n > 0);
      CHECK(n <= std::min(kMost, 4 * consumed));
      largest = std::max(largest, n);
      consume(n);
    }
    CHECK(largest > kMost / 2);
  }
}

TEST_CASE("h2 client: answers to HEAD keep the length of what they are about") {
  Line line = origin();
  ask(line, "HEAD");
  line.output();
  line.feed(h2::server_start() + h2::headers(1, {{":status", "200"}, {"content-length", "9"}}));
  CHECK(line.events() == "\n1 200  1.1 [content-length: 9] none\n1 end");
}

TEST_CASE("h2 client: an answer that says that it is empty says so to the next") {
  Pair pair;
  for (const std::string_view length : {"0", ""}) {
    CAPTURE(length);
    Line line = origin();
    ask(line);
    line.output();
    h2::Fields fields = {{":status", "200"}};
    if (!length.empty()) fields.emplace_back("content-length", length);
    const StreamId stream = ask(pair.client);
    pair.run();
    line.react = [&](const Event& event) {
      const auto* head = std::get_if<Head>(&event.what);
      if (head != nullptr) pair.server.send(2 * stream - 1, Head(*head));
    };
    line.feed(h2::server_start() + h2::headers(1, fields));
    pair.run();
    const std::string shown = length.empty() ? "[]" : "[content-length: 0]";
    CHECK(pair.client.events() == "\n" + std::to_string(stream) + " 200  1.1 " + shown + " none\n" +
                                      std::to_string(stream) + " end");
  }
}

TEST_CASE("h2 client: how streams fail") {
  struct Row {
    std::string test;
    std::string frames;
    std::string told;
    bool again;  // without harm
  };
  const std::string half = h2::headers(1, {{":status", "200"}}, false);
  const auto reset = [](uint32_t code) {
    return h2::frame(h2::kRstStream, 0, 1, h2::number(code, 4));
  };
  const auto goaway = [](uint32_t last) {
    return h2::frame(h2::kGoaway, 0, 0, h2::number(last, 4) + h2::number(0, 4));
  };
  const std::string head = "\n1 200  1.1 [] unknown";
  const std::vector<Row> rows = {
      {"refused", reset(7), "\n1 reset connection_closed", true},
      {"above the last of GOAWAY", goaway(0), "\n1 reset connection_closed", true},
      {"an error of the origin's", reset(2), "\n1 reset connection_reset", false},
      {"a call that it gives up", reset(8), "\n1 reset cancelled", false},
      {"the same within the answer", half + reset(2), head + "\n1 reset connection_reset", false},
      {"GOAWAY of later ones", goaway(1) + h2::headers(1, {{":status", "204"}}),
       "\n1 204  1.1 [] none\n1 end", false},
      {"no status", h2::headers(1, {{"a", "b"}}), "\n1 reset malformed", false},
      {"101", h2::headers(1, {{":status", "101"}}, false), "\n1 reset malformed", false},
      {"less than it said",
       h2::headers(1, {{":status", "200"}, {"content-length", "3"}}, false) +
           h2::frame(h2::kData, h2::kEndStream, 1, "a"),
       "\n1 200  1.1 [content-length: 3] 3\n1 body a\n1 reset malformed", false},
      {"a push", h2::frame(h2::kPushPromise, h2::kEndHeaders, 1, h2::number(2, 4)),
       "\n1 reset malformed", false},
  };
  for (const Row& row : rows) {
    CAPTURE(row.test);
    Line line = origin();
    ask(line);
    line.output();
    line.feed(h2::server_start());
    bool retryable = false;
    line.react = [&](const Event& event) {
      if (const auto* told = std::get_if<Reset>(&event.what)) retryable = told->error.retryable;
    };
    line.feed(row.frames);
    line.output();
    CHECK(line.events() == row.told);
    CHECK(retryable == row.again);
    CHECK(line->streams() == 0);
  }
}

TEST_CASE("h2 client: the connection goes") {
  Line line = origin();
  line.feed(h2::server_start());
  ask(line);
  ask(line);
  line.output();
  ask(line);
  // What never left did no harm.
  std::vector<StreamId> again;
  line.react = [&](const Event& event) {
    if (std::get<Reset>(event.what).error.retryable) again.push_back(event.stream);
  };
  line.eof(InputEnd::kTruncated);
  CHECK(again == std::vector<StreamId>{3});
  const std::string told = line.events();
  CHECK(told.find("\n1 reset connection_closed") != std::string::npos);
  CHECK(told.find("\n2 reset connection_closed") != std::string::npos);
  CHECK_FALSE(line->reusable());
  CHECK(line->done());
}

TEST_CASE("h2 client: who gives up says so") {
  Line line = origin();
  const StreamId stream = ask(line);
  line.output();
  line.send(stream, Reset{{Code::kConnectionClosed, Side::kSelf, false, ""}});
  CHECK(h2::show(line.output()) == "rst 1 code 8");
  CHECK(line.events().empty());
  CHECK(line->streams() == 0);
  CHECK(line->reusable());
}

TEST_CASE("h2 client: interim answers without end") {
  Line line = origin({.interims_max = 4});
  ask(line);
  line.output();
  line.feed(h2::server_start());
  for (int i = 0; i < 6; ++i) line.feed(h2::headers(1, {{":status", "103"}}, false));
  CHECK(line.events().ends_with("\n1 reset too_large"));
  CHECK(h2::show(line.output()) == "rst 1 code 11");
}
