// The origin's side: what is written, what is read as the answer, and whether the connection is
// used again.
#include <doctest/doctest.h>

#include <chrono>
#include <string>
#include <vector>

#include "sidespan/http/h1_codec.h"
#include "support/http_script.h"

using namespace sidespan;
using namespace sidespan::http;
using script::at_all_cuts;
using script::Cuts;
using script::Line;
using script::request;

namespace {

constexpr std::string_view kOk = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const std::string kToldOk = " 200 OK 1.1 [Content-Length: 2] 2\n1 body ok\n1 end";

Line origin(Cuts cuts, CodecLimits limits = {}) {
  return Line(make_h1_client(limits), cuts);
}

// A whole request without a body.
StreamId ask(Line& line, const std::string& method = "GET") {
  const StreamId stream = line->open();
  line.send(stream, request(method, "/", BodyLength::none(), {{"Host", "o"}}));
  line.send(stream, End{});
  line.output();
  return stream;
}

}  // namespace

TEST_CASE("h1 client: requests as they are written") {
  struct Row {
    std::string test;
    std::string method;
    BodyLength body;
    std::string written;
  };
  const std::vector<Row> rows = {
      {"no body", "GET", BodyLength::none(), "GET /a HTTP/1.1\r\nHost: o\r\n\r\n"},
      {"empty body", "POST", BodyLength::known(0),
       "POST /a HTTP/1.1\r\nHost: o\r\nContent-Length: 0\r\n\r\n"},
      {"known length", "POST", BodyLength::known(5),
       "POST /a HTTP/1.1\r\nHost: o\r\nContent-Length: 5\r\n\r\nhello"},
      {"chunks", "POST", BodyLength::unknown(),
       "POST /a HTTP/1.1\r\nHost: o\r\nTransfer-Encoding: chunked\r\n\r\n"
       "5\r\nhello\r\n0\r\nX: y\r\n\r\n"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.test);
    Line line = origin(Cuts::whole());
    const StreamId stream = line->open();
    CHECK(stream == 1);
    CHECK(line->open() == 0);
    line.send(stream, request(row.method, "/a", row.body, {{"Host", "o"}}));
    line.send(stream, Body{Chain()});
    if (row.body.bytes > 0 || row.body == BodyLength::unknown()) {
      line.send(stream, Body{Chain("hello")});
    }
    line.send(stream, Trailers{script::fields_of({{"X", "y"}})});
    line.send(stream, End{});
    CHECK(line.send(stream, Body{Chain("after the end")}) > 0);
    CHECK(line.output() == row.written);
    CHECK(line->streams() == 1);
    line.feed(kOk);
    CHECK(line.events() == "\n1" + kToldOk);
    CHECK(line->streams() == 0);
    CHECK(line->reusable());
    CHECK(line->open() == 2);
  }
}

TEST_CASE("h1 client: which connections are used again") {
  struct Row {
    std::string test;
    std::string method;
    std::string answer;
    bool again;
  };
  const std::string ok(kOk);
  const std::vector<Row> rows = {
      {"1.1", "GET", ok, true},
      {"1.1, chunked", "GET",
       "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: y\r\n\r\n", true},
      {"1.1, close", "GET", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
       false},
      {"1.0", "GET", "HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", false},
      {"1.0, keep-alive", "GET",
       "HTTP/1.0 200 OK\r\nContent-Length: 0\r\nConnection: keep-alive\r\n\r\n", true},
      {"to HEAD", "HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", true},
      {"to HEAD, no length", "HEAD", "HTTP/1.1 200 OK\r\n\r\n", true},
      {"204", "GET", "HTTP/1.1 204 X\r\n\r\n", true},
      {"204, length 0", "GET", "HTTP/1.1 204 X\r\nContent-Length: 0\r\n\r\n", true},
      {"204 that announces a body", "GET", "HTTP/1.1 204 X\r\nContent-Length: 2\r\n\r\n", false},
      {"204 that announces chunks", "GET", "HTTP/1.1 204 X\r\nTransfer-Encoding: chunked\r\n\r\n",
       false},
      {"304", "GET", "HTTP/1.1 304 X\r\nContent-Length: 9\r\n\r\n", true},
      {"interim answers say nothing", "GET", "HTTP/1.1 103 X\r\nConnection: close\r\n\r\n" + ok,
       true},
      {"bytes after", "GET", ok + "x", false},
      {"an answer after", "GET", ok + ok, false},
      {"line end after", "GET", ok + "\r\n", false},
  };
  for (const Row& row : rows) {
    CAPTURE(row.test);
    at_all_cuts([&](Cuts cuts) {
      Line line = origin(cuts);
      ask(line, row.method);
      line.feed(row.answer);
      CHECK(line.events().ends_with("end"));
      CHECK(line->streams() == 0);
      CHECK(line->reusable() == row.again);
      CHECK(line->done() != row.again);
      CHECK(line->output_ended() != row.again);
      CHECK_FALSE(line->ends_abruptly());
      CHECK((line->open() != 0) == row.again);
    });
  }
}

