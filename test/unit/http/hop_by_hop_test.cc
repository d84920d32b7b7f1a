#include "sidespan/http/hop_by_hop.h"

#include <doctest/doctest.h>

#include <string>
#include <utility>
#include <vector>

using sidespan::http::Field;
using sidespan::http::Headers;
using sidespan::http::remove_hop_by_hop;

namespace {

using Lines = std::vector<std::pair<std::string, std::string>>;

std::string remaining(const Lines& lines, bool keep_upgrade) {
  Headers headers;
  for (const auto& [name, value] : lines) REQUIRE(headers.add(name, value));
  remove_hop_by_hop(headers, keep_upgrade);
  std::string out;
  for (size_t i = 0; i < headers.size(); ++i) {
    const Field f = headers.at(i);
    if (!out.empty()) out += "|";
    out.append(f.name).append(": ").append(f.value);
  }
  return out;
}

}  // namespace

TEST_CASE("what belongs to one hop goes, the rest keeps its order") {
  struct Row {
    const char* test;
    Lines lines;
    bool keep_upgrade;
    std::string rest;
  };
  const std::vector<Row> rows = {
      {"nothing to do", {{"Host", "h"}, {"Accept", "*/*"}}, false, "Host: h|Accept: */*"},
      {"the fixed ones",
       {{"Host", "h"},
        {"CONNECTION", "keep-alive"},
        {"Keep-Alive", "timeout=5"},
        {"Proxy-Connection", "keep-alive"},
        {"Proxy-Authorization", "Basic eA=="},
        {"TE", "trailers"},
        {"Transfer-Encoding", "chunked"},
        {"Upgrade", "h2c"},
        {"Accept", "a"}},
       false,
       "Host: h|Accept: a"},
      {"the fixed ones go unnamed too", {{"te", "x"}, {"upgrade", "y"}}, false, ""},
      {"named fields",
       {{"Connection", "X-One, x-two ,,\tX-Three"},
        {"X-One", "1"},
        {"X-Two", "2"},
        {"x-one", "1b"},
        {"X-Three", "3"},
        {"X-Four", "4"}},
       false,
       "X-Four: 4"},
      {"several Connection lines",
       {{"Connection", "X-One"}, {"X-One", "1"}, {"X-Two", "2"}, {"connection", "x-two"}},
       false,
       ""},
      {"named before and after", {{"X-A", "1"}, {"Connection", "x-a"}, {"X-A", "2"}}, false, ""},
      {"close names no field", {{"Connection", "close"}, {"Close", "1"}}, false, "Close: 1"},
      {"HTTP2-Settings, as a client names it",
       {{"Connection", "Upgrade, HTTP2-Settings"}, {"Upgrade", "h2c"}, {"HTTP2-Settings", "AA"}},
       false,
       ""},
      {"identity stays",
       {{"Connection", "authorization, Cookie, host, content-type, Content-Length, x-api-key"},
        {"Authorization", "Bearer t"},
        {"Cookie", "a=b"},
        {"Host", "h"},
        {"Content-Type", "t"},
        {"Content-Length", "0"},
        {"X-Api-Key", "k"}},
       false,
       "Authorization: Bearer t|Cookie: a=b|Host: h|Content-Type: t|Content-Length: 0|X-Api-Key: "
       "k"},
      {"an upgrade keeps Upgrade and names it alone",
       {{"Host", "h"},
        {"Connection", "keep-alive, Upgrade, X-A"},
        {"Upgrade", "websocket"},
        {"X-A", "1"},
        {"Sec-WebSocket-Key", "k"}},
       true,
       "Host: h|Connection: Upgrade|Upgrade: websocket|Sec-WebSocket-Key: k"},
      {"several Connection lines become one",
       {{"Connection", "keep-alive"}, {"Upgrade", "websocket"}, {"Connection", "upgrade"}},
       true,
       "Connection: Upgrade|Upgrade: websocket"},
      {"an upgrade without Connection gains it",
       {{"Upgrade", "websocket"}},
       true,
       "Upgrade: websocket|Connection: Upgrade"},
      {"keep_upgrade without Upgrade keeps nothing",
       {{"Connection", "upgrade, x-a"}, {"X-A", "1"}},
       true,
       ""},
  };
  for (const Row& row : rows) {
    CAPTURE(row.test);
    CHECK(remaining(row.lines, row.keep_upgrade) == row.rest);
  }
}

TEST_CASE("Connection takes no trace context away") {
  for (const char* name :
       {"traceparent", "tracestate", "baggage", "b3", "X-B3-TraceId", "X-B3-Sampled",
        "uber-trace-id", "uberctx-user", "jaeger-baggage", "jaeger-debug-id", "x-datadog-trace-id",
        "x-datadog-tags", "X-Amzn-Trace-Id", "X-Cloud-Trace-Context", "grpc-trace-bin",
        "ot-tracer-traceid", "ot-baggage-k", "TRACEPARENT"}) {
    CAPTURE(name);
    CHECK(remaining({{"Connection", name}, {name, "v"}}, false) == std::string(name) + ": v");
  }
  // Names that only look alike are the peer's own.
  for (const char* name : {"traceparents", "xb3", "x-b", "content", "x-amz", "b33"}) {
    CAPTURE(name);
    CHECK(remaining({{"Connection", name}, {name, "v"}}, false).empty());
  }
}

TEST_CASE("a flood of options is bounded") {
  std::string options;
  for (int i = 0; i < 64; ++i) options += "x-" + std::to_string(i) + ",";
  CHECK(remaining({{"Connection", options + "x-late"}, {"x-63", "1"}, {"x-late", "2"}}, false) ==
        "x-late: 2");
  // Options that take nothing away do not use the bound up.
  std::string harmless;
  for (int i = 0; i < 100; ++i) harmless += "close, keep-alive, traceparent, ";
  CHECK(remaining({{"Connection", harmless + "x-late"}, {"x-late", "2"}}, false).empty());
}
