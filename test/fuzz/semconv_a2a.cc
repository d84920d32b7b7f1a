// Any bytes as the body of a POST that may be one to an A2A agent and as its answer, cut anywhere:
// whatever the cuts, the span says the same, it is that of one protocol, and a call that is told
// without a field that declares it is told with one, too. A path is what it is below any other.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "semconv/a2a.h"
#include "sidespan/semconv/observer.h"

using namespace sidespan;

namespace {

constexpr char kDeclared = 1;
constexpr char kEvents = 2;
constexpr char kRest = 4;
constexpr char kBoth = 8;

struct Input {
  std::string_view method = "POST";
  std::string_view path = "/";
  std::string_view body;
  std::string_view answers;
};

// A NUL parts what is asked from what is answered. By HTTP+JSON the first line is "METHOD PATH".
Input read(std::string_view bytes, char kind) {
  Input input;
  if ((kind & kRest) != 0) {
    const std::string_view line = bytes.substr(0, bytes.find('\n'));
    bytes.remove_prefix(std::min(bytes.size(), line.size() + 1));
    input.method = line.substr(0, line.find(' '));
    input.path = line.substr(std::min(line.size(), input.method.size() + 1));
  }
  input.body = bytes.substr(0, bytes.find('\0'));
  input.answers = bytes.substr(std::min(bytes.size(), input.body.size() + 1));
  return input;
}

// The first byte says by which head.
trace::Span played(const Input& input, char kind, size_t piece) {
  trace::Span span;
  const http::Url url{
      .scheme = "http", .userinfo = {}, .authority = {"h", {}}, .path = std::string(input.path)};
  http::Head request, answer;
  request.set_method(input.method);
  answer.status = 200;
  (void)request.headers.add("content-type", "application/json");
  if ((kind & kDeclared) != 0) (void)request.headers.add("a2a-version", "1.0");
  if ((kind & kBoth) != 0) {
    (void)request.headers.add("accept", "application/json, text/event-stream");
  }
  (void)answer.headers.add("content-type",
                           (kind & kEvents) != 0 ? "text/event-stream" : "application/json");
  static const semconv::ObserverOptions kOptions;
  const auto observer = semconv::make_request_observer({.request = request, .url = url}, kOptions);
  if (!observer) return span;
  for (size_t at = 0; at < input.body.size(); at += piece) {
    observer->on_request_bytes(input.body.substr(at, piece), {});
  }
  observer->on_request_end();
  observer->on_response_head(answer, {});
  for (size_t at = 0; at < input.answers.size(); at += piece) {
    observer->on_response_bytes(input.answers.substr(at, piece), {});
  }
  observer->on_end(semconv::Observer::End::kWhole, {});
  observer->describe(span);
  return span;
}

std::string said(const trace::Span& span) {
  return span.name + std::string(span.attributes.encoded());
}

void check_path(std::string_view method, std::string_view path) {
  const auto found = semconv::a2a_path(method, path);
  if (found && semconv::a2a_method(name_of(found->method)) != found->method) std::abort();
  if (found && !path.contains(found->task_id)) std::abort();
  if (!path.starts_with('/')) return;
  const std::string below = "/agents/7" + std::string(path);
  const auto again = semconv::a2a_path(method, below);
  if (found.has_value() != again.has_value()) std::abort();
  if (found && (found->method != again->method || found->task_id != again->task_id)) std::abort();
  if (semconv::is_agent_card_path(path) && !semconv::is_agent_card_path(below)) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  constexpr std::string_view kMethod = "a2a.method.name";
  if (size == 0) return 0;
  const char kind = static_cast<char>(data[0]);
  const Input input = read({reinterpret_cast<const char*>(data + 1), size - 1}, kind);
  const trace::Span whole = played(input, kind, size);
  for (const size_t piece : {1U, 3U}) {
    if (said(played(input, kind, piece)) != said(whole)) std::abort();
  }
  const std::string_view method = whole.attributes.text(kMethod);
  if (!method.empty() && method != whole.name) std::abort();
  if (!method.empty() && whole.attributes.contains("mcp.method.name")) std::abort();
  if ((kind & kRest) != 0) {
    check_path(input.method, input.path);
  } else if (!method.empty()) {
    const trace::Span declared = played(input, kind | kDeclared, size);
    if (declared.attributes.text(kMethod) != method) std::abort();
  }
  return 0;
}
