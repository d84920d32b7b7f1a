#include "uv_error.h"

#include <uv.h>

namespace sidespan::net {

Error connect_error(int uv_status, const Address& peer) {
  const std::string to = peer.to_string();
  switch (uv_status) {
    case UV_ECONNREFUSED:
      return {Code::kConnectionRefused, Side::kOrigin, true,
              "nothing accepts connections at " + to};
    case UV_ETIMEDOUT:
      return {Code::kConnectTimeout, Side::kOrigin, true, "connecting to " + to + " timed out"};
    case UV_ENETUNREACH:
    case UV_EHOSTUNREACH:
    case UV_ENETDOWN:
    case UV_EACCES:  // a firewall's "prohibited"
    case UV_EPERM:
      return {Code::kUnreachable, Side::kOrigin, true,
              to + " cannot be reached: " + uv_strerror(uv_status)};
    case UV_ECONNRESET:
    case UV_ECONNABORTED:
      return {Code::kConnectionReset, Side::kOrigin, true,
              to + " reset the connection while it was being made"};
    case UV_EMFILE:
    case UV_ENFILE:
    case UV_ENOBUFS:
    case UV_ENOMEM:
    case UV_EADDRNOTAVAIL:  // also: no free local port
      return {Code::kOverload, Side::kSelf, true,
              "cannot connect to " + to + ": " + uv_strerror(uv_status)};
    default:
      return {Code::kSystem, Side::kSelf, true,
              "cannot connect to " + to + ": " + uv_strerror(uv_status)};
  }
}

Error stream_error(int uv_status, const Address& peer) {
  const std::string with = peer.to_string();
  switch (uv_status) {
    case UV_ECONNRESET:
    case UV_ECONNABORTED:
      return {Code::kConnectionReset, Side::kSelf, false, with + " reset the connection"};
    case UV_EPIPE:
    case UV_ENOTCONN:
      return {Code::kConnectionClosed, Side::kSelf, false, with + " closed the connection"};
    case UV_ETIMEDOUT:
      return {Code::kTimeout, Side::kSelf, false, with + " no longer answers"};
    case UV_ENETUNREACH:
    case UV_EHOSTUNREACH:
    case UV_ENETDOWN:
      return {Code::kUnreachable, Side::kSelf, false,
              with + " cannot be reached any more: " + uv_strerror(uv_status)};
    default:
      return {Code::kSystem, Side::kSelf, false,
              "the connection with " + with + " failed: " + uv_strerror(uv_status)};
  }
}

Error system_error(int uv_status, std::string what) {
  return {Code::kSystem, Side::kSelf, false,
          "cannot " + std::move(what) + ": " + uv_strerror(uv_status)};
}

}  // namespace sidespan::net
