// The agent's side of HTTP/2, frame by frame: what requests become, what answers look like, and
// where a peer's patience with us, or ours with it, ends.
#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "sidespan/http/h2_codec.h"
#include "support/h2_frames.h"
#include "support/http_script.h"

using namespace sidespan;
using namespace sidespan::http;
using script::at_all_cuts;
using script::Cuts;
using script::Line;

namespace {

Line agent(Cuts cuts = Cuts::whole(), const CodecLimits& limits = {}) {
  return Line(make_h2_server(limits), cuts);
}

constexpr std::string_view kMethod = ":method";
constexpr std::string_view kScheme = ":scheme";
constexpr std::string_view kAuthority = ":authority";
constexpr std::string_view kPath = ":path";

}  // namespace

TEST_CASE("h2 server: what requests become") {
  struct Row {
    std::string test;
    std::string frames;
    std::string told;
  };
  const std::vector<Row> rows = {
      {"GET", h2::get(1, "/a?b"), "\n1 GET http://o/a?b 1.1 [Host: o] none\n1 end"},
      {"https and a port",
       h2::headers(1, {{kMethod, "GET"}, {kScheme, "https"}, {kAuthority, "o:8443"}, {kPath, "/"}}),
       "\n1 GET https://o:8443/ 1.1 [Host: o:8443] none\n1 end"},
      {"Host in the place of :authority",
       h2::headers(1, {{kMethod, "GET"}, {kScheme, "http"}, {kPath, "/"}, {"host", "o"}}),
       "\n1 GET http://o/ 1.1 [host: o] none\n1 end"},
      {"both, the same",
       h2::headers(
           1,
           {{kMethod, "GET"}, {kScheme, "http"}, {kAuthority, "o"}, {kPath, "/"}, {"host", "O"}}),
       "\n1 GET http://o/ 1.1 [Host: o] none\n1 end"},
      {"both, one with the scheme's own port",
       h2::headers(1, {{kMethod, "GET"},
                       {kScheme, "http"},
                       {kAuthority, "o"},
                       {kPath, "/"},
                       {"host", "o:80"}}),
       "\n1 GET http://o/ 1.1 [Host: o] none\n1 end"},
      {"both, one with the root's dot",
       h2::headers(1, {{kMethod, "GET"},
                       {kScheme, "https"},
                       {kAuthority, "o.:443"},
                       {kPath, "/"},
                       {"host", "O"}}),
       "\n1 GET https://o.:443/ 1.1 [Host: o.:443] none\n1 end"},
      {"OPTIONS *",
       h2::headers(1, {{kMethod, "OPTIONS"}, {kScheme, "http"}, {kAuthority, "o"}, {kPath, "*"}}),
       "\n1 OPTIONS http://o 1.1 [Host: o] none\n1 end"},
      {"crumbs of a cookie are one",
       h2::headers(1, {{kMethod, "GET"},
                       {kScheme, "http"},
                       {kAuthority, "o"},
                       {kPath, "/"},
                       {"cookie", "a=1"},
                       {"x", "y"},
                       {"cookie", "b=2"}}),
       "\n1 GET http://o/ 1.1 [Host: o, x: y, cookie: a=1; b=2] none\n1 end"},
      {"a body of a known length, and trailers",
       h2::headers(1,
                   {{kMethod, "POST"},
                    {kScheme, "http"},
                    {kAuthority, "o"},
                    {kPath, "/"},
                    {"content-length", "4"}},
                   false) +
           h2::frame(h2::kData, 0, 1, "bo") + h2::frame(h2::kData, 0, 1, "dy") +
           h2::headers(1, {{"grpc-status", "0"}}),
       "\n1 POST http://o/ 1.1 [Host: o, content-length: 4] 4\n1 body body"
       "\n1 trailers [grpc-status: 0]\n1 end"},
      {"a body of an unknown one",
       h2::headers(1, {{kMethod, "POST"}, {kScheme, "http"}, {kAuthority, "o"}, {kPath, "/"}},
                   false) +
           h2::frame(h2::kData, h2::kEndStream, 1, "body"),
       "\n1 POST http://o/ 1.1 [Host: o] unknown\n1 body body\n1 end"},
      {"no body, where one is expected",
       h2::headers(1, {{kMethod, "POST"}, {kScheme, "http"}, {kAuthority, "o"}, {kPath, "/"}}),
       "\n1 POST http://o/ 1.1 [Host: o] 0\n1 end"},
      {"CONNECT", h2::headers(1, {{kMethod, "CONNECT"}, {kAuthority, "o:443"}}, false),
       "\n1 CONNECT o:443 1.1 [Host: o:443] none upgrade"},
      {"two at a time", h2::get(1) + h2::get(3, "/3"),
       "\n1 GET http://o/ 1.1 [Host: o] none\n1 end\n3 GET http://o/3 1.1 [Host: o] none\n3 end"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.test);
    at_all_cuts([&](Cuts cuts) {
      Line line = agent(cuts);
      line.feed(h2::client_start() + row.frames);
      CHECK(line.events() == row.told);
      CHECK(line->reusable());
    });
  }
}

