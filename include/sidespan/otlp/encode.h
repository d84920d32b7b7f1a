// Finished spans as OTLP 1.11 protobuf (opentelemetry/proto/collector/trace/v1). A span is encoded
// once, by the thread that finished it; a batch is a cheap envelope around encoded spans.
// Deterministic, no allocation but the output.
#pragma once

#include <cstddef>
#include <string>

#include "sidespan/trace/attributes.h"
#include "sidespan/trace/span.h"

namespace sidespan::otlp {

// Who emits: resource attributes, and the instrumentation scope `sidespan` with its version.
struct Origin {
  trace::Attributes resource;
  std::string scope_name = "sidespan";
  std::string scope_version;
  std::string schema_url;
};

// Appends one `spans` element of ScopeSpans (tag and length included) to `out`.
void append_span(std::string& out, const trace::Span& span);
// What stands before and behind `spans_bytes` of such elements in an ExportTraceServiceRequest.
struct Envelope {
  std::string before;
  std::string behind;
};
Envelope encode_envelope(const Origin& origin, size_t spans_bytes);

}  // namespace sidespan::otlp
