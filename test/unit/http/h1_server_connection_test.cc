// The agent's side: tunnels, draining, time, back-pressure.
#include <doctest/doctest.h>

#include <chrono>
#include <string>
#include <vector>

#include "h1_agent.h"

using namespace sidespan;
using namespace sidespan::http;
using namespace sidespan::http::script;

TEST_CASE("h1 server: CONNECT and Upgrade") {
  struct Row {
    std::string test;
    std::string request;
    std::string told;
    int status;
    std::string answer;
  };
  const std::vector<Row> rows = {
      {"CONNECT", "CONNECT o:1 HTTP/1.1\r\nHost: o:1\r\n\r\n",
       "CONNECT o:1 1.1 [Host: o:1] none upgrade", 200, "HTTP/1.1 200 OK\r\n\r\n"},
      {"CONNECT of 1.0", "CONNECT o:1 HTTP/1.0\r\n\r\n", "CONNECT o:1 1.0 [] none upgrade", 200,
       "HTTP/1.1 200 OK\r\n\r\n"},
      {"CONNECT, close", "CONNECT o:1 HTTP/1.1\r\nHost: o:1\r\nConnection: close\r\n\r\n",
       "CONNECT o:1 1.1 [Host: o:1, Connection: close] none upgrade", 200,
       "HTTP/1.1 200 OK\r\n\r\n"},
      {"Upgrade", "GET / HTTP/1.1\r\nHost: o\r\nUpgrade: a\r\nConnection: upgrade\r\n\r\n",
       "GET / 1.1 [Host: o, Upgrade: a, Connection: upgrade] none upgrade", 101,
       "HTTP/1.1 101 Switching Protocols\r\n\r\n"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.test);
    at_all_cuts([&](Cuts cuts) {
      Line line = agent(cuts);
      line.feed(row.request + "early");
      CHECK(line.events() == "\n1 " + row.told + "\n1 end");
      line.send(1, answer(row.status, BodyLength::none()));
      line->tunnel(1);
      line.pull();
      CHECK(line.output() == row.answer);
      CHECK(line.events() == "\n1 body early");
      line.feed("GET / HTTP/1.1\r\n\r\n");
      CHECK(line.events() == "\n1 body GET / HTTP/1.1\r\n\r\n");
      line.send(1, Body{Chain("HTTP/1.1 200 OK\r\n")});
      CHECK(line.output() == "HTTP/1.1 200 OK\r\n");
      line.send(1, End{});
      CHECK(line->output_ended());
      CHECK_FALSE(line->done());
      line.feed("more");
      line.eof();
      CHECK(line.events() == "\n1 body more\n1 end");
      CHECK(line->done());
      CHECK_FALSE(line->ends_abruptly());
    });
  }
}

