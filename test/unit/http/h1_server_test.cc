// The agent's side: what is read and when, what is written, and which connections go on.
#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "h1_agent.h"
#include "support/h2_frames.h"

using namespace sidespan;
using namespace sidespan::http;
using namespace sidespan::http::script;

TEST_CASE("h1 server: which connections go on") {
  struct Row {
    std::string test;
    std::string request;     // its line and fields
    std::string connection;  // of the answer
    bool goes_on;
  };
  const std::vector<Row> rows = {
      {"1.1", "GET / HTTP/1.1\r\nHost: o\r\n", "", true},
      {"1.1, close", "GET / HTTP/1.1\r\nHost: o\r\nConnection: close\r\n", "close", false},
      {"1.1, close in a list", "GET / HTTP/1.1\r\nHost: o\r\nConnection: a, CLOSE\r\n", "close",
       false},
      {"1.1, close on a second line",
       "GET / HTTP/1.1\r\nHost: o\r\nConnection: a\r\nConnection: close\r\n", "close", false},
      {"1.1, keep-alive", "GET / HTTP/1.1\r\nHost: o\r\nConnection: keep-alive\r\n", "", true},
      {"1.1, closer", "GET / HTTP/1.1\r\nHost: o\r\nConnection: closer\r\n", "", true},
      {"1.0", "GET / HTTP/1.0\r\n", "close", false},
      {"1.0, keep-alive", "GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n", "keep-alive", true},
      {"1.0, both", "GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n", "close", false},
      {"1.0, the proxy's", "GET / HTTP/1.0\r\nProxy-Connection: keep-alive\r\n", "close", false},
  };
  for (const Row& row : rows) {
    CAPTURE(row.test);
    at_all_cuts([&](Cuts cuts) {
      Line line = agent(cuts);
      line.react = [&line](const Event& event) {
        if (std::holds_alternative<End>(event.what)) say_ok(line, event.stream);
      };
      line.feed(row.request + "\r\n" + std::string(kGet));
      const std::string connection =
          row.connection.empty() ? "" : "Connection: " + row.connection + "\r\n";
      const std::string first = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n" + connection + "\r\nok";
      CHECK(line.output() == first + (row.goes_on ? std::string(kOk) : ""));
      CHECK(line->reusable() == row.goes_on);
      CHECK(line->output_ended() != row.goes_on);
      CHECK(line->done() != row.goes_on);
      CHECK(line->streams() == (row.goes_on ? 0 : 1));
    });
  }
}

TEST_CASE("h1 server: HTTP/2's preface and what follows wait for the successor, in any pieces") {
  at_all_cuts([](Cuts cuts) {
    Line line = agent(cuts);
    line.feed(h2::client_start() + h2::get(1));
    CHECK(line.events().empty());
    CHECK(line.output().empty());
    const auto successor = line->successor(line.now);
    REQUIRE(successor);
    CHECK(successor->streams() == 1);
  });
}

TEST_CASE("h1 server: how an answer is framed") {
  struct Row {
    std::string test;
    std::string method;
    int minor;
    int status;
    BodyLength body;
    std::string written;  // after the status line
  };
  const BodyLength five = BodyLength::known(5);
  const std::vector<Row> rows = {
      {"known", "GET", 1, 200, five, "Content-Length: 5\r\n\r\nhello"},
      {"unknown", "GET", 1, 200, BodyLength::unknown(),
       "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX: y\r\n\r\n"},
      {"unknown, to 1.0", "GET", 0, 200, BodyLength::unknown(), "Connection: close\r\n\r\nhello"},
      {"known, to 1.0", "GET", 0, 200, five,
       "Content-Length: 5\r\nConnection: keep-alive\r\n\r\nhello"},
      {"none", "GET", 1, 200, BodyLength::none(), "Content-Length: 0\r\n\r\n"},
      {"to HEAD, known", "HEAD", 1, 200, five, "\r\n"},
      {"to HEAD, unknown", "HEAD", 1, 200, BodyLength::unknown(), "\r\n"},
      {"to HEAD of 1.0, unknown", "HEAD", 0, 200, BodyLength::unknown(),
       "Connection: keep-alive\r\n\r\n"},
      {"204", "GET", 1, 204, BodyLength::none(), "\r\n"},
      {"204 with a body", "GET", 1, 204, five, "\r\n"},
      {"304", "GET", 1, 304, BodyLength::none(), "\r\n"},
      {"CONNECT refused", "CONNECT", 1, 403, five, "Content-Length: 5\r\n\r\nhello"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.test);
    Line line = agent(Cuts::whole());
    line.feed(row.method + (row.method == "CONNECT" ? " o:1" : " /") + " HTTP/1." +
              std::to_string(row.minor) + "\r\nHost: o\r\nConnection: keep-alive\r\n\r\n");
    line.send(1, answer(row.status, row.body));
    if (row.body != BodyLength::none()) line.send(1, Body{Chain("hello")});
    line.send(1, Trailers{script::fields_of({{"X", "y"}})});
    line.send(1, End{});
    const std::string out = line.output();
    CHECK(out.substr(out.find("\r\n") + 2) == row.written);
    const bool until_close = row.minor == 0 && row.body == BodyLength::unknown();
    CHECK(line->reusable() == (!until_close || row.method == "HEAD"));
    CHECK_FALSE(line->ends_abruptly());
  }
}

