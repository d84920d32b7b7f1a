// What the proxy says by itself. One table maps an Error to the status the agent sees, the
// Proxy-Status error of RFC 9209 and the `error.type` of the span, so that the three always agree.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "sidespan/base/clock.h"
#include "sidespan/base/error.h"
#include "sidespan/http/message.h"

namespace sidespan::http {

struct ErrorAnswer {
  int status;                     // 4xx: the agent's side, 5xx: the origin's or ours
  std::string_view proxy_status;  // RFC 9209 section 2.3 error type, e.g. "connection_refused"
};
ErrorAnswer answer_for(const Error& error);

// A complete head and its one-sentence body, text/plain: "sidespan: <what>.\n". Malformed requests
// and overload also say Connection: close; overload says Retry-After: 1.
struct LocalAnswer {
  Head head;
  std::string body;
};
LocalAnswer make_answer(const Error& error);
LocalAnswer make_answer(int status, std::string body, std::string_view content_type = "text/plain");

// RFC 9110 section 15; empty for what is not registered.
std::string_view reason_phrase(int status);

}  // namespace sidespan::http
