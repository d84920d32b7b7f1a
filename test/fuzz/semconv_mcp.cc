// Any bytes as the body of a POST to an MCP server and as what its streams answer, cut anywhere:
// whatever the cuts, the same requests get spans that say the same, each with one end, and none is
// left behind. The URL that an endpoint event names is a whole one, which names itself.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "semconv/mcp_stream.h"
#include "sidespan/semconv/http_span.h"
#include "sidespan/semconv/mcp_calls.h"
#include "sidespan/semconv/observer.h"

using namespace sidespan;

namespace {

// The first line is of letters, each a circumstance. Then come the body, what answers it and what
// is said on another stream, a NUL between them; the last may be missing, and is the second again.
struct Input {
  bool is(char circumstance) const { return how.contains(circumstance); }
  std::string_view how;
  std::string_view body;
  std::string_view answers;
  std::string_view heard;
};
constexpr char kEndpoint = 'e';   // the old transport: its stream names where to POST
constexpr char kNew = 'n';        // the answer gives the session
constexpr char kSilenced = 's';   // memory is short before the end
constexpr char kBroken = 'b';     // the exchange breaks
constexpr char kCancelled = 'c';  // the agent does not wait
constexpr char kAccepted = 'a';   // answered by 202
constexpr char kRefused = 'r';    // answered by 500
constexpr char kJson = 'j';       // answered by JSON
constexpr char kEarly = 'h';      // the other stream is heard before the end
constexpr char kDeleted = 'd';    // the agent ends the session
constexpr char kExecution = 'x';  // it belongs to one
constexpr char kTwo = 't';        // another stream names the same before the POST
constexpr char kSecond = 'l';     // and one while it is under way

std::string_view take_part(std::string_view& rest, char end) {
  const std::string_view part = rest.substr(0, rest.find(end));
  rest.remove_prefix(std::min(rest.size(), part.size() + 1));
  return part;
}

Input read(std::string_view bytes) {
  Input input;
  input.how = take_part(bytes, '\n');
  input.body = take_part(bytes, '\0');
  input.answers = take_part(bytes, '\0');
  input.heard = bytes.empty() ? input.answers : bytes;
  return input;
}

std::string said(const trace::Span& span) {
  std::string out = span.name + std::string(span.attributes.encoded());
  for (const trace::Link& link : span.links) out += link.context.tracestate.to_string();
  return out;
}

struct Spans final : semconv::McpCallSink {
  void on_call(trace::Span&& span, semconv::Ending ending) override {
    if (span.attributes.text("sidespan.end") != name_of(ending)) std::abort();
    const bool failed = span.status == trace::SpanStatus::kError;
    if (failed != span.attributes.contains("error.type")) std::abort();
    out.push_back(said(span));
  }
  void on_call_left_out() override { out.emplace_back("left out"); }
  std::vector<std::string> out;
};

void fill(const Input& input, http::Head& post, http::Head& get, http::Head& answer) {
  post.set_method("POST");
  get.set_method("GET");
  const std::string_view session = "mcp-session-id";
  if (!input.is(kEndpoint)) {
    (void)get.headers.add(session, "1");
    (void)(input.is(kNew) ? answer : post).headers.add(session, "1");
  }
  (void)post.headers.add("content-type", "application/json");
  (void)post.headers.add("accept", "application/json, text/event-stream");
  (void)answer.headers.add("content-type",
                           input.is(kJson) ? "application/json" : "text/event-stream");
  answer.status = input.is(kRefused) ? 500 : input.is(kAccepted) ? 202 : 200;
}

// A GET stream that may name a URL, and a POST to it or in a session.
std::vector<std::string> played(const Input& input, size_t piece) {
  using End = semconv::Observer::End;
  Spans spans;
  semconv::McpCalls calls(8, Milliseconds(1));
  Random random(1);
  const http::Url url{.scheme = "http", .userinfo = {}, .authority = {"h", {}}, .path = "/m?s=1"};
  http::Head request, get, answer, stream;
  fill(input, request, get, answer);
  stream.status = 200;
  (void)stream.headers.add("content-type", "text/event-stream");
  const auto facts = [&](const http::Head& head) {
    return semconv::CallFacts{
        .request = head, .url = url, .sampled = true, .mcp_calls = &calls, .mcp_sink = &spans};
  };
  const auto feed = [&](std::string_view text, auto take) {
    for (size_t at = 0; at < text.size(); at += piece) take(text.substr(at, piece));
  };

  static const semconv::ObserverOptions kOptions;
  auto listening = semconv::make_request_observer(facts(get), kOptions);
  const bool in_session = listening != nullptr;
  if (!listening) listening = semconv::make_response_observer(facts(get), stream);
  if (in_session) listening->on_response_head(stream, {});
  const auto hear = [&](std::string_view text) {
    feed(text, [&](std::string_view part) { listening->on_response_bytes(part, {}); });
  };
  // An observer of the old transport's stream learns the URL first.
  hear("event: endpoint\ndata: /m?s=1\n\n");
  std::vector<std::unique_ptr<semconv::Observer>> others;
  const auto name_again = [&] {
    others.push_back(semconv::make_response_observer(facts(get), stream));
    others.back()->on_response_bytes("event: endpoint\ndata: /m?s=1\n\n", {});
  };
  if (input.is(kTwo)) name_again();
  auto posting = semconv::make_request_observer(facts(request), kOptions);
  if (!posting) std::abort();
  if (input.is(kSecond)) name_again();
  feed(input.body, [&](std::string_view part) { posting->on_request_bytes(part, {}); });
  posting->on_request_end();
  posting->on_response_head(answer, {});
  feed(input.answers, [&](std::string_view part) { posting->on_response_bytes(part, {}); });
  if (input.is(kEarly)) hear(input.heard);

  const trace::SpanContext context;
  const Error error{};
  semconv::HttpFacts post;
  post.context = &context;
  post.url = &url;
  post.request = &request;
  post.response = &answer;
  if (input.is(kBroken)) post.error = &error;
  if (input.is(kCancelled)) post.ending = semconv::Ending::kAgentCancelled;
  if (input.is(kExecution)) post.execution_id = "run";
  trace::Span span;
  if (input.is(kSilenced)) {
    posting->on_silenced();
  } else {
    posting->on_end(input.is(kBroken)      ? End::kBroken
                    : input.is(kCancelled) ? End::kCancelled
                                           : End::kWhole,
                    {});
    posting->describe(span);
    posting->emit_calls(post, {}, random);
  }
  posting.reset();
  if (!input.is(kEarly)) hear(input.heard);
  if (input.is(kDeleted)) {
    get.set_method("DELETE");
    const auto deleting = semconv::make_request_observer(facts(get), kOptions);
    if (deleting) deleting->on_response_head(stream, {});
  }
  listening->on_end(End::kWhole, {});
  for (const auto& other : others) other->on_end(End::kCancelled, {});
  calls.expire(MonoTime{} + Milliseconds(1), spans);
  if (calls.waiting() != 0) std::abort();
  spans.out.push_back(said(span));
  return spans.out;
}

void check_endpoint(std::string_view named) {
  const http::Url stream{
      .scheme = "https", .userinfo = "u", .authority = {"h", 8443}, .path = "/v1/sse?x=/y"};
  const auto url = semconv::mcp_endpoint(stream, named);
  if (!url) return;
  if (!http::is_origin_form(url->path)) std::abort();
  const std::string whole =
      std::string(url->scheme) + "://" + url->authority.to_string() + url->path;
  const auto again = semconv::mcp_endpoint(stream, whole);
  if (!again || again->path != url->path || again->authority.host != url->authority.host ||
      again->port() != url->port()) {
    std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const Input input = read({reinterpret_cast<const char*>(data), size});
  const std::vector<std::string> whole = played(input, size + 32);
  if (played(input, 1) != whole || played(input, 3) != whole) std::abort();
  check_endpoint(input.body);
  return 0;
}
