#include "sidespan/semconv/observer.h"

#include <doctest/doctest.h>

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "sidespan/semconv/attributes.h"

using sidespan::MonoTime;
using sidespan::http::Head;
using sidespan::semconv::Observer;
using sidespan::trace::Span;

namespace {

Head answer_with(const std::vector<std::pair<std::string, std::string>>& fields) {
  Head head;
  head.status = 200;
  for (const auto& [name, value] : fields) REQUIRE(head.headers.add(name, value));
  return head;
}

// Of a GET whose streams nobody asks for MCP.
std::unique_ptr<Observer> make_response_observer(const Head& response) {
  Head request;
  request.set_method("GET");
  const sidespan::http::Url url;
  return sidespan::semconv::make_response_observer({.request = request, .url = url}, response);
}

std::optional<int64_t> number_of(const Span& span, std::string_view name) {
  for (size_t i = 0; i < span.attributes.size(); ++i) {
    const auto attribute = span.attributes.at(i);
    if (attribute.key == name) return std::get<int64_t>(attribute.value);
  }
  return std::nullopt;
}

std::optional<int64_t> events_of(const Span& span) {
  return number_of(span, "sidespan.stream.events");
}

std::unique_ptr<Observer> switched_to(const std::string& protocol) {
  Head head = answer_with({{"Upgrade", protocol}, {"Connection", "Upgrade"}});
  head.status = 101;
  return make_response_observer(head);
}

struct Told {
  std::optional<int64_t> sent, received, code;
  bool operator==(const Told&) const = default;
};

Told told_by(Observer& observer) {
  Span span;
  observer.describe(span);
  return {number_of(span, "sidespan.websocket.messages.sent"),
          number_of(span, "sidespan.websocket.messages.received"),
          number_of(span, "sidespan.websocket.close_code")};
}

}  // namespace

TEST_CASE("an observer is made for event streams only") {
  struct Row {
    const char* test;
    std::vector<std::pair<std::string, std::string>> fields;
    bool observed;
  };
  const std::vector<Row> rows = {
      {"event stream", {{"Content-Type", "text/event-stream"}}, true},
      {"parameters", {{"Content-Type", "text/event-stream; charset=utf-8"}}, true},
      {"parameters without a blank", {{"content-type", "text/event-stream;charset=utf-8"}}, true},
      {"other case", {{"CONTENT-TYPE", "Text/Event-Stream"}}, true},
      {"blank before the parameters", {{"Content-Type", "text/event-stream ;a=b"}}, true},
      {"identity coding",
       {{"Content-Type", "text/event-stream"}, {"Content-Encoding", "identity"}},
       true},
      {"compressed", {{"Content-Type", "text/event-stream"}, {"Content-Encoding", "gzip"}}, false},
      {"JSON", {{"Content-Type", "application/json"}}, false},
      {"longer type", {{"Content-Type", "text/event-streams"}}, false},
      {"in a parameter", {{"Content-Type", "a/b; x=text/event-stream"}}, false},
      {"no type", {}, false},
  };
  for (const Row& row : rows) {
    CAPTURE(row.test);
    CHECK((make_response_observer(answer_with(row.fields)) != nullptr) == row.observed);
  }
}

TEST_CASE("events are counted however they arrive, and told once at the end") {
  const std::string stream = ": hello\n\ndata: 1\n\nevent: x\ndata: 2\r\n\r\ndata: cut off";
  for (const size_t piece : {size_t{1}, size_t{5}, stream.size()}) {
    CAPTURE(piece);
    const std::unique_ptr<Observer> observer =
        make_response_observer(answer_with({{"Content-Type", "text/event-stream"}}));
    REQUIRE(observer != nullptr);
    for (size_t i = 0; i < stream.size(); i += piece) {
      observer->on_response_bytes(std::string_view(stream).substr(i, piece), MonoTime{});
    }
    Span span;
    observer->describe(span);
    CHECK(events_of(span) == 2);
  }
}

TEST_CASE("a stream without events has a count of zero") {
  const std::unique_ptr<Observer> observer =
      make_response_observer(answer_with({{"Content-Type", "text/event-stream"}}));
  Span span;
  observer->describe(span);
  CHECK(events_of(span) == 0);
}

