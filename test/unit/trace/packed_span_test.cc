#include "sidespan/trace/packed_span.h"

#include <doctest/doctest.h>

#include <utility>

namespace sidespan::trace {
namespace {

TEST_CASE("a packed span comes out as it went in") {
  Span span;
  span.context = {TraceId{1, 2}, SpanId{3}, kSampledFlag, TraceState::parse({"a=b"})};
  span.parent_id = SpanId{4};
  span.parent_is_remote = true;
  span.kind = SpanKind::kServer;
  span.name = "CONNECT";
  span.start = WallTime(Nanoseconds(5));
  span.attributes.set("key", "value");
  span.links.push_back({{TraceId{6, 7}, SpanId{8}, 0, {}}, Attributes()});

  const Span again = PackedSpan(std::move(span)).unpack();
  CHECK(again.context.trace_id == TraceId{1, 2});
  CHECK(again.context.span_id == SpanId{3});
  CHECK(again.context.flags == kSampledFlag);
  CHECK(again.context.tracestate.to_string() == "a=b");
  CHECK(again.parent_id == SpanId{4});
  CHECK(again.parent_is_remote);
  CHECK(again.kind == SpanKind::kServer);
  CHECK(again.name == "CONNECT");
  CHECK(again.start == WallTime(Nanoseconds(5)));
  CHECK(again.attributes.text("key") == "value");
  REQUIRE(again.links.size() == 1);
  CHECK(again.links[0].context.span_id == SpanId{8});
}

}  // namespace
}  // namespace sidespan::trace