TEST_CASE("h1 client: a request that says close is the last") {
  Line line = origin(Cuts::whole());
  const StreamId stream = line->open();
  line.send(stream, request("GET", "/", BodyLength::none(), {{"Connection", "close"}}));
  line.send(stream, End{});
  line.feed(kOk);
  CHECK_FALSE(line->reusable());
  CHECK(line->done());
}

TEST_CASE("h1 client: a body shares what it was read into where it is a good part of that") {
  const std::string big(20'000, 'b');
  const std::string head = "HTTP/1.1 200 OK\r\nContent-Length: 40001\r\n\r\n";
  const std::unique_ptr<Codec> codec = make_h1_client({});
  const StreamId stream = codec->open();
  codec->send_head(stream, request("GET", "/", BodyLength::none(), {{"Host", "o"}}));
  codec->send({stream, End{}});
  Chunk read(65536);
  read.append(head);
  read.append(big);
  CHECK(codec->room() == Chunk::kReadBytes);
  codec->feed(read, {});
  CHECK(codec->room() == size_t{64} * 1024 - big.size());
  CHECK(read.shared());
  CHECK(std::holds_alternative<Head>(codec->next()->what));
  std::optional<Event> event = codec->next();
  CHECK(std::get<Body>(event->what).data.front().data() == read.view().data() + head.size());
  event.reset();
  CHECK_FALSE(read.shared());
  // What came in another piece of memory is copied, and so is what is small.
  codec->feed(std::string_view(big), {});
  Chunk small = Chunk::copy_of("!");
  codec->feed(small, {});
  CHECK_FALSE(small.shared());
  CHECK(std::get<Body>(codec->next()->what).data.to_string() == big + "!");
  CHECK(std::holds_alternative<End>(codec->next()->what));
}

TEST_CASE("h1 client: until close") {
  const std::string head = "HTTP/1.1 200 OK\r\n\r\n";
  at_all_cuts([&](Cuts cuts) {
    Line line = origin(cuts);
    ask(line);
    line.feed(head + "some");
    CHECK_FALSE(line->done());
    line.eof();
    CHECK(line.events() == "\n1 200 OK 1.1 [] unknown\n1 body some\n1 end");
    CHECK(line->done());
    CHECK_FALSE(line->reusable());
  });
  at_all_cuts([&](Cuts cuts) {
    CAPTURE("not without a clean end");
    Line line = origin(cuts);
    ask(line);
    line.feed(head + "some");
    line.eof(InputEnd::kTruncated);
    CHECK(line.events() == "\n1 200 OK 1.1 [] unknown\n1 body some\n1 reset truncated");
    CHECK(line->done());
  });
}

TEST_CASE("h1 client: FIN in every state") {
  SUBCASE("idle") {
    Line line = origin(Cuts::whole());
    CHECK_FALSE(line->done());
    line.eof();
    CHECK(line->done());
    CHECK_FALSE(line->reusable());
    CHECK(line.events().empty());
  }
  SUBCASE("idle after an answer") {
    Line line = origin(Cuts::whole());
    ask(line);
    line.feed(kOk);
    line.events();
    line.eof();
    CHECK(line->done());
    CHECK(line->open() == 0);
    CHECK(line.events().empty());
  }
  SUBCASE("opened, nothing said: another try is safe") {
    Line line = origin(Cuts::whole());
    line->open();
    bool retryable = false;
    line.react = [&](const Event& event) {
      retryable = std::get<Reset>(event.what).error.retryable;
    };
    line.eof();
    CHECK(line.events() == "\n1 reset connection_closed");
    CHECK(retryable);
  }
  SUBCASE("without an answer") {
    Line line = origin(Cuts::whole());
    ask(line);
    bool retryable = true;
    line.react = [&](const Event& event) {
      retryable = std::get<Reset>(event.what).error.retryable;
    };
    line.eof();
    line.eof();
    CHECK(line.events() == "\n1 reset connection_closed");
    CHECK_FALSE(retryable);
    CHECK(line->done());
    CHECK(line->streams() == 0);
  }
  SUBCASE("in the request") {
    Line line = origin(Cuts::whole());
    const StreamId stream = line->open();
    line.send(stream, request("POST", "/", BodyLength::known(5)));
    line.eof();
    CHECK(line.events() == "\n1 reset connection_closed");
    CHECK(line.send(stream, Body{Chain("hello")}) == 0);
  }
  SUBCASE("after an answer that came before the request's end") {
    Line line = origin(Cuts::whole());
    const StreamId stream = line->open();
    line.send(stream, request("POST", "/", BodyLength::known(5)));
    line.feed(kOk);
    line.eof();
    CHECK(line.events() == "\n1" + kToldOk);
    line.send(stream, Body{Chain("hello")});
    line.send(stream, End{});
    CHECK(line.output().ends_with("hello"));
    CHECK(line->done());
  }
}

TEST_CASE("h1 client: an answer before the request's end") {
  at_all_cuts([](Cuts cuts) {
    Line line = origin(cuts);
    const StreamId stream = line->open();
    line.send(stream, request("POST", "/", BodyLength::known(5)));
    line.feed(kOk);
    CHECK(line.events() == "\n1" + kToldOk);
    CHECK(line->streams() == 1);
    CHECK_FALSE(line->reusable());
    CHECK(line->open() == 0);
    line.send(stream, Body{Chain("hello")});
    line.send(stream, End{});
    CHECK(line->reusable());
    CHECK(line->open() == 2);
  });
  at_all_cuts([](Cuts cuts) {
    CAPTURE("and more behind it");
    Line line = origin(cuts);
    const StreamId stream = line->open();
    line.send(stream, request("POST", "/", BodyLength::known(5)));
    line.feed(std::string(kOk) + std::string(kOk));
    CHECK(line.events() == "\n1" + kToldOk);
    line.send(stream, Body{Chain("hello")});
    line.send(stream, End{});
    CHECK_FALSE(line->reusable());
    CHECK(line->done());
  });
}

TEST_CASE("h1 client: an answer before the request's begin is no answer") {
  SUBCASE("idle") {
    Line line = origin(Cuts::whole());
    line.feed("HTTP/1.1 408 Request Timeout\r\n\r\n");
    CHECK(line.events().empty());
    CHECK_FALSE(line->reusable());
    CHECK(line->done());
    CHECK(line->open() == 0);
  }
  SUBCASE("opened") {
    Line line = origin(Cuts::whole());
    line->open();
    line.feed(kOk);
    CHECK(line.events() == "\n1 reset malformed");
    CHECK(line->done());
  }
}

TEST_CASE("h1 client: interim answers are told up to the limit") {
  const auto run = [](size_t interims, Cuts cuts) {
    Line line = origin(cuts);
    ask(line);
    std::string bytes;
    for (size_t i = 0; i < interims; ++i) bytes += "HTTP/1.1 103 X\r\n\r\n";
    line.feed(bytes + std::string(kOk));
    const std::string events = line.events();
    size_t told = 0;
    for (size_t at = 0; (at = events.find("interim", at)) != std::string::npos; ++at) ++told;
    return std::to_string(told) + events.substr(events.rfind("\n1 "));
  };
  at_all_cuts([&](Cuts cuts) {
    CHECK(run(50, cuts) == "50\n1 end");
    CHECK(run(64, cuts) == "64\n1 end");
    CHECK(run(65, cuts) == "64\n1 reset too_large");
  });
  // The limit is one request's.
  Line line = origin(Cuts::whole());
  for (int i = 0; i < 3; ++i) {
    ask(line);
    std::string bytes;
    for (int k = 0; k < 40; ++k) bytes += "HTTP/1.1 100 X\r\n\r\n";
    line.feed(bytes + std::string(kOk));
    CHECK(line.events().ends_with("end"));
  }
}

TEST_CASE("h1 client: Upgrade") {
  const auto upgrade = [](Line& line, bool whole = true) {
    const StreamId stream = line->open();
    Head head = request("GET", "/", whole ? BodyLength::none() : BodyLength::known(1),
                        {{"Upgrade", "a"}, {"Connection", "Upgrade"}});
    head.upgrade = true;
    line.send(stream, std::move(head));
    if (whole) line.send(stream, End{});
    line.output();
    return stream;
  };
  const std::string switching = "HTTP/1.1 101 X\r\nUpgrade: a\r\n\r\n";
  at_all_cuts([&](Cuts cuts) {
    Line line = origin(cuts);
    const StreamId stream = upgrade(line);
    line.feed("HTTP/1.1 100 Continue\r\n\r\n" + switching + "early");
    CHECK(line.events() == "\n1 interim 100 Continue 1.1 [] none\n1 101 X 1.1 [Upgrade: a] none");
    line->tunnel(stream);
    line.pull();
    CHECK(line.events() == "\n1 body early");
    line.feed(kOk);
    CHECK(line.events() == "\n1 body " + std::string(kOk));
    line.send(stream, Body{Chain("bytes")});
    CHECK(line.output() == "bytes");
    line.eof();
    CHECK(line.events() == "\n1 end");
    CHECK_FALSE(line->done());
    line.send(stream, Body{Chain("more")});
    line.send(stream, End{});
    CHECK(line.output() == "more");
    CHECK(line->done());
    CHECK_FALSE(line->reusable());
  });
  SUBCASE("FIN behind the switch") {
    Line line = origin(Cuts::whole());
    const StreamId stream = upgrade(line);
    line.feed(switching + "early");
    line.eof();
    line.events();
    line->tunnel(stream);
    line.pull();
    CHECK(line.events() == "\n1 body early\n1 end");
  }
  SUBCASE("refused: an answer like any other") {
    Line line = origin(Cuts::every_byte());
    upgrade(line);
    line.feed(kOk);
    CHECK(line.events() == "\n1" + kToldOk);
    CHECK(line->reusable());
  }
  SUBCASE("not asked for") {
    Line line = origin(Cuts::every_byte());
    ask(line);
    line.feed(switching);
    CHECK(line.events() == "\n1 reset malformed");
  }
  SUBCASE("in the middle of the request") {
    Line line = origin(Cuts::every_byte());
    upgrade(line, false);
    line.feed(switching);
    CHECK(line.events() == "\n1 reset malformed");
  }
  SUBCASE("no stream is opened before tunnel()") {
    Line line = origin(Cuts::whole());
    upgrade(line);
    line.feed(switching);
    CHECK_FALSE(line->reusable());
    CHECK_FALSE(line->done());
  }
}

TEST_CASE("h1 client: CONNECT by way of another proxy") {
  const auto ask_tunnel = [](Line& line) {
    const StreamId stream = line->open();
    line.send(stream, request("CONNECT", "o:1", BodyLength::none(), {{"Host", "o:1"}}));
    line.send(stream, End{});
    CHECK(line.output() == "CONNECT o:1 HTTP/1.1\r\nHost: o:1\r\n\r\n");
    return stream;
  };
  at_all_cuts([&](Cuts cuts) {
    Line line = origin(cuts);
    const StreamId stream = ask_tunnel(line);
    line.feed("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nearly");
    CHECK(line.events() == "\n1 200 OK 1.1 [Content-Length: 9] none");
    line->tunnel(stream);
    line.pull();
    CHECK(line.events() == "\n1 body early");
  });
  at_all_cuts([&](Cuts cuts) {
    Line line = origin(cuts);
    ask_tunnel(line);
    line.feed("HTTP/1.1 407 X\r\nContent-Length: 2\r\n\r\nno");
    CHECK(line.events() == "\n1 407 X 1.1 [Content-Length: 2] 2\n1 body no\n1 end");
    CHECK(line->reusable());
  });
}

TEST_CASE("h1 client: a tunnel from the first byte on") {
  Line line = origin(Cuts::whole());
  const StreamId stream = line->open();
  line->tunnel(stream);
  CHECK_FALSE(line->reusable());

  SUBCASE("that turns out to carry HTTP") {
    line->resume_http(stream, {});
    CHECK(line->reusable());
    CHECK(ask(line) == 2);
    line.feed(kOk);
    CHECK(line->reusable());
  }
  SUBCASE("not once bytes have come") {
    line.feed("SSH-2.0\r\n");
    line->resume_http(stream, {});
    CHECK_FALSE(line->reusable());
    CHECK(line.events() == "\n1 body SSH-2.0\r\n");
  }
  SUBCASE("not once bytes have gone") {
    line.send(stream, Body{Chain("hello")});
    line->resume_http(stream, {});
    CHECK_FALSE(line->reusable());
  }
  SUBCASE("not after FIN") {
    line.eof();
    line->resume_http(stream, {});
    CHECK_FALSE(line->reusable());
    CHECK(line.events() == "\n1 end");
  }
  SUBCASE("broken off by us") {
    line.send(stream, Reset{});
    CHECK(line->done());
    CHECK(line->ends_abruptly());
  }
  SUBCASE("broken off by the origin") {
    line.eof(InputEnd::kTruncated);
    CHECK(line.events() == "\n1 reset connection_reset");
  }
}

TEST_CASE("h1 client: half-close") {
  SUBCASE("after the request") {
    Line line = origin(Cuts::whole());
    const StreamId stream = ask(line);
    line->half_close(stream);
    CHECK(line->output_ended());
    CHECK_FALSE(line->done());
    line.feed(kOk);
    CHECK(line.events() == "\n1" + kToldOk);
    CHECK_FALSE(line->reusable());
    CHECK(line->done());
    CHECK_FALSE(line->ends_abruptly());
  }
  SUBCASE("within the request it waits for the end") {
    Line line = origin(Cuts::whole());
    const StreamId stream = line->open();
    line.send(stream, request("POST", "/", BodyLength::known(2)));
    line->half_close(stream);
    CHECK_FALSE(line->output_ended());
    line.send(stream, Body{Chain("ok")});
    line.send(stream, End{});
    CHECK(line->output_ended());
    CHECK(line.output().ends_with("ok"));
  }
  SUBCASE("of another stream") {
    Line line = origin(Cuts::whole());
    line->half_close(ask(line) + 1);
    CHECK_FALSE(line->output_ended());
  }
}

TEST_CASE("h1 client: a Reset ends the connection") {
  Line line = origin(Cuts::whole());
  const StreamId stream = ask(line);
  CHECK(line.send(stream, Reset{}) == 0);
  CHECK(line->ends_abruptly());
  CHECK(line->output_ended());
  CHECK(line->done());
  CHECK_FALSE(line->reusable());
  line.feed(kOk);
  line.eof();
  CHECK(line.events().empty());
}

TEST_CASE("h1 client: a request shorter than it said ends the connection") {
  Line line = origin(Cuts::whole());
  const StreamId stream = line->open();
  line.send(stream, request("POST", "/", BodyLength::known(5)));
  line.send(stream, Body{Chain("he")});
  line.send(stream, End{});
  CHECK(line->output_ended());
  line.feed(kOk);
  CHECK_FALSE(line->reusable());
  CHECK(line->done());
}

TEST_CASE("h1 client: draining") {
  Line idle = origin(Cuts::whole());
  idle->drain();
  CHECK(idle->done());
  CHECK(idle->open() == 0);

  Line busy = origin(Cuts::whole());
  ask(busy);
  busy->drain();
  CHECK_FALSE(busy->done());
  busy.feed(kOk);
  CHECK(busy.events() == "\n1" + kToldOk);
  CHECK(busy->done());
}

TEST_CASE("h1 client: how long the origin keeps an idle connection") {
  struct Row {
    std::string test;
    std::string field;
    int seconds;  // -1: it does not say
  };
  const std::vector<Row> rows = {
      {"none", "", -1},
      {"timeout", "Keep-Alive: timeout=5\r\n", 5},
      {"with max", "Keep-Alive: max=100, Timeout=7\r\n", 7},
      {"zero", "Keep-Alive: timeout=0\r\n", 0},
      {"no number", "Keep-Alive: timeout=x\r\n", -1},
      {"negative", "Keep-Alive: timeout=-1\r\n", -1},
      {"too big to be meant", "Keep-Alive: timeout=99999999999999999999\r\n", -1},
      {"something else", "Keep-Alive: max=5\r\n", -1},
  };
  for (const Row& row : rows) {
    CAPTURE(row.test);
    Line line = origin(Cuts::random(3));
    ask(line);
    line.feed("HTTP/1.1 204 X\r\n" + row.field + "\r\n");
    const std::optional<Milliseconds> time = line->at_rest().keep_alive;
    CHECK(time.has_value() == (row.seconds >= 0));
    if (time) CHECK(*time == std::chrono::seconds(row.seconds));
  }
}

TEST_CASE("h1 client: back-pressure") {
  CodecLimits limits;
  limits.window_bytes = 10;
  Line line = origin(Cuts::every_byte(), limits);
  line.consume = false;
  const StreamId stream = ask(line);
  line.feed("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\n123456789\r\n");
  CHECK(line->wants_input());
  line.feed("1\r\n0\r\n");
  CHECK_FALSE(line->wants_input());
  line->consumed(stream, 10);
  CHECK(line->wants_input());
  line.feed("0\r\n\r\n");
  // What the last stream left unconsumed holds up no other.
  CHECK(ask(line) == 2);
  CHECK(line->wants_input());
}

TEST_CASE("h1 client: Drained adds up") {
  Line line = origin(Cuts::whole());
  size_t drained = 0;
  line.react = [&](const Event& event) {
    if (const auto* some = std::get_if<Drained>(&event.what)) drained += some->bytes;
  };
  const StreamId stream = line->open();
  line.send(stream, request("POST", "/", BodyLength::unknown()));
  line.send(stream, Body{Chain("hello")});
  const size_t queued = line.send(stream, End{});
  const Chain bytes = line->take_output();
  CHECK(bytes.size() == queued);
  for (size_t i = 0; i < queued; ++i) {
    line->written(1);
    line.pull();
    CHECK(drained == i + 1);
  }
  line->written(10);
  line.pull();
  CHECK(drained == queued);
}

TEST_CASE("h1 client: of a head without a body nobody is told that it left") {
  Line line = origin(Cuts::whole());
  StreamId stream = line->open();
  line.react = [](const Event& event) { CHECK(!std::holds_alternative<Drained>(event.what)); };
  line.send(stream, request("GET", "/", BodyLength::none()));
  line.send(stream, End{});
  const size_t size = line->take_output().size();
  line->written(size - 1);
  line->written(1);
  CHECK(!line->has_events());
  CHECK(line->queued(stream) == 0);
}

TEST_CASE("h1 client: what leaves late counts for the stream that queued it") {
  Line line = origin(Cuts::whole());
  StreamId stream = line->open();
  line.send(stream, request("GET", "/", BodyLength::none()));
  const size_t first = line.send(stream, End{});
  line.feed(kOk);  // before the request has left
  stream = line->open();
  size_t drained = 0;
  line.react = [&](const Event& event) {
    CHECK(event.stream == stream);
    if (const auto* some = std::get_if<Drained>(&event.what)) drained += some->bytes;
  };
  const size_t second = line.send(stream, request("POST", "/other", BodyLength::known(1)));
  CHECK(line->take_output().size() == first + second);
  line->written(first);
  line.pull();
  CHECK(drained == 0);
  line->written(second);
  line.pull();
  CHECK(drained == second);
}
