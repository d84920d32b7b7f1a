#include "http/head_rules.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "support/http_script.h"

using namespace sidespan;
using namespace sidespan::http;

namespace {

using Lines = std::vector<std::pair<std::string, std::string>>;

Headers headers_of(const Lines& lines) {
  Headers headers;
  for (const auto& [name, value] : lines) REQUIRE(headers.add(name, value));
  return headers;
}

std::string outcome(const Result<BodyLength>& body) {
  return body ? "fine" : body.error().what;
}

}  // namespace

TEST_CASE("head rules: requests") {
  struct Row {
    std::string test;
    std::string method;
    std::string target;
    int minor;
    Lines lines;
    std::string outcome;
  };
  const std::string h = "Host";
  const std::vector<Row> rows = {
      {"plain", "GET", "/", 1, {{h, "o"}}, "fine"},
      {"no Host on 1.0", "GET", "/", 0, {}, "fine"},
      {"no Host", "GET", "/", 1, {}, "there is no Host"},
      {"two Hosts", "GET", "/", 1, {{h, "o"}, {"host", "o"}}, "there is more than one Host"},
      {"bad Host",
       "GET",
       "/",
       1,
       {{h, "o p"}},
       "in the Host field the host holds a character that no host name has"},
      {"URL", "GET", "http://o/", 1, {{h, "p"}}, "fine"},
      {"no scheme", "GET", "o/", 1, {{h, "o"}}, "the URL has no scheme"},
      {"OPTIONS *", "OPTIONS", "*", 1, {{h, "o"}}, "fine"},
      {"GET *", "GET", "*", 1, {{h, "o"}}, "the URL has no scheme"},
      {"CONNECT", "CONNECT", "o:1", 1, {{h, "o"}}, "fine"},
      {"CONNECT, no port", "CONNECT", "o", 1, {{h, "o"}}, "the target of CONNECT has no port"},
      {"CONNECT, body",
       "CONNECT",
       "o:1",
       1,
       {{h, "o"}, {"Content-Length", "0"}},
       "CONNECT has no body"},
      {"length", "PUT", "/", 1, {{h, "o"}, {"Content-Length", "9223372036854775807"}}, "fine"},
      {"length too big",
       "PUT",
       "/",
       1,
       {{h, "o"}, {"Content-Length", "9223372036854775808"}},
       "Content-Length is not a number that can be"},
      {"length +1",
       "PUT",
       "/",
       1,
       {{h, "o"}, {"Content-Length", "+1"}},
       "Content-Length is not a number that can be"},
      {"two lengths",
       "PUT",
       "/",
       1,
       {{h, "o"}, {"Content-Length", "1"}, {"content-length", "1"}},
       "there is more than one Content-Length"},
      {"chunked", "PUT", "/", 1, {{h, "o"}, {"Transfer-Encoding", "Chunked"}}, "fine"},
      {"both",
       "PUT",
       "/",
       1,
       {{h, "o"}, {"Transfer-Encoding", "chunked"}, {"Content-Length", "1"}},
       "there are both Content-Length and Transfer-Encoding"},
      {"chunked twice",
       "PUT",
       "/",
       1,
       {{h, "o"}, {"Transfer-Encoding", "chunked"}, {"Transfer-Encoding", "chunked"}},
       "there is more than one Transfer-Encoding"},
      {"other coding",
       "PUT",
       "/",
       1,
       {{h, "o"}, {"Transfer-Encoding", "gzip, chunked"}},
       "Transfer-Encoding is something else than chunked"},
      {"coding on 1.0",
       "PUT",
       "/",
       0,
       {{"Transfer-Encoding", "chunked"}},
       "HTTP/1.0 has no Transfer-Encoding"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.test);
    Head head;
    head.set_method(row.method);
    head.set_target(row.target);
    head.minor_version = row.minor;
    head.headers = headers_of(row.lines);
    const Result<BodyLength> body = judge_request(head);
    CHECK(outcome(body) == row.outcome);
    if (!body) CHECK(body.error().side == Side::kAgent);
  }
}

TEST_CASE("head rules: answers") {
  struct Row {
    std::string test;
    int status;
    Lines lines;
    std::string outcome;
  };
  const std::vector<Row> rows = {
      {"plain", 200, {}, "fine"},
      {"length", 200, {{"Content-Length", "1"}}, "fine"},
      {"204 with a length", 204, {{"Content-Length", "1"}}, "fine"},
      {"interim", 103, {{"Link", "a"}}, "fine"},
      {"interim, length 0", 100, {{"Content-Length", "0"}}, "fine"},
      {"interim, length", 100, {{"Content-Length", "1"}}, "an interim answer announces a body"},
      {"interim, chunked",
       101,
       {{"Transfer-Encoding", "chunked"}},
       "an interim answer announces a body"},
      {"length no number",
       200,
       {{"Content-Length", "a"}},
       "Content-Length is not a number that can be"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.test);
    Head head;
    head.status = row.status;
    head.headers = headers_of(row.lines);
    const Result<BodyLength> body = judge_answer(head);
    CHECK(outcome(body) == row.outcome);
    if (!body) CHECK(body.error().side == Side::kOrigin);
  }
}

TEST_CASE("head rules: trailers") {
  CHECK_FALSE(judge_trailers(headers_of({}), Side::kAgent));
  CHECK_FALSE(judge_trailers(headers_of({{"grpc-status", "0"}, {"Expires", "x"}}), Side::kAgent));
  for (const char* name : {"content-length", "Transfer-Encoding", "HOST"}) {
    CAPTURE(name);
    const auto error = judge_trailers(headers_of({{"A", "b"}, {name, "1"}}), Side::kOrigin);
    REQUIRE(error);
    CHECK(error->side == Side::kOrigin);
  }
}

TEST_CASE("head rules: who keeps the connection") {
  struct Row {
    std::string test;
    int minor;
    Lines lines;
    bool keeps;
  };
  const std::vector<Row> rows = {
      {"1.1", 1, {}, true},
      {"1.1, close", 1, {{"connection", "a ,\tclose"}}, false},
      {"1.1, keep-alive and close",
       1,
       {{"Connection", "keep-alive"}, {"Connection", "Close"}},
       false},
      {"1.0", 0, {}, false},
      {"1.0, keep-alive", 0, {{"Connection", "Keep-Alive"}}, true},
      {"1.0, keep-alive and close", 0, {{"Connection", "close, keep-alive"}}, false},
  };
  for (const Row& row : rows) {
    CAPTURE(row.test);
    Head head;
    head.minor_version = row.minor;
    head.headers = headers_of(row.lines);
    CHECK(keeps_connection(head) == row.keeps);
  }
}
