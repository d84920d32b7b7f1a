#include "sidespan/http/answer.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

using sidespan::Code;
using sidespan::Error;
using sidespan::Side;
using sidespan::http::answer_for;
using sidespan::http::BodyLength;
using sidespan::http::LocalAnswer;
using sidespan::http::make_answer;
using sidespan::http::reason_phrase;

TEST_CASE("every error has a status and an RFC 9209 error type") {
  struct Row {
    Code code;
    Side side;
    int status;
    std::string proxy_status;
  };
  const std::vector<Row> rows = {
      {Code::kMalformed, Side::kAgent, 400, "http_request_error"},
      {Code::kMalformed, Side::kOrigin, 502, "http_protocol_error"},
      {Code::kUnsupported, Side::kAgent, 501, "http_request_error"},
      {Code::kUnsupported, Side::kOrigin, 502, "http_protocol_error"},
      {Code::kTooLarge, Side::kAgent, 413, "http_request_error"},
      {Code::kTooLarge, Side::kOrigin, 502, "http_response_body_size"},
      {Code::kTargetTooLong, Side::kAgent, 414, "http_request_error"},
      {Code::kHeadTooLarge, Side::kAgent, 431, "http_request_error"},
      {Code::kHeadTooLarge, Side::kOrigin, 502, "http_response_header_section_size"},
      {Code::kTimeout, Side::kAgent, 408, "http_request_error"},
      {Code::kTimeout, Side::kOrigin, 504, "http_response_timeout"},
      {Code::kConnectTimeout, Side::kOrigin, 504, "connection_timeout"},
      {Code::kDnsFailure, Side::kOrigin, 502, "dns_error"},
      {Code::kDnsFailure, Side::kAgent, 502, "dns_error"},
      {Code::kConnectionRefused, Side::kOrigin, 502, "connection_refused"},
      {Code::kUnreachable, Side::kOrigin, 502, "destination_ip_unroutable"},
      {Code::kConnectionClosed, Side::kOrigin, 502, "connection_terminated"},
      {Code::kConnectionReset, Side::kOrigin, 502, "connection_terminated"},
      {Code::kConnectionReset, Side::kAgent, 400, "http_request_error"},
      {Code::kTruncated, Side::kOrigin, 502, "http_response_incomplete"},
      {Code::kTruncated, Side::kAgent, 400, "http_request_error"},
      {Code::kDenied, Side::kSelf, 403, "http_request_denied"},
      {Code::kDenied, Side::kAgent, 403, "http_request_denied"},
      {Code::kMisdirected, Side::kAgent, 421, "http_request_denied"},
      {Code::kLoop, Side::kAgent, 508, "proxy_loop_detected"},
      {Code::kOverload, Side::kSelf, 503, "connection_limit_reached"},
      {Code::kInvalid, Side::kSelf, 500, "proxy_configuration_error"},
      {Code::kSystem, Side::kSelf, 500, "proxy_internal_error"},
      {Code::kSystem, Side::kOrigin, 502, "destination_unavailable"},
  };
  for (const Row& row : rows) {
    CAPTURE(name_of(row.code));
    CAPTURE(name_of(row.side));
    const auto [status, proxy_status] = answer_for({row.code, row.side, false, "x"});
    CHECK(status == row.status);
    CHECK(proxy_status == row.proxy_status);
  }
  for (int code = 0; code <= static_cast<int>(Code::kCancelled); ++code) {
    for (const Side side : {Side::kAgent, Side::kOrigin, Side::kSelf}) {
      const auto [status, proxy_status] = answer_for({static_cast<Code>(code), side, false, "x"});
      CAPTURE(code);
      CHECK_FALSE(reason_phrase(status).empty());
      CHECK_FALSE(proxy_status.empty());
      // An origin's fault is never told to the agent as its own.
      if (side == Side::kOrigin && status < 500) CHECK((status == 403 || status == 414));
    }
  }
}

TEST_CASE("an answer is one sentence and says why in Proxy-Status") {
  const LocalAnswer answer = make_answer(
      Error{Code::kDnsFailure, Side::kOrigin, false, "the name nowhere.example has no address"});
  CHECK(answer.head.status == 502);
  CHECK(answer.head.reason() == "Bad Gateway");
  CHECK(answer.body == "sidespan: the name nowhere.example has no address.\n");
  CHECK(answer.head.body == BodyLength::known(answer.body.size()));
  CHECK(answer.head.headers.find("Content-Type") == "text/plain");
  CHECK(answer.head.headers.find("Proxy-Status") == "sidespan; error=dns_error");
  CHECK_FALSE(answer.head.headers.contains("Connection"));
  CHECK_FALSE(answer.head.headers.contains("Retry-After"));
  CHECK(make_answer(Error{Code::kOverload, Side::kSelf, false, ""}).body ==
        "sidespan: Service Unavailable.\n");
}

TEST_CASE("what was not read to its end closes the connection") {
  struct Row {
    const char* test;
    Code code;
    Side side;
    bool closes;
  };
  const std::vector<Row> rows = {
      {"malformed request", Code::kMalformed, Side::kAgent, true},
      {"unknown method", Code::kUnsupported, Side::kAgent, true},
      {"target too long", Code::kTargetTooLong, Side::kAgent, true},
      {"head too large", Code::kHeadTooLarge, Side::kAgent, true},
      {"slow head", Code::kTimeout, Side::kAgent, true},
      {"overload", Code::kOverload, Side::kSelf, true},
      {"denied", Code::kDenied, Side::kSelf, false},
      {"loop", Code::kLoop, Side::kAgent, false},
      {"malformed answer", Code::kMalformed, Side::kOrigin, false},
      {"slow origin", Code::kTimeout, Side::kOrigin, false},
  };
  for (const Row& row : rows) {
    CAPTURE(row.test);
    const LocalAnswer answer = make_answer(Error{row.code, row.side, false, "x"});
    CHECK(answer.head.headers.lists("Connection", "close") == row.closes);
  }
  CHECK(make_answer(Error{Code::kOverload, Side::kSelf, false, "x"})
            .head.headers.find("Retry-After") == "1");
}

TEST_CASE("plain answers") {
  const LocalAnswer page = make_answer(200, "{}", "application/json");
  CHECK(page.head.reason() == "OK");
  CHECK(page.head.headers.find("content-type") == "application/json");
  CHECK(page.head.body == BodyLength::known(2));
  const LocalAnswer empty = make_answer(200, "");
  CHECK(empty.head.headers.empty());
  CHECK(empty.head.body == BodyLength::known(0));
}

TEST_CASE("reason phrases") {
  CHECK(reason_phrase(100) == "Continue");
  CHECK(reason_phrase(200) == "OK");
  CHECK(reason_phrase(418).empty());
  CHECK(reason_phrase(431) == "Request Header Fields Too Large");
  CHECK(reason_phrase(511) == "Network Authentication Required");
  for (const int unknown : {-1, 0, 99, 299, 420, 512, 999}) CHECK(reason_phrase(unknown).empty());
}
