// OTLP's field numbers, message by message (opentelemetry-proto 1.11: collector/trace/v1, trace/v1,
// resource/v1, common/v1), as far as encode and decode use them.
#pragma once

#include "otlp/wire_format.h"

namespace sidespan::otlp {

namespace request_field {
inline constexpr Tag kResourceSpans = 1;
}
namespace response_field {
inline constexpr Tag kPartialSuccess = 1;
}
namespace partial_success_field {
inline constexpr Tag kRejectedSpans = 1;
inline constexpr Tag kErrorMessage = 2;
}  // namespace partial_success_field
// google/rpc/status.proto, error_details.proto, protobuf/any.proto, duration.proto
namespace rpc_status_field {
inline constexpr Tag kDetails = 3;
}
namespace any_field {
inline constexpr Tag kTypeUrl = 1;
inline constexpr Tag kValue = 2;
}  // namespace any_field
namespace retry_info_field {
inline constexpr Tag kRetryDelay = 1;
}
namespace duration_field {
inline constexpr Tag kSeconds = 1;
inline constexpr Tag kNanos = 2;
}  // namespace duration_field
namespace resource_spans_field {
inline constexpr Tag kResource = 1;
inline constexpr Tag kScopeSpans = 2;
inline constexpr Tag kSchemaUrl = 3;
}  // namespace resource_spans_field
namespace scope_spans_field {
inline constexpr Tag kScope = 1;
inline constexpr Tag kSpans = 2;
inline constexpr Tag kSchemaUrl = 3;
}  // namespace scope_spans_field
namespace resource_field {
inline constexpr Tag kAttributes = 1;
inline constexpr Tag kDroppedAttributes = 2;
}  // namespace resource_field
namespace scope_field {
inline constexpr Tag kName = 1;
inline constexpr Tag kVersion = 2;
}  // namespace scope_field
namespace span_field {
inline constexpr Tag kTraceId = 1;
inline constexpr Tag kSpanId = 2;
inline constexpr Tag kTraceState = 3;
inline constexpr Tag kParentSpanId = 4;
inline constexpr Tag kName = 5;
inline constexpr Tag kKind = 6;
inline constexpr Tag kStart = 7;
inline constexpr Tag kEnd = 8;
inline constexpr Tag kAttributes = 9;
inline constexpr Tag kDroppedAttributes = 10;
inline constexpr Tag kLinks = 13;
inline constexpr Tag kStatus = 15;
inline constexpr Tag kFlags = 16;
}  // namespace span_field
namespace link_field {
inline constexpr Tag kTraceId = 1;
inline constexpr Tag kSpanId = 2;
inline constexpr Tag kTraceState = 3;
inline constexpr Tag kAttributes = 4;
inline constexpr Tag kDroppedAttributes = 5;
inline constexpr Tag kFlags = 6;
}  // namespace link_field
namespace status_field {
inline constexpr Tag kMessage = 2;
inline constexpr Tag kCode = 3;
}  // namespace status_field

}  // namespace sidespan::otlp
