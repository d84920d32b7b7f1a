// Any bytes as the body of a POST that may be one to an A2A agent and as its answer, cut anywhere:
// whatever the cuts, the span says the same.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "sidespan/semconv/observer.h"

using namespace sidespan;

namespace {

// The first byte says by which head, a NUL parts what is asked from what is answered.
std::string played(std::string_view input, char kind, size_t piece) {
  const bool rest = (kind & 4) != 0;
  const http::Url url{.scheme = "http",
                      .userinfo = {},
                      .authority = {"h", {}},
                      .path = rest ? "/v1/tasks/t1:cancel" : "/"};
  http::Head request, answer;
  request.set_method("POST");
  answer.status = 200;
  (void)request.headers.add("content-type", "application/json");
  if ((kind & 1) != 0) (void)request.headers.add("a2a-version", "1.0");
  if ((kind & 8) != 0) (void)request.headers.add("accept", "application/json, text/event-stream");
  (void)answer.headers.add("content-type",
                           (kind & 2) != 0 ? "text/event-stream" : "application/json");
  static const semconv::ObserverOptions kOptions;
  const auto observer = semconv::make_request_observer({.request = request, .url = url}, kOptions);
  if (!observer) std::abort();
  const std::string_view body = input.substr(0, input.find('\0'));
  const std::string_view answers = input.substr(std::min(input.size(), body.size() + 1));
  for (size_t at = 0; at < body.size(); at += piece) {
    observer->on_request_bytes(body.substr(at, piece), {});
  }
  observer->on_request_end();
  observer->on_response_head(answer, {});
  for (size_t at = 0; at < answers.size(); at += piece) {
    observer->on_response_bytes(answers.substr(at, piece), {});
  }
  observer->on_end(semconv::Observer::End::kWhole, {});
  trace::Span span;
  observer->describe(span);
  return span.name + std::string(span.attributes.encoded());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view input(reinterpret_cast<const char*>(data + 1), size - 1);
  const char kind = static_cast<char>(data[0]);
  const std::string whole = played(input, kind, size);
  if (played(input, kind, 1) != whole || played(input, kind, 3) != whole) std::abort();
  return 0;
}
