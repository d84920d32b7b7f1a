// A small HTTP endpoint of our own: bounded request in, response out. Health and admin stand on it.
// It runs on the telemetry loop and has in common with the proxy path only what carries bytes,
// wire::Connection and the codec. What a path means is the handler's part; methods beside GET, HEAD
// and POST, foreign hosts, bodies and waits over their limits never reach it.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sidespan/base/error.h"
#include "sidespan/base/log.h"
#include "sidespan/http/codec.h"
#include "sidespan/http/message.h"
#include "sidespan/net/address.h"
#include "sidespan/net/loop.h"

namespace sidespan::serve {

struct Request {
  const http::Head& head;
  std::string_view path;   // of the target, without the query
  std::string_view query;  // without '?'
  std::string_view body;   // complete, at most body_bytes_max
};

// For HEAD the body is measured and left out.
struct Response {
  int status = 200;
  std::string content_type = "text/plain; charset=utf-8";
  std::string body;
  std::vector<std::pair<std::string, std::string>> headers;
};

class Endpoint {
 public:
  struct Options {
    // Over it the longest idle connection makes room; where none is idle, the answer is 503.
    size_t connections_max = 64;
    size_t body_bytes_max = size_t{64} * 1024;  // 413
    Milliseconds request_time_max{10'000};  // from the end of a head to the end of its body (408)
    Milliseconds idle_time_max{60'000};     // without a request, or with an answer nobody reads
    http::CodecLimits codec;                // with the head's bytes (431) and time (408)
    // Names a Host field may carry (DNS rebinding), an IPv6 literal with or without brackets;
    // empty: any. Others are told 421.
    std::vector<std::string> hosts;
  };
  using Handler = std::function<Response(const Request&)>;

  Endpoint(net::Loop& loop, Log& log, Options options, Handler handler);
  ~Endpoint();

  // May be called for several addresses. The bound address comes back. Error side: kSelf.
  Result<net::Address> listen(const net::Address& address);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace sidespan::serve