TEST_CASE("h2 server: requests that are none") {
  struct Row {
    std::string test;
    h2::Fields fields;
    std::string told;  // before anything is written; empty: it is reset then
  };
  const std::vector<Row> rows = {
      {"Host says something else",
       {{kMethod, "GET"}, {kScheme, "http"}, {kAuthority, "o"}, {kPath, "/"}, {"host", "p"}},
       "\n1 reset malformed"},
      {"Host says another port",
       {{kMethod, "GET"}, {kScheme, "https"}, {kAuthority, "o"}, {kPath, "/"}, {"host", "o:80"}},
       "\n1 reset malformed"},
      {"Host is no host",
       {{kMethod, "GET"}, {kScheme, "http"}, {kAuthority, "o"}, {kPath, "/"}, {"host", "o:x"}},
       "\n1 reset malformed"},
      {"no authority", {{kMethod, "GET"}, {kScheme, "http"}, {kPath, "/"}}, ""},
      {"userinfo",
       {{kMethod, "GET"}, {kScheme, "http"}, {kAuthority, "u@o"}, {kPath, "/"}},
       "\n1 reset malformed"},
      {"a fragment",
       {{kMethod, "GET"}, {kScheme, "http"}, {kAuthority, "o"}, {kPath, "/a#b"}},
       "\n1 reset malformed"},
      {"no path", {{kMethod, "GET"}, {kScheme, "http"}, {kAuthority, "o"}, {kPath, "a"}}, ""},
      {"another scheme",
       {{kMethod, "GET"}, {kScheme, "ftp"}, {kAuthority, "o"}, {kPath, "/"}},
       "\n1 reset unsupported"},
      {"a method of nobody's",
       {{kMethod, "get"}, {kScheme, "http"}, {kAuthority, "o"}, {kPath, "/"}},
       "\n1 reset unsupported"},
      {"CONNECT without a port", {{kMethod, "CONNECT"}, {kAuthority, "o"}}, "\n1 reset malformed"},
      {"a field of the connection's",
       {{kMethod, "GET"}, {kScheme, "http"}, {kAuthority, "o"}, {kPath, "/"}, {"connection", "x"}},
       ""},
      {"chunks",
       {{kMethod, "GET"},
        {kScheme, "http"},
        {kAuthority, "o"},
        {kPath, "/"},
        {"transfer-encoding", "chunked"}},
       ""},
      {"TE that is not trailers",
       {{kMethod, "GET"}, {kScheme, "http"}, {kAuthority, "o"}, {kPath, "/"}, {"te", "gzip"}},
       ""},
      {"capitals",
       {{kMethod, "GET"}, {kScheme, "http"}, {kAuthority, "o"}, {kPath, "/"}, {"X-A", "b"}},
       ""},
      {"a line end in a value",
       {{kMethod, "GET"}, {kScheme, "http"}, {kAuthority, "o"}, {kPath, "/"}, {"x", "a\r\nb: c"}},
       ""},
      {"a pseudo-header field that comes late",
       {{kMethod, "GET"}, {kScheme, "http"}, {"x", "y"}, {kAuthority, "o"}, {kPath, "/"}},
       ""},
      {"two methods",
       {{kMethod, "GET"}, {kMethod, "GET"}, {kScheme, "http"}, {kAuthority, "o"}, {kPath, "/"}},
       ""},
      {"a status", {{":status", "200"}}, ""},
  };
  for (const Row& row : rows) {
    CAPTURE(row.test);
    Line line = agent();
    line.feed(h2::client_start() + h2::headers(1, row.fields, false));
    CHECK(line.events() == row.told);
    const std::string out = h2::show(line.output());
    // nghttp2 judged it, or it is ours to answer.
    CHECK(out == (row.told.empty() ? "rst 1 code 1" : ""));
    CHECK(line.events() == (row.told.empty() ? "\n1 reset malformed" : ""));
    line.feed(h2::get(3));
    CHECK(line.events() == "\n3 GET http://o/ 1.1 [Host: o] none\n3 end");
  }
}

