#include "sidespan/semconv/mcp_calls.h"

#include <doctest/doctest.h>

#include <atomic>
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
  calls.open_endpoint(session);
  calls.open_endpoint(session);
  CHECK(calls.session_at(url("http://a/m?s=1")) == session);
  CHECK(calls.session_at(url("http://a/m?s=2")).empty());
  calls.answer(session, {.protocol_version = "v"}, {}, sink);
  CHECK(calls.version_of(session) == "v");
  calls.close_endpoint(session, {}, sink);
  CHECK(calls.session_at(url("http://a/m?s=1")) == session);
  calls.close_endpoint(session, {}, sink);
  calls.close_endpoint(session, {}, sink);
  CHECK(calls.session_at(url("http://a/m?s=1")).empty());
  CHECK(calls.version_of(session).empty());
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