TEST_CASE("of what 101 switches to, WebSockets are observed") {
  CHECK(switched_to("websocket") != nullptr);
  CHECK(switched_to("WebSocket") != nullptr);
  CHECK(switched_to("h2c") == nullptr);
  CHECK(make_response_observer(answer_with({{"Upgrade", "websocket"}})) == nullptr);
}

TEST_CASE("a WebSocket's messages are told by direction, with the code of who closed it first") {
  const std::string message =
      "\x81\x01"
      "a";
  const std::string closing_1001("\x88\x02\x03\xe9", 4);
  const std::string closing_4002("\x88\x02\x0f\xa2", 4);
  struct Row {
    const char* test;
    std::string sent, received;
    bool origin_first;
    Told told;
  };
  const std::vector<Row> rows = {
      {"silent", "", "", false, {0, 0, std::nullopt}},
      {"not closed", message, message + message, false, {1, 2, std::nullopt}},
      {"the agent closes", message + closing_1001, closing_4002, false, {1, 0, 1001}},
      {"the origin closes", message + closing_1001, closing_4002, true, {1, 0, 4002}},
      {"without a code", std::string("\x88\0", 2), closing_4002, false, {0, 0, std::nullopt}},
      {"the agent is malformed", "\x83" + message, message, false, {0, 1, std::nullopt}},
  };
  for (const Row& row : rows) {
    CAPTURE(row.test);
    const std::unique_ptr<Observer> observer = switched_to("websocket");
    REQUIRE(observer != nullptr);
    if (row.origin_first) observer->on_response_bytes(row.received, MonoTime{});
    observer->on_switched_request_bytes(row.sent, MonoTime{});
    if (!row.origin_first) observer->on_response_bytes(row.received, MonoTime{});
    CHECK(told_by(*observer) == row.told);
  }
}

TEST_CASE("a call of gRPC tells its messages and how long its client waits") {
  Head request;
  request.set_method("POST");
  REQUIRE(request.headers.add("content-type", "application/grpc+proto"));
  REQUIRE(request.headers.add("grpc-timeout", "1500m"));
  const sidespan::http::Url url =
      sidespan::http::parse_url("https://api.example.com/a.B/C").value();
  const sidespan::semconv::ObserverOptions options;
  const auto observer =
      sidespan::semconv::make_request_observer({.request = request, .url = url}, options);
  REQUIRE(observer);
  observer->on_request_bytes(std::string_view("\0\0\0\0\2ab", 7), MonoTime());
  observer->on_response_bytes(std::string_view("\0\0\0", 3), MonoTime());
  observer->on_response_bytes(std::string_view("\0\0\0\0\0\0\1z\0", 9), MonoTime());
  Span span;
  observer->describe(span);
  CHECK(number_of(span, "sidespan.grpc.messages.sent") == 1);
  CHECK(number_of(span, "sidespan.grpc.messages.received") == 2);
  bool told = false;
  for (size_t i = 0; i < span.attributes.size(); ++i) {
    const auto attribute = span.attributes.at(i);
    if (attribute.key == "sidespan.grpc.timeout") {
      told = std::get<double>(attribute.value) == 1.5;
    }
  }
  CHECK(told);
}

TEST_CASE("what stands in a query is no path") {
  Head request;
  request.set_method("GET");
  const sidespan::semconv::ObserverOptions options;
  const auto is_observed = [&](std::string_view target) {
    const sidespan::http::Url url = sidespan::http::parse_url(target).value();
    return sidespan::semconv::make_request_observer({.request = request, .url = url}, options) !=
           nullptr;
  };
  CHECK(is_observed("http://agent.example/v1/tasks/t"));
  CHECK(is_observed("http://agent.example/v1/tasks/t?x=/y"));
  CHECK_FALSE(is_observed("http://agent.example/?/v1/tasks/t"));
  CHECK(is_observed("http://agent.example/.well-known/agent-card.json?x"));
  CHECK_FALSE(is_observed("http://agent.example/?/.well-known/agent-card.json"));
}