TEST_CASE("h1 server: pipelined requests wait for their turn") {
  at_all_cuts([](Cuts cuts) {
    Line line = agent(cuts);
    line.feed(std::string(kGet) + std::string(kPost) + "hello" + std::string(kGet));
    CHECK(line.events() == "\n1" + kToldGet + "\n1 end");
    say_ok(line, 1);
    CHECK(line.events() == "\n2" + kToldPost + "\n2 body hello\n2 end");
    say_ok(line, 2);
    CHECK(line.events() == "\n3" + kToldGet + "\n3 end");
    say_ok(line, 3);
    CHECK(line.events().empty());
    CHECK(line->reusable());
    CHECK(line->streams() == 0);
    CHECK(line.output() == std::string(kOk) + std::string(kOk) + std::string(kOk));
    line.eof();
    CHECK(line->done());
  });
}

TEST_CASE("h1 server: who always has a request behind the one under way is not kept for ever") {
  Line line = agent(Cuts::whole());
  const std::string one = "GET /" + std::string(3000, 'x') + " HTTP/1.1\r\nHost: o\r\n\r\n";
  line.feed(one + one);
  for (StreamId id = 1; id < 1000; ++id) {
    say_ok(line, id);
    line.feed(one);
    line.events();
    line.output();
    CHECK(line->memory_bytes() < 8 * one.size());
  }
}

