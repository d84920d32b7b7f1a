#include "sidespan/trace/packed_span.h"

#include <utility>

namespace sidespan::trace {

PackedSpan::PackedSpan(Span&& span)
    : context_(std::move(span.context)),
      parent_id_(span.parent_id),
      parent_is_remote_(span.parent_is_remote),
      kind_(span.kind),
      name_(std::move(span.name)),
      start_(span.start),
      attributes_(span.attributes.pack()),
      links_(std::move(span.links)) {}

Span PackedSpan::unpack() && {
  Span span;
  span.context = std::move(context_);
  span.parent_id = parent_id_;
  span.parent_is_remote = parent_is_remote_;
  span.kind = kind_;
  span.name = std::move(name_);
  span.start = start_;
  span.attributes = Attributes::unpack(attributes_);
  span.links = std::move(links_);
  return span;
}

size_t PackedSpan::memory_bytes() const {
  size_t bytes = sizeof(*this) + name_.capacity() + attributes_.pairs.capacity() +
                 context_.tracestate.to_string().size() + links_.capacity() * sizeof(Link);
  for (const Link& link : links_) bytes += link.attributes.encoded().size();
  return bytes;
}

}  // namespace sidespan::trace