TEST_CASE("h2 server: a refused request is answered, and its rest is not wanted") {
  Line line = agent(Cuts::whole(), {.fields_max = 5});
  line.feed(h2::client_start() + h2::headers(1,
                                             {{kMethod, "POST"},
                                              {kScheme, "http"},
                                              {kAuthority, "o"},
                                              {kPath, "/"},
                                              {"a", "b"},
                                              {"c", "d"}},
                                             false));
  CHECK(line.events() == "\n1 reset head_too_large");
  line.send(1, script::answer(431, BodyLength::known(2), {{"Connection", "close"}}));
  line.send(1, Body{Chain("no")});
  line.send(1, End{});
  CHECK(h2::show(line.output()) == "headers 1, data 1 +end, rst 1 code 0");
  CHECK(line->streams() == 0);
}

TEST_CASE("h2 server: crumbs of a cookie are one when fields are counted, and each has its bytes") {
  const auto asks = [](size_t crumbs, std::string_view crumb) {
    h2::Fields fields = {{kMethod, "GET"}, {kScheme, "http"}, {kAuthority, "o"}, {kPath, "/"}};
    fields.insert(fields.end(), crumbs, {"cookie", crumb});
    Line line = agent(Cuts::whole(), {.head_bytes_max = 1024, .fields_max = 5});
    line.feed(h2::client_start() + h2::headers(1, fields));
    return line.events();
  };
  CHECK(asks(100, "a=1").starts_with("\n1 GET http://o/ 1.1 [Host: o, cookie: a=1; a=1; "));
  CHECK(asks(300, "a=1") == "\n1 reset head_too_large");
  CHECK(asks(2, std::string(500, 'a')) == "\n1 reset head_too_large");
}

TEST_CASE("h2 server: answers") {
  struct Row {
    std::string test;
    std::string method;
    Head head;
    std::string frames;
  };
  const std::vector<Row> rows = {
      {"with a body", "GET", script::answer(200, BodyLength::known(4)),
       "headers 1, data 1, data 1 +end"},
      {"without", "GET", script::answer(200, BodyLength::none()), "headers 1 +end"},
      {"to HEAD", "HEAD", script::answer(200, BodyLength::known(4)), "headers 1 +end"},
      {"304", "GET", script::answer(304, BodyLength::known(4)), "headers 1 +end"},
      {"204", "GET", script::answer(204, BodyLength::none()), "headers 1 +end"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.test);
    Line line = agent();
    line.feed(h2::client_start() +
              h2::headers(
                  1, {{kMethod, row.method}, {kScheme, "http"}, {kAuthority, "o"}, {kPath, "/"}}));
    line.send(1, row.head);
    line.send(1, Body{Chain("bo")});
    std::string out = line.output();
    line.send(1, Body{Chain("dy")});
    line.send(1, End{});
    out += line.output();
    CHECK(h2::show(out) == row.frames);
    CHECK(line->streams() == 0);
    CHECK(line->queued(1) == 0);
  }
}

