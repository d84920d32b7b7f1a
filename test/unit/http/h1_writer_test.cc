#include "http/h1_writer.h"

#include <doctest/doctest.h>

#include <string>
#include <utility>
#include <vector>

#include "support/http_script.h"

using namespace sidespan;
using namespace sidespan::http;
using namespace std::string_literals;
using script::answer;
using script::request;

namespace {

std::string written(const Head& head, Framing framing, std::string_view connection = {}) {
  Chain out;
  if (head.status == 0) {
    write_request_head(out, head, framing);
  } else {
    write_response_head(out, head, framing, connection);
  }
  return out.to_string();
}

}  // namespace

TEST_CASE("h1 writer: heads") {
  struct Row {
    std::string test;
    Head head;
    Framing framing;
    std::string written;
  };
  const BodyLength none = BodyLength::none();
  const BodyLength five = BodyLength::known(5);
  const BodyLength unknown = BodyLength::unknown();
  const std::vector<Row> rows = {
      {"case, order and duplicates stay",
       request("GET", "/", none, {{"b", "1"}, {"HOST", "o"}, {"A", "2"}, {"B", "3"}}),
       Framing::kNone, "GET / HTTP/1.1\r\nb: 1\r\nHOST: o\r\nA: 2\r\nB: 3\r\n\r\n"},
      {"length stays in its place",
       request("PUT", "/", five, {{"content-length", "5"}, {"Host", "o"}}), Framing::kLength,
       "PUT / HTTP/1.1\r\ncontent-length: 5\r\nHost: o\r\n\r\n"},
      {"length is the body's, whatever the field says",
       request("PUT", "/", five, {{"Content-Length", "0007"}, {"Content-Length", "8"}}),
       Framing::kLength, "PUT / HTTP/1.1\r\nContent-Length: 5\r\n\r\n"},
      {"length is added", request("PUT", "/", five), Framing::kLength,
       "PUT / HTTP/1.1\r\nContent-Length: 5\r\n\r\n"},
      {"largest length", request("PUT", "/", BodyLength::known(UINT64_MAX)), Framing::kLength,
       "PUT / HTTP/1.1\r\nContent-Length: 18446744073709551615\r\n\r\n"},
      {"chunks instead of a length", request("PUT", "/", unknown, {{"Content-Length", "5"}}),
       Framing::kChunked, "PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"},
      {"chunks are ours to announce",
       request("PUT", "/", unknown, {{"transfer-encoding", "gzip"}, {"A", "b"}}), Framing::kChunked,
       "PUT / HTTP/1.1\r\nA: b\r\nTransfer-Encoding: chunked\r\n\r\n"},
      {"no body, so no framing",
       request("GET", "/", none, {{"Transfer-Encoding", "chunked"}, {"Content-Length", "5"}}),
       Framing::kNone, "GET / HTTP/1.1\r\n\r\n"},
      {"until close", answer(200, unknown, {{"Content-Length", "5"}}), Framing::kUntilClose,
       "HTTP/1.1 200 OK\r\n\r\n"},
      {"length of a body that is not sent", answer(304, none, {{"Content-Length", "5"}}),
       Framing::kNone, "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n"},
      {"none with 204", answer(204, none, {{"Content-Length", "0"}}), Framing::kNone,
       "HTTP/1.1 204 No Content\r\n\r\n"},
      {"none with an interim answer", answer(103, none, {{"Content-Length", "0"}}), Framing::kNone,
       "HTTP/1.1 103 Early Hints\r\n\r\n"},
      {"unknown status", answer(799, none), Framing::kNone, "HTTP/1.1 799 \r\n\r\n"},
      {"empty value", request("GET", "/", none, {{"A", ""}}), Framing::kNone,
       "GET / HTTP/1.1\r\nA: \r\n\r\n"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.test);
    CHECK(written(row.head, row.framing) == row.written);
  }
  CHECK(written(answer(200, five), Framing::kLength, "close") ==
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\n");
}

TEST_CASE("h1 writer: fields that were changed stand where they stood") {
  Head head = request("GET", "/", BodyLength::none(),
                      {{"A", "one"}, {"Connection", "x"}, {"B", "two"}, {"C", "three"}});
  REQUIRE(head.headers.set("B", "2"));
  CHECK(written(head, Framing::kNone) ==
        "GET / HTTP/1.1\r\nA: one\r\nConnection: x\r\nB: 2\r\nC: three\r\n\r\n");
  REQUIRE(head.headers.set("a", "a longer one"));
  REQUIRE(head.headers.set("C", ""));
  head.headers.remove("connection");
  REQUIRE(head.headers.add("D", "4"));
  CHECK(written(head, Framing::kNone) ==
        "GET / HTTP/1.1\r\nA: a longer one\r\nB: 2\r\nC: \r\nD: 4\r\n\r\n");
}

TEST_CASE("h1 writer: lines as they came and as they are written") {
  const auto many = [](std::string_view line) {
    std::string lines;
    for (int i = 0; i < 120; ++i) lines += line;
    return lines;
  };
  // What came, and what a writer makes of it.
  const std::vector<std::pair<std::string, std::string>> rows = {
      {"A: b\r\nC: d\r\n", "A: b\r\nC: d\r\n"},
      {"A:b\r\nC: d\r\n", "A: b\r\nC: d\r\n"},
      {"A: b \r\nC:\td\r\n", "A: b\r\nC: d\r\n"},
      {"A:\r\nB: \r\nC:  c\r\nD: d\r\n", "A: \r\nB: \r\nC: c\r\nD: d\r\n"},
      {"A: b\r\nConnection: close\r\nC: d\r\n", "A: b\r\nC: d\r\n"},
      {"A: b\r\nContent-Length:  2\r\nC: d\r\n", "A: b\r\nContent-Length: 2\r\nC: d\r\n"},
      {"A: b\r\nContent-Length: 02\r\nC: d\r\n", "A: b\r\nContent-Length: 2\r\nC: d\r\n"},
      {many("A:bcdefgh\r\n"), many("A: bcdefgh\r\n")},
  };
  for (const auto& [came, expected] : rows) {
    CAPTURE(came);
    const bool known = came.find("Content-Length") != std::string::npos;
    script::at_all_cuts([&, &came = came, &expected = expected](script::Cuts cuts) {
      script::Line line(make_h1_client({}), cuts);
      const StreamId stream = line->open();
      line.send(stream, request("GET", "/", BodyLength::none(), {{"Host", "o"}}));
      line.react = [&](const Event& event) {
        const auto* head = std::get_if<Head>(&event.what);
        if (head == nullptr) return;
        const Framing framing = known ? Framing::kLength : Framing::kUntilClose;
        CHECK(written(*head, framing) == "HTTP/1.1 200 OK\r\n" + expected + "\r\n");
      };
      line.feed("HTTP/1.1 200 OK\r\n" + came + "\r\n");
    });
  }
}

TEST_CASE("h1 writer: a body of known length, small and not") {
  for (const size_t size : {size_t{1}, size_t{512}, size_t{513}, size_t{5000}}) {
    Chain out;
    write_response_head(out, answer(200, BodyLength::known(size + 1)), Framing::kLength, {});
    const std::string head = out.to_string();
    write_known(out, Chain("x"));
    write_known(out, Chain(std::string(size, 'y')));
    CHECK(out.to_string() == head + "x" + std::string(size, 'y'));
  }
}

TEST_CASE("h1 writer: nothing that ends a line gets through") {
  const std::vector<std::string> evil = {"\r\nX: y", "\nX: y", "\rX: y", "\0X: y"s};
  for (const std::string& end : evil) {
    CAPTURE(end);
    CHECK(written(request("GET", "/a" + end, BodyLength::none()), Framing::kNone) ==
          "GET /a HTTP/1.1\r\n\r\n");
    CHECK(written(request("GET" + end, "/a", BodyLength::none()), Framing::kNone) ==
          "GET /a HTTP/1.1\r\n\r\n");
    Head head = answer(200, BodyLength::none());
    head.set_reason("Fine" + end);
    CHECK(written(head, Framing::kNone) == "HTTP/1.1 200 Fine\r\n\r\n");
    CHECK_FALSE(head.headers.add("A", "b" + end));
    CHECK_FALSE(head.headers.add("A" + end, "b"));
  }
  CHECK(written(request("GET", "/a b", BodyLength::none()), Framing::kNone) ==
        "GET /a HTTP/1.1\r\n\r\n");
  Head head = answer(200, BodyLength::none());
  head.set_reason("tr\xc3\xa8s bien");
  CHECK(written(head, Framing::kNone) == "HTTP/1.1 200 tr\xc3\xa8s bien\r\n\r\n");
}

TEST_CASE("h1 writer: chunks") {
  Chain out;
  write_chunk(out, Chain("hello"));
  write_chunk(out, Chain());  // would end the body
  write_chunk(out, Chain(std::string(26, 'a')));
  write_last_chunk(out, script::fields_of({{"X", "y"}, {"Z", ""}}));
  CHECK(out.to_string() ==
        "5\r\nhello\r\n1a\r\n" + std::string(26, 'a') + "\r\n0\r\nX: y\r\nZ: \r\n\r\n");
  Chain last;
  write_last_chunk(last, {});
  CHECK(last.to_string() == "0\r\n\r\n");
}
