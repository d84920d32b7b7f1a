#include "sidespan/http/answer.h"

#include <algorithm>
#include <array>
#include <utility>

namespace sidespan::http {
namespace {

// One code on each side. An agent's fault that leaves the request unread ends the connection, too.
struct Row {
  Code code;
  ErrorAnswer agent;
  ErrorAnswer origin;
  ErrorAnswer self;
};

constexpr ErrorAnswer kInternal{500, "proxy_internal_error"};
constexpr ErrorAnswer kBadRequest{400, "http_request_error"};
constexpr ErrorAnswer kBadResponse{502, "http_protocol_error"};
constexpr ErrorAnswer kNotImplemented{501, "http_request_error"};
constexpr ErrorAnswer kTargetLong{414, "http_request_error"};
constexpr ErrorAnswer kConnectSlow{504, "connection_timeout"};
constexpr ErrorAnswer kNoAddress{502, "dns_error"};
constexpr ErrorAnswer kRefused{502, "connection_refused"};
constexpr ErrorAnswer kNoRoute{502, "destination_ip_unroutable"};
constexpr ErrorAnswer kGone{502, "connection_terminated"};
constexpr ErrorAnswer kForbidden{403, "http_request_denied"};
constexpr ErrorAnswer kOurselves{508, "proxy_loop_detected"};
constexpr ErrorAnswer kBusy{503, "connection_limit_reached"};
constexpr ErrorAnswer kNoTls{502, "tls_protocol_error"};
constexpr ErrorAnswer kBadCertificate{502, "tls_certificate_error"};

constexpr std::array<Row, 28> kRows = {{
    {Code::kMalformed, kBadRequest, kBadResponse, kInternal},
    {Code::kUnsupported, kNotImplemented, kBadResponse, kNotImplemented},
    {Code::kTooLarge, {413, "http_request_error"}, {502, "http_response_body_size"}, kInternal},
    {Code::kTargetTooLong, kTargetLong, kTargetLong, kTargetLong},
    {Code::kHeadTooLarge,
     {431, "http_request_error"},
     {502, "http_response_header_section_size"},
     kInternal},
    {Code::kTimeout, {408, "http_request_error"}, {504, "http_response_timeout"}, kInternal},
    {Code::kConnectTimeout, kConnectSlow, kConnectSlow, kConnectSlow},
    {Code::kDnsFailure, kNoAddress, kNoAddress, kNoAddress},
    {Code::kConnectionRefused, kRefused, kRefused, kRefused},
    {Code::kUnreachable, kNoRoute, kNoRoute, kNoRoute},
    {Code::kConnectionClosed, kBadRequest, kGone, kGone},
    {Code::kConnectionReset, kBadRequest, kGone, kGone},
    {Code::kTruncated, kBadRequest, {502, "http_response_incomplete"}, kInternal},
    {Code::kDenied, kForbidden, kForbidden, kForbidden},
    {Code::kLoop, kOurselves, kOurselves, kOurselves},
    {Code::kOverload, kBusy, kBusy, kBusy},
    {Code::kInvalid, kBadRequest, kBadResponse, {500, "proxy_configuration_error"}},
    {Code::kSystem, kInternal, {502, "destination_unavailable"}, kInternal},
    {Code::kTlsFailure, kBadRequest, kNoTls, kInternal},
    {Code::kNoProtocol, kBadRequest, {502, "tls_alert_received"}, kInternal},
    {Code::kCertificateExpired, kBadRequest, kBadCertificate, kInternal},
    {Code::kCertificateNotYetValid, kBadRequest, kBadCertificate, kInternal},
    {Code::kCertificateName, kBadRequest, kBadCertificate, kInternal},
    {Code::kCertificateUntrusted, kBadRequest, kBadCertificate, kInternal},
    {Code::kCertificateInvalid, kBadRequest, kBadCertificate, kInternal},
    {Code::kCertificateRequired, kBadRequest, {502, "tls_alert_received"}, kInternal},
    {Code::kMisdirected, {421, "http_request_denied"}, kBadResponse, kInternal},
    {Code::kCancelled, kBadRequest, kGone, kGone},
}};

// The request was not read to its end, or will not be: what follows it cannot be told apart.
bool ends_connection(int status) {
  constexpr std::array<int, 7> kEnding = {400, 408, 413, 414, 431, 501, 503};
  return std::ranges::find(kEnding, status) != kEnding.end();
}

struct Phrase {
  int status;
  std::string_view text;
};

// By status.
constexpr std::array<Phrase, 60> kPhrases = {{
    {100, "Continue"},
    {101, "Switching Protocols"},
    {102, "Processing"},
    {103, "Early Hints"},
    {200, "OK"},
    {201, "Created"},
    {202, "Accepted"},
    {203, "Non-Authoritative Information"},
    {204, "No Content"},
    {205, "Reset Content"},
    {206, "Partial Content"},
    {207, "Multi-Status"},
    {208, "Already Reported"},
    {226, "IM Used"},
    {300, "Multiple Choices"},
    {301, "Moved Permanently"},
    {302, "Found"},
    {303, "See Other"},
    {304, "Not Modified"},
    {305, "Use Proxy"},
    {307, "Temporary Redirect"},
    {308, "Permanent Redirect"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {402, "Payment Required"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {406, "Not Acceptable"},
    {407, "Proxy Authentication Required"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {410, "Gone"},
    {411, "Length Required"},
    {412, "Precondition Failed"},
    {413, "Content Too Large"},
    {414, "URI Too Long"},
    {415, "Unsupported Media Type"},
    {416, "Range Not Satisfiable"},
    {417, "Expectation Failed"},
    {421, "Misdirected Request"},
    {422, "Unprocessable Content"},
    {423, "Locked"},
    {424, "Failed Dependency"},
    {425, "Too Early"},
    {426, "Upgrade Required"},
    {428, "Precondition Required"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {451, "Unavailable For Legal Reasons"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {502, "Bad Gateway"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
    {505, "HTTP Version Not Supported"},
    {506, "Variant Also Negotiates"},
    {507, "Insufficient Storage"},
    {508, "Loop Detected"},
    {511, "Network Authentication Required"},
}};

}  // namespace

ErrorAnswer answer_for(const Error& error) {
  const auto row = std::ranges::find(kRows, error.code, &Row::code);
  if (row == kRows.end()) return kInternal;
  switch (error.side) {
    case Side::kAgent:
      return row->agent;
    case Side::kOrigin:
      return row->origin;
    case Side::kSelf:
      return row->self;
  }
  return kInternal;
}

LocalAnswer make_answer(const Error& error) {
  const auto [status, proxy_status] = answer_for(error);
  std::string body = "sidespan: ";
  body.append(error.what.empty() ? reason_phrase(status) : error.what).append(".\n");
  LocalAnswer answer = make_answer(status, std::move(body));
  Headers& headers = answer.head.headers;
  headers.add("Proxy-Status", "sidespan; error=" + std::string(proxy_status));
  if (status == 503) headers.add("Retry-After", "1");
  if (ends_connection(status)) headers.add("Connection", "close");
  return answer;
}

LocalAnswer make_answer(int status, std::string body, std::string_view content_type) {
  LocalAnswer answer;
  answer.head.status = status;
  answer.head.set_reason(reason_phrase(status));
  if (!body.empty()) answer.head.headers.add("Content-Type", content_type);
  answer.head.body = BodyLength::known(body.size());
  answer.body = std::move(body);
  return answer;
}

std::string_view reason_phrase(int status) {
  const auto found = std::ranges::lower_bound(kPhrases, status, {}, &Phrase::status);
  return found != kPhrases.end() && found->status == status ? found->text : std::string_view();
}

}  // namespace sidespan::http
