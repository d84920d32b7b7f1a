// What a collector answers (OTLP 1.11, ExportTraceServiceResponse). Used by report's exporter.
// Input is untrusted and already bounded by the caller; it is read without recursion and without
// copying.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "sidespan/base/clock.h"

namespace sidespan::otlp {

struct ExportResponse {
  int64_t rejected_spans = 0;  // partial success, never negative; 0 with a message is a warning
  std::string message;         // valid UTF-8, cut to 1 KiB
};
// Unknown fields are skipped; nothing when it is not valid protobuf.
std::optional<ExportResponse> decode_response(std::string_view bytes);

// How long to wait, of a google.rpc.Status in whose details there is a google.rpc.RetryInfo. Never
// negative. Nothing where there is none, or it is not valid protobuf.
std::optional<Milliseconds> decode_retry_delay(std::string_view status);

}  // namespace sidespan::otlp
