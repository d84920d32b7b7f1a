// gRPC as it is on HTTP/2 (its PROTOCOL-HTTP2): which calls are gRPC, and how one ended. The status
// is in the trailers, or in the head of an answer that has nothing else.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "sidespan/http/message.h"

namespace sidespan::http {

// Statuses that are told apart by number.
namespace grpc {
inline constexpr uint32_t kOk = 0;
inline constexpr uint32_t kCancelled = 1;
inline constexpr uint32_t kUnknown = 2;
inline constexpr uint32_t kDeadlineExceeded = 4;
inline constexpr uint32_t kPermissionDenied = 7;
inline constexpr uint32_t kResourceExhausted = 8;
inline constexpr uint32_t kAborted = 10;
inline constexpr uint32_t kOutOfRange = 11;
inline constexpr uint32_t kUnimplemented = 12;
inline constexpr uint32_t kInternal = 13;
inline constexpr uint32_t kUnavailable = 14;
inline constexpr uint32_t kDataLoss = 15;
inline constexpr uint32_t kUnauthenticated = 16;
}  // namespace grpc

// By its content-type; not gRPC-Web, which is HTTP of another kind.
bool is_grpc(const Headers& request);
// "package.Service/Method", empty where `path` is not a service and a method. A view into it.
std::string_view grpc_method(std::string_view path);
// The value of grpc-status; nothing where there is none, or no number.
std::optional<uint32_t> grpc_status(const Headers& fields);
// "OK", "UNAVAILABLE"; what is not registered has no name.
std::optional<std::string_view> name_of_grpc_status(uint32_t status);

}  // namespace sidespan::http
