// gRPC as it is on HTTP/2 (its PROTOCOL-HTTP2): which calls are gRPC, how long their client waits,
// the frames around messages, and how a call ended. The status is in the trailers, or in the head
// of an answer that has nothing else. What messages say is nobody's business here.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "sidespan/base/clock.h"
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
// What gRPC makes of an HTTP answer that has no status of its own (gRPC, http-grpc-status-mapping).
uint32_t grpc_status_of(int http_status);
// "OK", "UNAVAILABLE"; what is not registered has no name.
std::optional<std::string_view> name_of_grpc_status(uint32_t status);
// The value of grpc-timeout, from when the request was sent; nothing where there is none, or none
// by the rules: one to eight digits and a unit.
std::optional<Nanoseconds> grpc_timeout(const Headers& request);

// What stands before each message.
struct GrpcFrame {
  static constexpr size_t kBytes = 5;

  bool packed = false;  // by the call's grpc-encoding
  uint32_t message_bytes = 0;

  std::string encode() const;
  // Of its five bytes; nothing where they are none.
  static std::optional<GrpcFrame> parse(std::string_view bytes);
};

// Counts the whole messages of one direction, from bytes in any pieces. Falls silent where what
// comes is no sequence of frames.
class GrpcMessageCounter {
 public:
  void feed(std::string_view bytes);
  uint64_t messages() const { return messages_; }

 private:
  uint64_t messages_ = 0;
  uint32_t left_ = 0;  // of this message
  std::array<char, GrpcFrame::kBytes> head_{};
  uint8_t got_ = 0;  // bytes of it
  bool lost_ = false;
};

}  // namespace sidespan::http