TEST_CASE("h2 server: what could leave at once, by the window of the stream") {
  Line line = agent();
  line.feed(h2::client_start() + h2::get(1) + h2::get(3));
  line.output();
  CHECK(line->sendable(1) == 65'535);
  CHECK(line->sendable(5) == 0);
  line.send(1, script::answer(200, BodyLength::unknown()));
  line.send(1, Body{Chain(std::string(30'000, 'x'))});
  CHECK(line->sendable(1) == 35'535);
  line.output();
  CHECK(line->sendable(1) == 35'535);
  line.send(1, Body{Chain(std::string(36'000, 'x'))});
  line.output();
  CHECK(line->queued(1) == 465);
  CHECK(line->sendable(1) == 0);
  CHECK(line->sendable(3) == 65'535);
  line.feed(h2::window_update(0, 1000) + h2::window_update(1, 1000));
  line.output();
  CHECK(line->queued(1) == 0);
  CHECK(line->sendable(1) == 535);
  line.feed(h2::frame(h2::kSettings, 0, 0, h2::number(4, 2) + h2::number(0, 4)));
  CHECK(line->sendable(1) == 0);  // its window is less than nothing
  CHECK(line->sendable(3) == 0);
}

TEST_CASE("h2 server: what could leave at once, by what waits for the socket") {
  Line line = agent(Cuts::whole(), {.window_bytes = 1000});
  line.feed(h2::client_start() + h2::get(1) + h2::get(3) + h2::get(5));
  line.output();
  CHECK(line->sendable(1) == 8000);
  line.send(1, script::answer(200, BodyLength::unknown()));
  line.send(1, Body{Chain(std::string(5000, 'x'))});
  CHECK(line->sendable(3) == 3000);
  const Chain taken = line->take_output();
  CHECK(line->sendable(3) < 3000);
  CHECK(line->sendable(3) > 2900);
  line.send(3, script::answer(200, BodyLength::unknown()));
  line.send(3, Body{Chain(std::string(5000, 'x'))});
  CHECK(line->sendable(3) == 0);
  line.feed(h2::frame(h2::kRstStream, 0, 3, h2::number(8, 4)));
  CHECK(line->sendable(5) > 2900);
  line->written(taken.size());
  CHECK(line->sendable(5) == 8000);
}

TEST_CASE("h2 server: what is consumed opens the window, and nothing else") {
  Line line = agent(Cuts::whole(), {.stream_window_bytes = 20'000});
  line.consume = false;
  line.feed(h2::client_start() +
            h2::headers(1, {{kMethod, "POST"}, {kScheme, "http"}, {kAuthority, "o"}, {kPath, "/"}},
                        false));
  line.output();
  line.feed(h2::frame(h2::kSettings, h2::kAck, 0));
  line.feed(h2::frame(h2::kData, 0, 1, std::string(15'000, 'x')));
  CHECK(h2::show(line.output()).empty());
  line->consumed(1, 15'000);
  CHECK(h2::show(line.output()) == "window 1");
  line.events();
  line.feed(h2::frame(h2::kData, 0, 1, std::string(15'000, 'x')));
  line.feed(h2::frame(h2::kData, 0, 1, std::string(15'000, 'x')));  // more than there is room for
  CHECK(h2::show(line.output()) == "rst 1 code 3");
  CHECK(line.events().ends_with("\n1 reset malformed"));
}

TEST_CASE("h2 server: how streams end") {
  const std::string start = h2::client_start() + h2::get(1);
  Line line = agent();
  line.feed(start);
  line.send(1, script::answer(200, BodyLength::unknown()));
  line.send(1, Body{Chain("a")});
  line.output();
  line.events();
  SUBCASE("the agent resets it") {
    line.feed(h2::frame(h2::kRstStream, 0, 1, h2::number(8, 4)));
    CHECK(line.events() == "\n1 reset connection_reset");
    CHECK(h2::show(line.output()).empty());
  }
  SUBCASE("the origin broke off") {
    line.send(1, Reset{{Code::kConnectionReset, Side::kOrigin, false, ""}});
    CHECK(h2::show(line.output()) == "rst 1 code 2");
    CHECK(line.events().empty());
  }
  SUBCASE("the connection goes") {
    line.eof();
    CHECK(line.events() == "\n1 reset connection_reset");
    CHECK(line->done());
  }
  SUBCASE("the origin broke off, and the agent has not got all of it") {
    line.send(1, Body{Chain("b")});
    line.send(1, Reset{{Code::kConnectionReset, Side::kOrigin, false, ""}});
    CHECK(h2::show(line.output()) == "data 1, rst 1 code 2");
    CHECK(line.events().empty());
  }
  SUBCASE("the origin gave it up, and the agent has not got all of it") {
    line.send(1, Body{Chain("b")});
    line.send(1, Reset{{Code::kCancelled, Side::kOrigin, false, ""}});
    CHECK(h2::show(line.output()) == "data 1, rst 1 code 8");
    CHECK(line.events().empty());
  }
  SUBCASE("draining, it is the last") {
    line->drain();
    CHECK(h2::show(line.output()).empty());
    line.send(1, End{});
    CHECK(h2::show(line.output()) == "data 1 +end, goaway 0 code 0");
    CHECK(line->done());
    line.feed(h2::get(3));
    CHECK(line.events().empty());
  }
  SUBCASE("what comes before the GOAWAY has left, and is not in it, is not done") {
    line.send(1, End{});
    CHECK(h2::show(line.output()) == "data 1 +end");
    line->drain();
    line.feed(h2::get(3));
    CHECK(line.events().empty());
    CHECK(h2::show(line.output()) == "goaway 0 code 0");
    CHECK(line->done());
  }
  CHECK(line->streams() == 0);
}

TEST_CASE("h2 server: an agent that always waits for something hears in time that we go") {
  using std::chrono::milliseconds;
  bool answers = false;  // the PING
  SUBCASE("and says that it has heard") {
    answers = true;
  }
  SUBCASE("and says nothing to that") {}
  Line line = agent(Cuts::whole(), {.drain_time = milliseconds(100)});
  line.feed(h2::client_start() + h2::get(1));
  line.output();
  line.events();
  CHECK_FALSE(line->deadline());
  line->drain();
  const MonoTime start{std::chrono::seconds(5)};
  line->wait_from(start);
  CHECK(line->deadline() == start + milliseconds(100));
  line->on_time(start + milliseconds(99));
  CHECK(line.output().empty());
  line->on_time(start + milliseconds(100));
  const std::string notice = line.output();
  CHECK(h2::show(notice) == "goaway 0 code 0, ping 0");
  CHECK(notice.substr(9, 4) == h2::number(0x7fffffff, 4));
  // What it asked before it heard that is served.
  line.feed(h2::get(3));
  CHECK_FALSE(line.events().empty());
  CHECK(line.output().empty());
  CHECK(line->deadline() == start + milliseconds(125));
  if (answers) {
    line.feed(h2::frame(h2::kPing, h2::kAck, 0, std::string(8, '\0')));
  } else {
    line->on_time(start + milliseconds(124));
    CHECK(line.output().empty());
    line->on_time(start + milliseconds(125));
  }
  const std::string last = line.output();
  CHECK(h2::show(last) == "goaway 0 code 0");
  CHECK(last.substr(last.size() - 8, 4) == h2::number(3, 4));
  CHECK_FALSE(line->deadline());
  line.feed(h2::get(5));
  CHECK(line.events().empty());
  for (const StreamId stream : {1U, 3U}) {
    line.send(stream, script::answer(204, BodyLength::none()));
    line.send(stream, End{});
  }
  CHECK(h2::show(line.output()) == "headers 1 +end, headers 3 +end");
  CHECK(line->done());
}

TEST_CASE("h2 server: half a request that crosses the GOAWAY ends nothing") {
  Line line = agent(Cuts::whole(), {.drain_time = std::chrono::milliseconds(100)});
  line.feed(h2::client_start() + h2::get(1));
  line->drain();
  const MonoTime start{std::chrono::seconds(5)};
  line->wait_from(start);
  line->on_time(start + std::chrono::milliseconds(100));
  line.output();
  line.events();
  const std::string late = h2::get(3);
  SUBCASE("whole behind it") {
    line.feed(h2::frame(h2::kPing, h2::kAck, 0, std::string(8, '\0')) + late.substr(0, 20));
    CHECK(h2::show(line.output()) == "goaway 0 code 0");
    line.feed(late.substr(20));
  }
  SUBCASE("malformed") {
    line.feed(h2::frame(h2::kPing, h2::kAck, 0, std::string(8, '\0')) +
              h2::headers(3, {{kMethod, "GET"}, {"x y", ""}}));
    CHECK(h2::show(line.output()) == "goaway 0 code 0, rst 3 code 1");
  }
  CHECK(line.events().empty());
  CHECK_FALSE(line->deadline());
  line.send(1, script::answer(204, BodyLength::none()));
  line.send(1, End{});
  CHECK(h2::show(line.output()) == "headers 1 +end");
}

TEST_CASE("h2 server: why there is no tunnel is told") {
  Line line = agent();
  line.feed(h2::client_start() +
            h2::headers(1, {{kMethod, "CONNECT"}, {kAuthority, "o:443"}}, false));
  line.events();
  line.send(1, script::answer(403, BodyLength::known(2)));
  line.send(1, Body{Chain("no")});
  line.send(1, End{});
  const std::string out = line.output();
  CHECK(h2::show(out) == "headers 1, data 1 +end");
  CHECK(out.find("no") != std::string::npos);
}

TEST_CASE("h2 server: a tunnel that its origin breaks off") {
  Line line = agent();
  line.feed(h2::client_start() +
            h2::headers(1, {{kMethod, "CONNECT"}, {kAuthority, "o:443"}}, false));
  line.events();
  Side side = Side::kOrigin;
  std::string sent = "rst 1 code 10";
  SUBCASE("is told as one") {}
  SUBCASE("is another thing than one that the agent ended") {
    side = Side::kAgent;
    sent = "rst 1 code 8";
  }
  line.send(1, script::answer(200, BodyLength::none()));
  CHECK(h2::show(line.output()) == "headers 1");
  line.send(1, Reset{{Code::kConnectionReset, side, false, ""}});
  CHECK(h2::show(line.output()) == sent);
}

TEST_CASE("h2 server: an agent that gives up its upload after the answer") {
  Line line = agent();
  line.feed(h2::client_start() +
            h2::headers(1, {{kMethod, "POST"}, {kScheme, "http"}, {kAuthority, "o"}, {kPath, "/"}},
                        false));
  line.send(1, script::answer(200, BodyLength::known(0)));
  line.send(1, End{});
  CHECK(h2::show(line.output()) == "headers 1, data 1 +end");
  line.events();
  line.feed(h2::frame(h2::kRstStream, 0, 1, h2::number(8, 4)));
  CHECK(line.events() == "\n1 reset connection_reset");
  CHECK(line->streams() == 0);
}

TEST_CASE("h2 server: trailers follow the body") {
  Line line = agent();
  line.feed(h2::client_start() + h2::get(1));
  line.send(1, script::answer(200, BodyLength::unknown()));
  line.send(1, Body{Chain("a")});
  line.send(1, Trailers{script::fields_of({{"Grpc-Status", "0"}})});
  line.send(1, End{});
  CHECK(h2::show(line.output()) == "headers 1, data 1, headers 1 +end");
  line.feed(h2::get(3));
  line.send(3, script::answer(200, BodyLength::known(0)));
  line.send(3, Trailers{script::fields_of({{"grpc-status", "0"}})});
  line.send(3, End{});
  CHECK(h2::show(line.output()) == "headers 3, headers 3 +end");
}

TEST_CASE("h2 server: an answer that nghttp2 does not send ends its stream, and its owner hears") {
  const std::string huge(5'000'000, 'v');
  Line line = agent();
  line.feed(h2::client_start() + h2::get(1));
  line.events();
  std::string sent;
  SUBCASE("its head") {
    line.send(1, script::answer(200, BodyLength::known(1), {{"x", huge}}));
    line.send(1, Body{Chain("a")});
    sent = "rst 1 code 2";
  }
  SUBCASE("one before it") {
    line.send(1, Interim{script::answer(103, BodyLength::none(), {{"x", huge}})});
    sent = "rst 1 code 2";
  }
  SUBCASE("its trailers") {
    line.send(1, script::answer(200, BodyLength::unknown()));
    line.send(1, Body{Chain("a")});
    line.send(1, Trailers{script::fields_of({{"x", huge}})});
    line.send(1, End{});
    sent = "headers 1, data 1, rst 1 code 2";
  }
  CHECK(h2::show(line.output()) == sent);
  line.pull();
  CHECK(line.events() == "\n1 reset too_large");
  CHECK(line->streams() == 0);
  line.feed(h2::get(3));
  CHECK(line.events() == "\n3 GET http://o/ 1.1 [Host: o] none\n3 end");
}

TEST_CASE("h2 server: the end of an answer without a body is its head") {
  Line line = agent();
  line.feed(h2::client_start() + h2::get(1));
  line.send(1, script::answer(204, BodyLength::none()));
  CHECK(h2::show(line.output()) == "headers 1 +end");
  CHECK(line.events().ends_with("\n1 end"));  // and no fault
  CHECK(line.send(1, End{}) == 0);
}

TEST_CASE("h2 server: patience ends") {
  struct Row {
    std::string test;
    std::string frames;  // again and again
    size_t times_max;
  };
  const std::vector<Row> rows = {
      {"PING", h2::frame(h2::kPing, 0, 0, "12345678"), 1100},
      {"SETTINGS", h2::frame(h2::kSettings, 0, 0), 1100},
      {"WINDOW_UPDATE", h2::window_update(0, 1), 1100},
      {"PRIORITY", h2::frame(h2::kPriority, 0, 5, h2::number(0, 5)), 1100},
      {"empty DATA", h2::frame(h2::kData, 0, 1), 1100},
  };
  for (const Row& row : rows) {
    CAPTURE(row.test);
    Line line = agent();
    line.feed(h2::client_start() +
              h2::headers(1,
                          {{kMethod, "POST"}, {kScheme, "http"}, {kAuthority, "o"}, {kPath, "/"}},
                          false));
    line.events();
    std::string out;
    size_t times = 0;
    for (; times < row.times_max && !line->done(); ++times) {
      line.feed(row.frames);
      out = line.output();
    }
    CHECK(times < row.times_max);
    CHECK(h2::show(out).ends_with("goaway 0 code 11"));
    CHECK(line.events() == "\n1 reset malformed");
    CHECK(line->streams() == 0);
    line.feed(h2::get(9));
    CHECK(line.events().empty());
  }
}

TEST_CASE("h2 server: what was sent may be refunded in small pieces, and nothing else") {
  constexpr size_t kBytes = 5'000'000;
  Line line = agent();
  line.feed(std::string(kH2Preface) +
            h2::frame(h2::kSettings, 0, 0, h2::number(4, 2) + h2::number(kBytes, 4)) +
            h2::window_update(0, kBytes) + h2::get(1));
  line.send(1, script::answer(200, BodyLength::known(kBytes)));
  line.send(1, Body{Chain(std::string(kBytes, 'x'))});
  line.send(1, End{});
  CHECK(line.output().size() > kBytes);
  const std::string refund = h2::window_update(0, 4096);
  for (size_t bytes = 0; bytes < kBytes; bytes += 4096) line.feed(refund);
  CHECK(line.output().empty());
  CHECK_FALSE(line->done());
  size_t times = 0;
  for (; times < 20'000 && !line->done(); ++times) {
    line.feed(h2::window_update(0, 1));
    line.output();
  }
  CHECK(times < 20'000);
}

TEST_CASE(
    "h2 server: what was sent in small frames may be refunded one by one, when all has come") {
  constexpr size_t kFrames = 6000;
  Line line = agent();
  line.feed(h2::client_start() + h2::get(1));
  line.send(1, script::answer(200, BodyLength::unknown()));
  for (size_t i = 0; i < kFrames; ++i) {
    line.send(1, Body{Chain("0123456789")});
    line.output();
  }
  for (size_t i = 0; i < kFrames; ++i) {
    line.feed(h2::window_update(1, 10) + h2::window_update(0, 10));
  }
  line.output();
  CHECK_FALSE(line->done());
}

TEST_CASE("h2 server: who refunds in large pieces saves up no small ones") {
  constexpr size_t kBytes = 1'000'000;
  Line line = agent();
  line.feed(std::string(kH2Preface) +
            h2::frame(h2::kSettings, 0, 0, h2::number(4, 2) + h2::number(kBytes, 4)) +
            h2::window_update(0, kBytes) + h2::get(1));
  line.send(1, script::answer(200, BodyLength::unknown()));
  for (int i = 0; i < 50; ++i) {
    line.send(1, Body{Chain(std::string(kBytes, 'x'))});
    CHECK(line.output().size() > kBytes);
    line.feed(h2::window_update(0, kBytes) + h2::window_update(1, kBytes));
  }
  size_t times = 0;
  for (; times < 20'000 && !line->done(); ++times) {
    line.feed(h2::window_update(0, 1));
    line.output();
  }
  CHECK(times < 20'000);
}

TEST_CASE("h2 server: an idle connection is kept alive by PING for as long as the agent likes") {
  Line line = agent();
  line.feed(h2::client_start());
  MonoTime now{};
  for (int i = 0; i < 3000; ++i) {
    now += std::chrono::seconds(10);
    line->feed(h2::frame(h2::kPing, 0, 0, "12345678"), now);
    line.output();
  }
  CHECK_FALSE(line->done());
}

TEST_CASE("h2 server: requests that are given up at once") {
  Line line = agent();
  line.feed(h2::client_start());
  std::string out;
  uint32_t stream = 1;
  for (; stream < 2000 && !line->done(); stream += 2) {
    line.feed(h2::get(stream) + h2::frame(h2::kRstStream, 0, stream, h2::number(8, 4)));
    out = line.output();
  }
  CHECK(stream / 2 <= 201);
  CHECK(h2::show(out).find("goaway 0 code 11") != std::string::npos);
}

TEST_CASE("h2 server: answers that are left after their first event end nothing but themselves") {
  Line line = agent();
  line.feed(h2::client_start() + h2::get(1));
  for (uint32_t stream = 3; stream < 6003; stream += 2) {
    line.feed(h2::get(stream));
    line.send(stream, script::answer(200, BodyLength::unknown()));
    line.send(stream, Body{Chain("data: 1\n\n")});
    line.output();
    line.feed(h2::frame(h2::kRstStream, 0, stream, h2::number(8, 4)));
  }
  CHECK(line.output().empty());
  CHECK(line->streams() == 1);
  CHECK_FALSE(line->done());
}

TEST_CASE("h2 server: requests that we are made to reset, whatever was said before") {
  struct Row {
    std::string test;
    bool begun;    // the answer
    bool refused;  // others are, in between
  };
  const std::vector<Row> rows = {{"at once", false, false},
                                 {"after the head of the answer", true, false},
                                 {"with others between that are refused", false, true}};
  for (const Row& row : rows) {
    CAPTURE(row.test);
    Line line = agent();
    line.feed(h2::client_start());
    std::string out;
    uint32_t stream = 1;
    size_t resets = 0;
    for (; resets < 1000 && !line->done(); ++resets, stream += 2) {
      if (row.refused) {
        line.feed(h2::get(stream));
        line.send(stream, script::answer(403, BodyLength::none()));
        line.send(stream, End{});
        line.output();
        stream += 2;
      }
      line.feed(h2::get(stream));
      if (row.begun) line.send(stream, script::answer(200, BodyLength::unknown()));
      line.output();
      line.feed(h2::window_update(stream, 0x7fffffff));
      out = line.output();
    }
    CHECK(resets <= 201);
    CHECK(h2::show(out).find("goaway 0 code 11") != std::string::npos);
  }
}

TEST_CASE("h2 server: a small block that would be a big head") {
  // One entry of 3,000 bytes in the table, and then a byte for each time it is named.
  std::string block = "\x40" + h2::text("x") + h2::text(std::string(3000, 'a'));
  block.append(12'000, '\xbe');
  Line line = agent();
  line.feed(h2::client_start() + h2::frame(h2::kHeaders, h2::kEndHeaders, 1, block));
  CHECK(h2::show(line.output()).find("goaway 0 code 11") != std::string::npos);
  CHECK(line->done());
}

TEST_CASE("h2 server: a head without end") {
  struct Row {
    size_t head_bytes;
    size_t frames_max;  // behind the first
  };
  for (const auto& [head_bytes, frames_max] :
       {Row{1024, 8}, Row{65'536, 8}, Row{262'144, 32}, Row{1'048'576, 128}}) {
    CAPTURE(head_bytes);
    Line line = agent(Cuts::whole(), {.head_bytes_max = head_bytes});
    line.feed(h2::client_start() + h2::frame(h2::kHeaders, 0, 1, h2::block({{kMethod, "GET"}})));
    size_t times = 0;
    std::string out;
    for (; times < 200 && !line->done(); ++times) {
      line.feed(h2::frame(h2::kContinuation, 0, 1, h2::block({{"a", "b"}})));
      out += line.output();
    }
    CHECK(times == frames_max + 1);
    CHECK(h2::show(out).find("goaway 0") != std::string::npos);
  }
}

TEST_CASE("h2 server: a stream that was passed over") {
  Line line = agent();
  line.feed(h2::client_start() + h2::get(5) + h2::get(3));
  CHECK(h2::show(line.output()).ends_with("goaway 0 code 1"));
  CHECK(line->done());
}

TEST_CASE("h2 server: a head that takes too long, and a preface") {
  for (const bool greeted : {true, false}) {
    CAPTURE(greeted);
    Line line = agent();
    line.feed(greeted ? h2::client_start() +
                            h2::frame(h2::kHeaders, 0, 1, h2::block({{kMethod, "GET"}}))
                      : std::string(kH2Preface));
    REQUIRE(line->deadline());
    line->on_time(*line->deadline());
    CHECK(h2::show(line.output()).ends_with("goaway 0 code 11"));
    CHECK(line->done());
  }
  Line line = agent();
  line.feed(h2::client_start() + h2::get(1));
  CHECK_FALSE(line->deadline());
}

TEST_CASE("h2 server: trailers that may not be, of a request that nobody reads any more") {
  Line line = agent();
  line.feed(h2::client_start() +
            h2::headers(1, {{kMethod, "get"}, {kScheme, "http"}, {kAuthority, "o"}, {kPath, "/"}},
                        false));
  line.output();
  line.feed(h2::headers(1, {{"X-A", "b"}}));
  CHECK(h2::show(line.output()) == "rst 1 code 1");
  CHECK(line->streams() == 0);
  CHECK_FALSE(line->deadline());
}

TEST_CASE("h2 server: what is no HTTP/2") {
  Line line = agent();
  line.feed("GET / HTTP/1.1\r\nHost: o\r\n\r\n");
  line.output();
  CHECK(line.events().empty());
  CHECK(line->done());
}