TEST_CASE("h1 server: bytes behind a switch that is refused are nobody's request") {
  at_all_cuts([](Cuts cuts) {
    Line line = agent(cuts);
    line.feed("CONNECT o:1 HTTP/1.1\r\nHost: o:1\r\n\r\n" + std::string(kGet));
    line.events();
    // No owner of ours ends a switch without tunnel(); the bytes would be a request all the same.
    line.send(1, answer(200, BodyLength::none()));
    line.send(1, End{});
    CHECK(line.events().empty());
    CHECK(line->done());
  });
  at_all_cuts([](Cuts cuts) {
    Line line = agent(cuts);
    line.feed("CONNECT o:1 HTTP/1.1\r\nHost: o:1\r\n\r\n" + std::string(kGet));
    line.events();
    line.send(1, answer(403, BodyLength::known(0)));
    line.send(1, End{});
    CHECK(line.output() ==
          "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    CHECK(line.events().empty());
    CHECK(line->done());
  });
  at_all_cuts([](Cuts cuts) {
    CAPTURE("without such bytes the connection goes on");
    Line line = agent(cuts);
    line.feed("CONNECT o:1 HTTP/1.1\r\nHost: o:1\r\n\r\n");
    line.send(1, answer(407, BodyLength::known(0)));
    line.send(1, End{});
    line.feed(kGet);
    CHECK(line.events() ==
          "\n1 CONNECT o:1 1.1 [Host: o:1] none upgrade\n1 end\n2" + kToldGet + "\n2 end");
  });
}

TEST_CASE("h1 server: how a tunnel ends") {
  const auto open = [](Cuts cuts) {
    Line line = agent(cuts);
    line.feed("CONNECT o:1 HTTP/1.1\r\nHost: o:1\r\n\r\n");
    line.send(1, answer(200, BodyLength::none()));
    line->tunnel(1);
    line.output();
    line.events();
    return line;
  };
  SUBCASE("the agent first") {
    Line line = open(Cuts::whole());
    line.eof();
    CHECK(line.events() == "\n1 end");
    CHECK_FALSE(line->done());
    line.send(1, Body{Chain("late")});
    line.send(1, End{});
    CHECK(line.output() == "late");
    CHECK(line->done());
  }
  SUBCASE("the agent breaks off") {
    Line line = open(Cuts::whole());
    line.eof(InputEnd::kTruncated);
    CHECK(line.events() == "\n1 reset connection_reset");
  }
  SUBCASE("the origin breaks off") {
    Line line = open(Cuts::whole());
    line.send(1, Reset{});
    CHECK(line->done());
    CHECK(line->ends_abruptly());
    line.feed("more");
    CHECK(line.events().empty());
  }
  SUBCASE("FIN before the tunnel stands") {
    Line line = agent(Cuts::whole());
    line.feed("CONNECT o:1 HTTP/1.1\r\nHost: o:1\r\n\r\nearly");
    line.eof();
    line.send(1, answer(200, BodyLength::none()));
    line.events();
    line->tunnel(1);
    line.pull();
    CHECK(line.events() == "\n1 body early\n1 end");
  }
}

TEST_CASE("h1 server: a tunnel that carries HTTP after all") {
  at_all_cuts([](Cuts cuts) {
    Line line = agent(cuts);
    line.feed("CONNECT o:1 HTTP/1.0\r\n\r\n");
    line.send(1, answer(200, BodyLength::none()));
    line->tunnel(1);
    line.output();
    line.events();
    Chain first;
    line.react = [&](const Event& event) {
      const Body* body = std::get_if<Body>(&event.what);
      if (event.stream != 1 || body == nullptr) return;
      first.append(body->data.share());
      if (first.size() >= 4) line->resume_http(1, std::exchange(first, {}));
    };
    line.feed(std::string(kGet) + std::string(kPost) + "hello");
    line.react = nullptr;
    std::string events = line.events();
    events.erase(0, events.find("\n2"));
    CHECK(events == "\n2" + kToldGet + "\n2 end");
    say_ok(line, 2);
    CHECK(line.events() == "\n3" + kToldPost + "\n3 body hello\n3 end");
    say_ok(line, 3);
    CHECK(line->reusable());
    CHECK(line.output() == std::string(kOk) + std::string(kOk));
  });
  SUBCASE("bytes and FIN that were not told yet") {
    std::unique_ptr<Codec> codec = make_h1_server({});
    codec->feed("CONNECT o:1 HTTP/1.1\r\nHost: o\r\n\r\n", {});
    while (codec->next()) {
    }
    codec->send({1, answer(200, BodyLength::none())});
    codec->tunnel(1);
    codec->feed(" / HTTP/1.1\r\nHost: o\r\n\r\n", {});
    codec->eof(InputEnd::kClean);
    codec->resume_http(1, Chain("GET"));
    Line line(std::move(codec), Cuts::whole());
    line.pull();
    CHECK(line.events() == "\n2" + kToldGet + "\n2 end\n2 half-closed");
  }
}

TEST_CASE("h1 server: draining") {
  SUBCASE("idle") {
    Line line = agent(Cuts::whole());
    line->drain();
    CHECK(line->done());
    line.feed(kGet);
    CHECK(line.events().empty());
  }
  SUBCASE("in a head") {
    Line line = agent(Cuts::every_byte());
    line.feed(kGet.substr(0, 9));
    line->drain();
    CHECK_FALSE(line->done());
    line.feed(kGet.substr(9));
    say_ok(line, 1);
    CHECK(line.output() == kOkClose);
    CHECK(line->done());
  }
  SUBCASE("before the answer, another request behind") {
    Line line = agent(Cuts::whole());
    line.feed(std::string(kGet) + std::string(kGet));
    line->drain();
    say_ok(line, 1);
    CHECK(line.output() == kOkClose);
    CHECK(line.events() == "\n1" + kToldGet + "\n1 end");
    CHECK(line->done());
  }
  SUBCASE("within the answer, too late to say so") {
    Line line = agent(Cuts::whole());
    line.feed(kGet);
    line.send(1, answer(200, BodyLength::known(2)));
    line->drain();
    CHECK_FALSE(line->reusable());
    line.send(1, Body{Chain("ok")});
    line.send(1, End{});
    CHECK(line.output() == kOk);
    CHECK(line->done());
  }
  SUBCASE("within the answer, another request behind: it is the last") {
    Line line = agent(Cuts::whole());
    line.feed(std::string(kGet) + std::string(kGet) + std::string(kGet));
    line.send(1, answer(200, BodyLength::known(2)));
    line->drain();
    line.send(1, Body{Chain("ok")});
    line.send(1, End{});
    say_ok(line, 2);
    CHECK(line.output() == std::string(kOk) + std::string(kOkClose));
    CHECK(line->done());
  }
}

TEST_CASE("h1 server: the time for a head") {
  using std::chrono::seconds;
  const MonoTime start = MonoTime{} + seconds(1000);
  Line line = agent(Cuts::every_byte());
  line.now = start;
  CHECK_FALSE(line->deadline().has_value());
  line.feed("\r\n");
  CHECK_FALSE(line->deadline().has_value());
  line.feed("G");
  CHECK(line->deadline() == start + seconds(10));
  line.now = start + seconds(9);
  line.feed("ET / HTTP/1.1\r\n");
  CHECK(line->deadline() == start + seconds(10));
  line->on_time(start + seconds(9));
  CHECK_FALSE(line->has_events());

  SUBCASE("enough") {
    line.feed("Host: o\r\n\r\n");
    CHECK_FALSE(line->deadline().has_value());
    line->on_time(start + seconds(11));
    line.pull();
    CHECK(line.events() == "\n1" + kToldGet + "\n1 end");
  }
  SUBCASE("not enough") {
    line->on_time(start + seconds(10));
    line.pull();
    CHECK(line.events() == "\n1 reset timeout");
    CHECK_FALSE(line->deadline().has_value());
    line.feed("Host: o\r\n\r\n");
    CHECK(line.events().empty());
    line.send(1, answer(408, BodyLength::known(0)));
    line.send(1, End{});
    CHECK(line.output() ==
          "HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    CHECK(line->done());
  }
  SUBCASE("a pipelined head has time from its first bytes after the answer") {
    line.feed("Host: o\r\n\r\nGET / HT");
    line.now = start + seconds(100);
    say_ok(line, 1);
    CHECK_FALSE(line->deadline().has_value());
    line.feed("T");
    CHECK(line->deadline() == start + seconds(110));
  }
}

TEST_CASE("h1 server: what waits is within the window, however much comes at once") {
  constexpr size_t kWindow = size_t{64} * 1024;
  for (const size_t window : {size_t{10}, kWindow}) {
    CodecLimits limits;
    limits.window_bytes = window;
    Line line = agent(Cuts::whole(), limits);
    line.consume = false;
    CHECK(line->room() == kWindow);
    line.feed("CONNECT o:1 HTTP/1.1\r\nHost: o:1\r\n\r\n123456789");
    CHECK(line->wants_input());
    CHECK(line->room() == kWindow - 9);
    line.feed(std::string(kWindow - 9, 'x'));
    CHECK_FALSE(line->wants_input());
    CHECK(line->room() == 0);
    line.events();
    line.send(1, answer(200, BodyLength::none()));
    line->tunnel(1);
    CHECK_FALSE(line->wants_input());
    CHECK(line->room() == 0);
    line->consumed(1, kWindow - 4);
    CHECK(line->wants_input());
    CHECK(line->room() == kWindow - 4);
  }
}

TEST_CASE("h1 server: back-pressure") {
  CodecLimits limits;
  limits.window_bytes = 10;
  at_all_cuts([&](Cuts cuts) {
    Line line = agent(cuts, limits);
    line.consume = false;
    line.feed("POST / HTTP/1.1\r\nHost: o\r\nContent-Length: 20\r\n\r\n123456789");
    CHECK(line->wants_input());
    line.feed("0");
    CHECK_FALSE(line->wants_input());
    line->consumed(1, 1);
    CHECK(line->wants_input());
    line.feed("1234567890");  // what had been read already is taken all the same
    CHECK_FALSE(line->wants_input());
    line->consumed(2, 100);  // another stream's
    CHECK_FALSE(line->wants_input());
    line->consumed(1, 10);
    CHECK(line->wants_input());
    line.feed(kGet);
    CHECK_FALSE(line->wants_input());  // pipelined bytes wait
    line.events();
    say_ok(line, 1);
    CHECK_FALSE(line->wants_input());  // so they do while the answer before has not left
    CHECK(line.events().empty());
    line.output();
    CHECK(line->wants_input());
    CHECK(line.events().contains("\n2 GET / "));
  });
}

TEST_CASE("h1 server: a drain between an early answer and its request's end") {
  at_all_cuts([&](Cuts cuts) {
    Line line = agent(cuts);
    line.feed("POST / HTTP/1.1\r\nHost: o\r\nContent-Length: 5\r\n\r\n12");
    say_ok(line, 1);
    line.output();
    line->drain();
    CHECK_FALSE(line->output_ended());
    line.feed("345");
    CHECK(line->output_ended());
    CHECK(line->done());
  });
}

TEST_CASE("h1 server: pipelined requests wait for a peer that does not read") {
  CodecLimits limits;
  limits.window_bytes = 1000;
  Line line = agent(Cuts::whole(), limits);
  std::string requests;
  for (int i = 0; i < 200; ++i) requests += kGet;
  size_t answered = 0;
  const auto answer_all = [&] {
    const size_t before = answered;
    for (std::string events = line.events(); !events.empty(); events = line.events()) {
      say_ok(line, static_cast<StreamId>(++answered));
    }
    return answered - before;
  };
  line.feed(requests);
  const size_t first = answer_all();
  CHECK(first > 0);
  CHECK(first < 50);
  CHECK_FALSE(line->wants_input());
  line->eof(InputEnd::kClean);  // what came before it is still answered
  CHECK(answer_all() == 0);
  while (answered < 200 && !line.output().empty()) answer_all();
  CHECK(answered == 200);
  CHECK(line->done());
}

TEST_CASE("h1 server: Drained adds up") {
  Line line = agent(Cuts::whole());
  size_t drained = 0;
  line.react = [&](const Event& event) {
    if (const auto* some = std::get_if<Drained>(&event.what)) {
      CHECK(event.stream == 2);
      drained += some->bytes;
    }
  };
  line.feed(std::string(kGet) + std::string(kGet));
  say_ok(line, 1);
  // The first answer has not left; the second's bytes are behind it.
  size_t queued = line.send(2, answer(200, BodyLength::unknown()));
  const size_t head = queued;
  queued = line.send(2, Body{Chain("hello")});
  CHECK(queued > head);
  const Chain bytes = line->take_output();
  CHECK(bytes.size() == kOk.size() + queued);
  line->written(kOk.size() - 1);
  line.pull();
  CHECK(drained == 0);
  line->written(1);
  line.pull();
  CHECK(drained == 0);
  line->written(head);
  line->written(3);
  line.pull();
  CHECK(drained == head + 3);
  CHECK(line.send(2, Body{}) == queued - head - 3);
  CHECK(line.send(1, Body{Chain("x")}) == 0);
  line->written(queued - head - 3);
  line.pull();
  CHECK(drained == queued);
}
