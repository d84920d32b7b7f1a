// Any bytes as the body of a POST to an MCP server and as what its streams answer, cut anywhere:
// whatever the cuts, the same requests get spans, and none is left behind.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "sidespan/semconv/http_span.h"
#include "sidespan/semconv/mcp_calls.h"
#include "sidespan/semconv/observer.h"

using namespace sidespan;

namespace {

struct Names final : semconv::McpCallSink {
  void on_call(trace::Span&& span, semconv::Ending ending) override {
    out.push_back(span.name + " " + std::string(name_of(ending)));
  }
  void on_call_left_out() override { out.emplace_back("left out"); }
  std::vector<std::string> out;
};

// A GET stream that may name a URL, and a POST to it or in a session.
std::vector<std::string> played(std::string_view input, size_t piece) {
  Names names;
  semconv::McpCalls calls(8, Milliseconds(1));
  Random random(1);
  const http::Url url{.scheme = "http", .userinfo = {}, .authority = {"h", {}}, .path = "/m?s=1"};
  http::Head request, get, answer, stream;
  request.set_method("POST");
  get.set_method("GET");
  const bool in_session = !input.starts_with('e');
  input.remove_prefix(input.empty() ? 0 : 1);
  if (in_session) {
    for (http::Head* head : {&request, &get}) (void)head->headers.add("mcp-session-id", "1");
  }
  (void)request.headers.add("content-type", "application/json");
  answer.status = stream.status = 200;
  (void)answer.headers.add("content-type", "text/event-stream");
  (void)stream.headers.add("content-type", "text/event-stream");
  const auto facts = [&](const http::Head& head) {
    return semconv::CallFacts{
        .request = head, .url = url, .sampled = true, .mcp_calls = &calls, .mcp_sink = &names};
  };
  const auto feed = [&](std::string_view text, auto take) {
    for (size_t at = 0; at < text.size(); at += piece) take(text.substr(at, piece));
  };
  const std::string_view body = input.substr(0, input.find('\0'));
  const std::string_view answers = input.substr(std::min(input.size(), body.size() + 1));

  static const semconv::ObserverOptions kOptions;
  auto listening = semconv::make_request_observer(facts(get), kOptions);
  if (!listening) listening = semconv::make_response_observer(facts(get), stream);
  if (in_session) listening->on_response_head(stream, {});
  // An observer of the old transport's stream learns the URL first.
  feed("event: endpoint\ndata: /m?s=1\n\n",
       [&](std::string_view part) { listening->on_response_bytes(part, {}); });
  const auto posting = semconv::make_request_observer(facts(request), kOptions);
  if (!posting) std::abort();
  feed(body, [&](std::string_view part) { posting->on_request_bytes(part, {}); });
  posting->on_request_end();
  posting->on_response_head(answer, {});
  feed(answers, [&](std::string_view part) { posting->on_response_bytes(part, {}); });
  posting->on_end(semconv::Observer::End::kWhole, {});
  const trace::SpanContext context;
  semconv::HttpFacts post;
  post.context = &context;
  post.url = &url;
  post.request = &request;
  post.response = &answer;
  trace::Span span;
  posting->describe(span);
  posting->emit_calls(post, {}, random);
  feed(answers, [&](std::string_view part) { listening->on_response_bytes(part, {}); });
  listening->on_end(semconv::Observer::End::kWhole, {});
  calls.expire(MonoTime{} + Milliseconds(1), names);
  if (calls.waiting() != 0) std::abort();
  names.out.push_back(span.name);
  return names.out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const std::vector<std::string> whole = played(input, input.size() + 32);
  if (played(input, 1) != whole || played(input, 3) != whole) std::abort();
  return 0;
}
