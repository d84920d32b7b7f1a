#include "sidespan/semconv/mcp_calls.h"

#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <string>
#include <thread>
#include <vector>

namespace sidespan::semconv {
namespace {

struct Counting final : McpCallSink {
  void on_call(trace::Span&&, Ending) override { ++ended; }
  void on_call_left_out() override {}
  std::atomic<int> ended = 0;
};

// "limit 5ms", and an error, in the order of their ends.
struct Telling final : McpCallSink {
  void on_call(trace::Span&& span, Ending ending) override {
    const auto ms = std::chrono::duration_cast<Milliseconds>(span.duration).count();
    const std::string error(span.attributes.text("error.type"));
    said.push_back(std::string(name_of(ending)) + " " + std::to_string(ms) + "ms" + error);
  }
  void on_call_left_out() override {}
  std::vector<std::string> said;
};

MonoTime at(int ms) {
  return MonoTime{} + Milliseconds(ms);
}

http::Url url(const std::string& text) {
  return *http::parse_url(text);
}

TEST_CASE("mcp: sessions are told apart by origin and id, or by URL") {
  const std::string one = mcp_session_by_id(url("http://a/mcp"), "s");
  CHECK(one == mcp_session_by_id(url("http://a:80/other?x"), "s"));
  CHECK(one != mcp_session_by_id(url("https://a:80/mcp"), "s"));
  CHECK(one != mcp_session_by_id(url("http://a:81/mcp"), "s"));
  CHECK(one != mcp_session_by_id(url("http://b/mcp"), "s"));
  CHECK(one != mcp_session_by_id(url("http://a/mcp"), "s2"));
  CHECK(mcp_session_by_id(url("http://a/"), "/s") != mcp_session_by_url(url("http://a/s")));
  CHECK(mcp_session_by_id(url("http://a/"), std::string(2049, 's')).empty());
  CHECK(mcp_session_by_url(url("http://a/" + std::string(2048, 's'))).empty());
}

TEST_CASE("mcp: a session's end is its own alone") {
  Counting sink;
  McpCalls calls(10, Milliseconds(1));
  for (const char* session : {"s", "s1", "t"}) {
    const McpCalls::Ref ref = calls.open(session, {.id = "1"}, {}, sink);
    calls.leave(ref, {trace::Span(), {}}, {}, sink);
  }
  calls.end_session("s", {.ending = Ending::kAgentCancelled}, sink);
  CHECK(sink.ended == 1);
  CHECK(calls.waiting() == 2);
}

TEST_CASE("mcp: an endpoint lasts as long as a stream that named it") {
  Counting sink;
  McpCalls calls(10, Milliseconds(1));
  const std::string session = mcp_session_by_url(url("http://a/m?s=1"));
  CHECK(calls.session_at(url("http://a/m?s=1")).empty());
  calls.open_endpoint(session, {}, sink);
  calls.answer(session, {.protocol_version = "v"}, {}, sink);
  CHECK(calls.version_of(session) == "v");
  calls.open_endpoint(session, {}, sink);
  CHECK(calls.session_at(url("http://a/m?s=1")) == session);
  CHECK(calls.session_at(url("http://a/m?s=2")).empty());
  calls.close_endpoint(session, {}, sink);
  CHECK(calls.session_at(url("http://a/m?s=1")) == session);
  calls.close_endpoint(session, {}, sink);
  calls.close_endpoint(session, {}, sink);
  CHECK(calls.session_at(url("http://a/m?s=1")).empty());
  CHECK(calls.version_of(session).empty());
}

TEST_CASE("mcp: while two streams name one URL no answer on them is anybody's") {
  const std::string s = mcp_session_by_url(url("http://a/m"));
  const McpMessage answer{.id = "1", .protocol_version = "v", .answers = true, .tool_failed = true};
  Telling sink;
  McpCalls calls(10, Milliseconds(1000));
  const auto leave = [&](const McpCalls::Ref& ref, int begun, int now) {
    calls.leave(ref, {trace::Span(), at(begun)}, at(now), sink);
  };
  calls.open_endpoint(s, at(0), sink);
  leave(calls.open(s, {.id = "1"}, at(1), sink), 1, 2);
  const McpCalls::Ref under_way = calls.open(s, {.id = "2", .progress_token = "p"}, at(3), sink);
  calls.answer(s, {.id = "0", .protocol_version = "u", .answers = true}, at(3), sink);
  REQUIRE(calls.waiting() == 1);

  calls.open_endpoint(s, at(6), sink);
  CHECK(sink.said == std::vector<std::string>{"limit 5ms"});
  CHECK(calls.version_of(s).empty());
  calls.progress(s, "p");
  CHECK(calls.progress_of(under_way) == 0);
  const McpCalls::Ref meanwhile = calls.open(s, {.id = "1"}, at(7), sink);
  CHECK(meanwhile.serial == 0);
  calls.answer(s, answer, at(8), sink);
  calls.cancel(s, "1", at(8), sink);
  CHECK(calls.version_of(s).empty());
  leave(meanwhile, 7, 9);
  CHECK(sink.said == std::vector<std::string>{"limit 5ms", "limit 2ms"});

  calls.close_endpoint(s, {.ending = Ending::kAgentCancelled, .at = at(10)}, sink);
  leave(under_way, 3, 11);
  CHECK(sink.said == std::vector<std::string>{"limit 5ms", "limit 2ms", "limit 3ms"});
  calls.answer(s, answer, at(11), sink);  // of the one that was asked meanwhile
  CHECK(calls.version_of(s) == "v");
  CHECK(calls.waiting() == 0);
  leave(calls.open(s, {.id = "3"}, at(12), sink), 12, 13);
  CHECK(calls.waiting() == 1);
  calls.answer(s, {.id = "3", .answers = true}, at(16), sink);
  CHECK(sink.said.back() == "complete 4ms");
}

TEST_CASE("mcp: a stream that nobody looks at any longer still names its URL") {
  const std::string s = mcp_session_by_url(url("http://a/m"));
  Counting sink;
  McpCalls calls(10, Milliseconds(1000));
  const auto is_put_in = [&] { return calls.open(s, {.id = "1"}, {}, sink).serial != 0; };
  calls.open_endpoint(s, {}, sink);
  calls.open_endpoint(s, {}, sink);
  calls.close_endpoint(s, {.ending = Ending::kLimit}, sink);
  CHECK_FALSE(is_put_in());
  calls.close_endpoint(s, {.ending = Ending::kOriginClosed}, sink);
  CHECK(calls.session_at(url("http://a/m")).empty());
  calls.open_endpoint(s, {}, sink);
  CHECK(is_put_in());
}

// Whoever comes first: its exchange, which ends, the stream with the answer, or the sweep.
TEST_CASE("mcp: each call ends once, on whatever thread") {
  constexpr int kThreads = 4;
  constexpr int kCalls = 500;
  Counting sink;
  McpCalls calls(kThreads * kCalls, Milliseconds(1));
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      const std::string own = "s" + std::to_string(t);
      const std::string other = "s" + std::to_string((t + 1) % kThreads);
      for (int i = 0; i < kCalls; ++i) {
        const std::string id = std::to_string(i);
        const McpCalls::Ref ref = calls.open(own, {.id = id}, {}, sink);
        calls.answer(other, {.id = id, .answers = true}, {}, sink);
        if (i % 3 == 0) calls.cancel(other, std::to_string(i / 2), {}, sink);
        if (i % 100 == 0) calls.expire(MonoTime{} + Milliseconds(1), sink);
        calls.leave(ref, {trace::Span(), {}}, {}, sink);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  calls.end_all({.ending = Ending::kDrain}, sink);
  CHECK(sink.ended == kThreads * kCalls);
  CHECK(calls.waiting() == 0);
}

}  // namespace
}  // namespace sidespan::semconv
