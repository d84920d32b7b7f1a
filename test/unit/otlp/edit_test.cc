#include "sidespan/otlp/edit.h"

#include <doctest/doctest.h>

#include <utility>

#include "sidespan/otlp/encode.h"

namespace sidespan::otlp {
namespace {

std::string encoded(std::string_view tracestate, size_t attribute_bytes) {
  trace::Span span;
  span.context = {{1, 2}, {3}, 1, trace::TraceState::parse({tracestate})};
  span.name = "GET";
  span.attributes.set("a", std::string_view(std::string(attribute_bytes, 'x')));
  trace::Link link;
  link.context = {{4, 5}, {6}, 1, trace::TraceState::parse({"link=1"})};
  span.links.push_back(std::move(link));
  std::string out;
  append_span(out, span);
  return out;
}

// Around the lengths at which a length takes one byte more.
TEST_CASE("another tracestate makes the span that would have been encoded with it") {
  const std::string long_one = "a=" + std::string(200, 'y');
  const std::string long_state = long_one + ",ot=th:0";
  for (const size_t bytes : {0, 10, 40, 50, 60, 80, 16'000, 16'250, 16'300, 16'384}) {
    INFO(bytes);
    for (const std::string& before : {std::string("ot=th:0"), long_state}) {
      for (const std::string& after :
           {std::string("ot=th:fd70a"), long_state, std::string("b=1")}) {
        const std::string span = encoded(before, bytes);
        CHECK(tracestate_of(span) == before);
        CHECK(with_tracestate(span, after) == encoded(after, bytes));
      }
      CHECK(with_tracestate(encoded(before, bytes), "") == encoded("", bytes));
    }
    CHECK(tracestate_of(encoded("", bytes)).empty());
    CHECK(with_tracestate(encoded("", bytes), "a=1") == encoded("", bytes));
  }
}

}  // namespace
}  // namespace sidespan::otlp
