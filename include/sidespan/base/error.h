// The one error type of the house: what went wrong, whose fault it is, and whether another try may
// help. Every function that a peer, a file or the system can make fail returns Result<T>.
// http/answer maps an Error to a status, `error.type` and Proxy-Status, so that the agent, the span
// and the log say the same. Mistakes of our own are asserts, never Errors.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <utility>

namespace sidespan {

// Who has to change something for this not to happen again.
enum class Side : uint8_t {
  kAgent,   // the program that connects to us
  kOrigin,  // the server we connect to
  kSelf,    // this process, its configuration or its machine
};

enum class Code : uint8_t {
  kMalformed,          // not one plainly well-formed message
  kUnsupported,        // well-formed, but not something we do
  kTooLarge,           // a named limit was reached
  kTargetTooLong,      // the request target is over its limit
  kHeadTooLarge,       // the head's bytes or field count are over their limit
  kTimeout,            // a wait reached its limit
  kConnectTimeout,     // no connection within the limit
  kDnsFailure,         // the name has no address or could not be looked up
  kConnectionRefused,  // nobody listens there
  kUnreachable,        // no route, or the network said no
  kConnectionClosed,   // the peer closed before it had answered
  kConnectionReset,    // the peer reset the connection
  kTruncated,          // a message ended before its own end
  kDenied,             // configuration forbids it
  kLoop,               // the target is this sidecar itself, or leads back to it
  kOverload,           // too much at once; later may work
  kInvalid,            // a value (setting, argument, file content) is not valid
  kSystem,             // the operating system refused
  kTlsFailure,         // no TLS connection could be agreed on, or a record of it was broken
  kNoProtocol,         // by ALPN: the peer speaks none of those that were offered
  kCertificateExpired,
  kCertificateNotYetValid,
  kCertificateName,       // it is another host's
  kCertificateUntrusted,  // nobody we trust has signed it
  kCertificateInvalid,    // anything else that is wrong with it
  kCertificateRequired,   // the peer wants one of ours, and there is none
  kMisdirected,           // a request that this connection's origin does not answer for
  kCancelled,             // the peer gave up this one call, and its connection lives on
};

// Low-cardinality name, used as `error.type` where no HTTP status says more. Static storage.
std::string_view name_of(Code code);
std::string_view name_of(Side side);

struct Error {
  Code code = Code::kSystem;
  Side side = Side::kSelf;
  bool retryable = false;  // nothing was done yet at the other side; another try is safe
  std::string what;        // one plain sentence for people, without secrets and without a full stop
};

template <class T>
using Result = std::expected<T, Error>;

inline std::unexpected<Error> fail(Code code, Side side, std::string what, bool retryable = false) {
  return std::unexpected(Error{code, side, retryable, std::move(what)});
}

}  // namespace sidespan