TEST_CASE("h1 server: trailers are no longer kept than they take to be written") {
  Line line = agent(Cuts::whole());
  line.feed(kGet);
  const size_t idle = line->memory_bytes();
  for (const BodyLength length : {BodyLength::unknown(), BodyLength::known(2)}) {
    const StreamId id = line->streams() == 1 ? 1 : 2;
    if (id == 2) line.feed(kGet);
    line.send(id, answer(200, length));
    line.send(id, Body{Chain("ok")});
    line.send(id, Trailers{script::fields_of({{"X", std::string(10'000, 'y')}})});
    line.send(id, End{});
    line.output();
    CHECK(line->memory_bytes() <= idle);
  }
}

TEST_CASE("h1 server: pipelined requests and FIN behind them are all answered") {
  at_all_cuts([](Cuts cuts) {
    Line line = agent(cuts);
    line.feed(std::string(kGet) + std::string(kGet) + std::string(kGet));
    line.eof();
    CHECK(line.events() == "\n1" + kToldGet + "\n1 end");
    say_ok(line, 1);
    CHECK(line.events() == "\n2" + kToldGet + "\n2 end");
    CHECK(line->reusable());
    say_ok(line, 2);
    CHECK(line.events() == "\n3" + kToldGet + "\n3 end\n3 half-closed");
    CHECK_FALSE(line->reusable());
    CHECK_FALSE(line->done());
    say_ok(line, 3);
    CHECK(line->done());
    CHECK(line.output() == std::string(kOk) + std::string(kOk) + std::string(kOk));
  });
}

TEST_CASE("h1 server: FIN in every state") {
  struct Row {
    std::string test;
    std::string bytes;
    std::string events;
    bool done;  // at once
  };
  const std::string get(kGet);
  const std::vector<Row> rows = {
      {"idle", "", "", true},
      {"after an empty line", "\r\n", "", true},
      {"in a method", "GE", "", true},
      {"in a head", "GET / HTTP/1.1\r\nHos", "", true},
      {"in a body", std::string(kPost) + "he", "\n1" + kToldPost + "\n1 body he\n1 reset truncated",
       false},
      {"before a body", std::string(kPost), "\n1" + kToldPost + "\n1 reset truncated", false},
      {"in a chunk", "POST / HTTP/1.1\r\nHost: o\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhe",
       "\n1 POST / 1.1 [Host: o, Transfer-Encoding: chunked] unknown\n1 body he\n1 reset truncated",
       false},
      {"after a request", get, "\n1" + kToldGet + "\n1 end\n1 half-closed", false},
      {"in a pipelined head", get + "GET", "\n1" + kToldGet + "\n1 end", false},
      {"after a bad head", "GET\r\n", "\n1 reset malformed", false},
      {"after a request that closes", "GET / HTTP/1.0\r\n\r\n",
       "\n1 GET / 1.0 [] none\n1 end\n1 half-closed", false},
  };
  for (const Row& row : rows) {
    CAPTURE(row.test);
    at_all_cuts([&](Cuts cuts) {
      for (const InputEnd how : {InputEnd::kClean, InputEnd::kTruncated}) {
        Line line = agent(cuts);
        line.feed(row.bytes);
        line.eof(how);
        line.eof(how);
        CHECK(line.events() == row.events);
        CHECK(line->done() == row.done);
        CHECK_FALSE(line->wants_input());
        CHECK_FALSE(line->deadline().has_value());
        if (row.done) continue;
        // An answer is possible in all of these, and is the last one.
        say_ok(line, 1);
        CHECK(line.output().ends_with("ok"));
        CHECK(line->done());
        CHECK(line.events().empty());
      }
    });
  }
}

TEST_CASE("h1 server: an early answer") {
  at_all_cuts([](Cuts cuts) {
    CAPTURE("the rest of the request is read, then the next");
    Line line = agent(cuts);
    line.feed(std::string(kPost) + "he");
    say_ok(line, 1);
    CHECK(line.output() == kOk);
    CHECK(line.events() == "\n1" + kToldPost + "\n1 body he");
    line.feed("llo" + std::string(kGet));
    CHECK(line.events() == "\n1 body llo\n1 end\n2" + kToldGet + "\n2 end");
    CHECK(line->reusable());
  });
  at_all_cuts([](Cuts cuts) {
    CAPTURE("with Connection: close nothing more is read");
    Line line = agent(cuts);
    line.feed(std::string(kPost) + "he");
    line.send(1, answer(413, BodyLength::known(2), {{"Connection", "close"}}));
    line.send(1, Body{Chain("no")});
    line.send(1, End{});
    CHECK(line.output() ==
          "HTTP/1.1 413 Content Too Large\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno");
    CHECK(line->done());
    line.events();
    line.feed("llo" + std::string(kGet));
    line.eof();
    CHECK(line.events().empty());
  });
  at_all_cuts([](Cuts cuts) {
    CAPTURE("a request that goes wrong after its answer ends the connection");
    Line line = agent(cuts);
    line.feed("POST / HTTP/1.1\r\nHost: o\r\nTransfer-Encoding: chunked\r\n\r\n");
    say_ok(line, 1);
    CHECK(line->reusable());
    CHECK_FALSE(line->done());
    line.events();
    line.feed("x\r\n");
    CHECK(line.events() == "\n1 reset malformed");
    CHECK(line.output() == kOk);
    CHECK(line->done());
    CHECK_FALSE(line->ends_abruptly());
  });
  at_all_cuts([](Cuts cuts) {
    CAPTURE("so does one that breaks off");
    Line line = agent(cuts);
    line.feed(std::string(kPost) + "he");
    say_ok(line, 1);
    line.events();
    line.eof();
    CHECK(line.events() == "\n1 reset truncated");
    CHECK(line->done());
  });
}

TEST_CASE("h1 server: Expect: 100-continue") {
  const std::string head =
      "POST / HTTP/1.1\r\nHost: o\r\nExpect: 100-Continue\r\nContent-Length: 5\r\n\r\n";
  at_all_cuts([&](Cuts cuts) {
    CAPTURE("100 first");
    Line line = agent(cuts);
    line.feed(head);
    line.send(1, Interim{answer(100, BodyLength::none())});
    CHECK(line.output() == "HTTP/1.1 100 Continue\r\n\r\n");
    say_ok(line, 1);  // still early, but the agent knows that it may send
    CHECK(line.output() == kOk);
    line.feed("hello");
    CHECK(line->reusable());
  });
  at_all_cuts([&](Cuts cuts) {
    CAPTURE("an answer without 100 closes");
    Line line = agent(cuts);
    line.feed(head);
    line.send(1, Interim{answer(103, BodyLength::none())});
    say_ok(line, 1);
    CHECK(line.output() == "HTTP/1.1 103 Early Hints\r\n\r\n" + std::string(kOkClose));
    CHECK(line->done());
  });
  at_all_cuts([&](Cuts cuts) {
    CAPTURE("an agent that did not wait");
    Line line = agent(cuts);
    line.feed(head + "hello");
    say_ok(line, 1);
    CHECK(line.output() == kOk);
    CHECK(line->reusable());
  });
}

TEST_CASE("h1 server: interim answers") {
  const auto early_hints = [] {
    return Interim{answer(103, BodyLength::none(), {{"Link", "a"}, {"Content-Length", "3"}})};
  };
  Line line = agent(Cuts::whole());
  line.feed(kGet);
  line.send(1, early_hints());
  line.send(1, early_hints());
  say_ok(line, 1);
  const std::string hints = "HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n";
  CHECK(line.output() == hints + hints + std::string(kOk));

  Line old = agent(Cuts::whole());
  old.feed("GET / HTTP/1.0\r\n\r\n");
  old.send(1, early_hints());
  say_ok(old, 1);
  CHECK(old.output() == kOkClose);
}

TEST_CASE("h1 server: answers to refused requests") {
  struct Row {
    std::string test;
    std::string bytes;
    std::string error;
  };
  const std::vector<Row> rows = {
      {"malformed", "GET / HTTP/1.1\r\n\r\n", "malformed"},
      {"unknown method", "BREW / HTTP/1.1\r\nHost: o\r\n\r\n", "unsupported"},
      {"target too long", "GET /" + std::string(16384, 'a') + " HTTP/1.1\r\n", "target_too_long"},
      {"head too large", "GET / HTTP/1.1\r\nA: " + std::string(65536, 'a'), "head_too_large"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.test);
    // A HEAD request went before; what it said of its own answer is over.
    Line line = agent(Cuts::random(7));
    line.feed("HEAD / HTTP/1.1\r\nHost: o\r\n\r\n");
    line.send(1, answer(200, BodyLength::known(2)));
    line.send(1, End{});
    line.output();
    line.events();
    line.feed(row.bytes + std::string(kGet));
    CHECK(line.events() == "\n2 reset " + row.error);
    CHECK_FALSE(line->wants_input());
    CHECK_FALSE(line->done());
    say_ok(line, 2);
    CHECK(line.output() == kOkClose);
    CHECK(line->done());
    CHECK_FALSE(line->ends_abruptly());
  }
}

TEST_CASE("h1 server: a Reset of the answer") {
  struct Row {
    std::string test;
    std::string request;
    std::optional<BodyLength> body;  // of the answer's head; nothing: no head was sent
    bool abrupt;
  };
  const std::string get(kGet);
  const std::vector<Row> rows = {
      {"before its head", get, std::nullopt, false},
      {"in a known length", get, BodyLength::known(5), false},
      {"in chunks", get, BodyLength::unknown(), false},
      {"until close", "GET / HTTP/1.0\r\n\r\n", BodyLength::unknown(), true},
  };
  for (const Row& row : rows) {
    CAPTURE(row.test);
    Line line = agent(Cuts::whole());
    line.feed(row.request);
    if (row.body) line.send(1, answer(200, *row.body));
    if (row.body) line.send(1, Body{Chain("he")});
    line.send(1, Reset{});
    line.send(1, Body{Chain("llo")});
    line.send(1, End{});
    CHECK(line->output_ended());
    CHECK(line->done());
    CHECK(line->ends_abruptly() == row.abrupt);
    CHECK(line.output().find("llo") == std::string::npos);
  }
}

TEST_CASE("h1 server: an answer shorter than it said ends the connection") {
  Line line = agent(Cuts::whole());
  line.feed(kGet);
  line.send(1, answer(200, BodyLength::known(5)));
  line.send(1, Body{Chain("he")});
  line.send(1, End{});
  CHECK(line->done());
  CHECK_FALSE(line->reusable());
}
