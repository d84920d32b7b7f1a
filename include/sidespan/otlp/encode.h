// Finished spans as OTLP 1.11 protobuf (opentelemetry/proto/collector/trace/v1). A span is encoded
// once; a batch is a cheap envelope around encoded spans. Deterministic, no allocation but the
// output.
#pragma once

#include <span>
#include <string>
#include <string_view>

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
// ExportTraceServiceRequest around elements made by append_span.
std::string encode_request(const Origin& origin, std::string_view spans);

}  // namespace sidespan::otlp
