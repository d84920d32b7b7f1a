// gRPC as it is on HTTP/2 (its PROTOCOL-HTTP2): which calls are gRPC, and how one ended. The status
// is in the trailers, or in the head of an answer that has nothing else.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "sidespan/http/message.h"

namespace sidespan::http {

// By its content-type; not gRPC-Web, which is HTTP of another kind.
bool is_grpc(const Headers& request);
// "package.Service/Method", empty where `path` is not a service and a method. A view into it.
std::string_view grpc_method(std::string_view path);
// The value of grpc-status; nothing where there is none, or no number.
std::optional<uint32_t> grpc_status(const Headers& fields);
// "OK", "UNAVAILABLE"; what is not registered has no name.
std::optional<std::string_view> name_of_grpc_status(uint32_t status);

}  // namespace sidespan::http
