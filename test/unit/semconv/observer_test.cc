#include "sidespan/semconv/observer.h"

#include <doctest/doctest.h>

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "sidespan/semconv/attributes.h"

using sidespan::MonoTime;
using sidespan::http::Head;
using sidespan::semconv::make_response_observer;
using sidespan::semconv::Observer;
using sidespan::trace::Span;

namespace {

Head answer_with(const std::vector<std::pair<std::string, std::string>>& fields) {
  Head head;
  head.status = 200;
  for (const auto& [name, value] : fields) REQUIRE(head.headers.add(name, value));
  return head;
}

std::optional<int64_t> events_of(const Span& span) {
  for (size_t i = 0; i < span.attributes.size(); ++i) {
    const auto attribute = span.attributes.at(i);
    if (attribute.key == "sidespan.stream.events") return std::get<int64_t>(attribute.value);
  }
  return std::nullopt;
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
    observer->finish(span);
    CHECK(events_of(span) == 2);
  }
}

TEST_CASE("a stream without events has a count of zero") {
  const std::unique_ptr<Observer> observer =
      make_response_observer(answer_with({{"Content-Type", "text/event-stream"}}));
  Span span;
  observer->finish(span);
  CHECK(events_of(span) == 0);
}
