// A span that was begun and will be open for hours, in a third of the room of a Span: its pairs are
// exactly as long as they are. Who uses it: proxy's tunnels. What has to be told at the end is
// added to the span that unpack() gives back.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "sidespan/trace/span.h"

namespace sidespan::trace {

class PackedSpan {
 public:
  explicit PackedSpan(Span&& span);
  // Status, status message and duration are those of a span that has not ended. Once.
  Span unpack() &&;
  // That it keeps, about.
  size_t memory_bytes() const;

 private:
  SpanContext context_;
  SpanId parent_id_;
  bool parent_is_remote_;
  SpanKind kind_;
  std::string name_;
  WallTime start_;
  Attributes::Packed attributes_;
  std::vector<Link> links_;
};

}  // namespace sidespan::trace
