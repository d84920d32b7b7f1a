#include "http/h1_writer.h"

#include <doctest/doctest.h>

#include <string>
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
