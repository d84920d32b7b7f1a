#include "sidespan/base/error.h"

namespace sidespan {

std::string_view name_of(Code code) {
  switch (code) {
    case Code::kMalformed:
      return "malformed";
    case Code::kUnsupported:
      return "unsupported";
    case Code::kTooLarge:
      return "too_large";
    case Code::kTargetTooLong:
      return "target_too_long";
    case Code::kHeadTooLarge:
      return "head_too_large";
    case Code::kTimeout:
      return "timeout";
    case Code::kConnectTimeout:
      return "connect_timeout";
    case Code::kDnsFailure:
      return "dns_failure";
    case Code::kConnectionRefused:
      return "connection_refused";
    case Code::kUnreachable:
      return "unreachable";
    case Code::kConnectionClosed:
      return "connection_closed";
    case Code::kConnectionReset:
      return "connection_reset";
    case Code::kTruncated:
      return "truncated";
    case Code::kDenied:
      return "denied";
    case Code::kLoop:
      return "loop";
    case Code::kOverload:
      return "overload";
    case Code::kInvalid:
      return "invalid";
    case Code::kSystem:
      return "system";
    case Code::kTlsFailure:
      return "tls_failure";
    case Code::kNoProtocol:
      return "no_protocol";
    case Code::kCertificateExpired:
      return "certificate_expired";
    case Code::kCertificateNotYetValid:
      return "certificate_not_yet_valid";
    case Code::kCertificateName:
      return "certificate_name_mismatch";
    case Code::kCertificateUntrusted:
      return "certificate_untrusted";
    case Code::kCertificateInvalid:
      return "certificate_invalid";
    case Code::kCertificateRequired:
      return "certificate_required";
    case Code::kMisdirected:
      return "misdirected";
    case Code::kCancelled:
      return "cancelled";
  }
  return "system";
}

std::string_view name_of(Side side) {
  switch (side) {
    case Side::kAgent:
      return "agent";
    case Side::kOrigin:
      return "origin";
    case Side::kSelf:
      return "self";
  }
  return "self";
}

}  // namespace sidespan
