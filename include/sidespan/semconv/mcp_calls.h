// MCP requests whose answers may come elsewhere than in the answer to their POST: on the stream
// that a session's client holds open or takes up again (2025, GET), or, in the transport of
// 2024-11-05, always on the stream that named the URL to POST to. One table for all workers, since
// a session's connections may meet any of them. Observers put requests in and ask it about what
// they read; a call that outlives its exchange stays here as the beginning of its span. Ids and
// what a span says are kept, nothing else. Bounded by a number of calls and by the time that they
// may wait.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sidespan/base/clock.h"
#include "sidespan/http/uri.h"
#include "sidespan/semconv/http_span.h"
#include "sidespan/semconv/mcp.h"
#include "sidespan/trace/span.h"

namespace sidespan::semconv {

// Where calls with a span of their own end, on the thread that learnt of it.
class McpCallSink {
 public:
  virtual void on_call(trace::Span&& span, Ending ending) = 0;
  // There is no room for one more, and it gets no span.
  virtual void on_call_left_out() = 0;

 protected:
  ~McpCallSink() = default;
};

// How a call ended.
struct McpEnd {
  Ending ending = Ending::kComplete;
  MonoTime at{};
  std::optional<McpMessage> answer = {};  // kComplete alone
};

// A call's span, its end aside.
struct McpOpenSpan {
  trace::Span span;
  MonoTime start{};
  uint64_t progress = 0;  // how often it was told of
};

// Gives it its end, and to the sink.
void end_call(McpOpenSpan&& open, const McpEnd& end, McpCallSink& sink);

// What names a session among all: at an origin, by its id, or by the URL that its requests go to.
// Empty where that is too long to be kept.
std::string mcp_session_by_id(const http::Url& url, std::string_view session_id);
std::string mcp_session_by_url(const http::Url& url);

// Any thread.
class McpCalls {
 public:
  // One call in it, while its exchange goes on.
  struct Ref {
    std::string key;
    uint64_t serial = 0;  // 0: it is not in the table
  };

  // `calls_max` at a time; a call that outlives its exchange waits for its answer so long at most.
  McpCalls(size_t calls_max, Nanoseconds wait_max);
  ~McpCalls();
  McpCalls(const McpCalls&) = delete;
  McpCalls& operator=(const McpCalls&) = delete;

  // A stream has named the URL of its session, or ends (kLimit: it goes on, and nobody looks at it
  // any longer), and with the last one what waited for it. As long as several name the same one,
  // nobody can tell whose an answer is: what waits when the second comes ends there, and what is
  // asked then waits for none.
  void open_endpoint(const std::string& session, MonoTime now, McpCallSink& sink);
  void close_endpoint(const std::string& session, const McpEnd& end, McpCallSink& sink);
  // The session that has this URL; empty: none.
  std::string session_at(const http::Url& url) const;
  // The protocol version that such a session's server has chosen; empty: not known.
  std::string version_of(const std::string& session) const;

  // `request` was read, before anybody else does. An id that is used again before it was answered
  // is no longer the first one's: whose answer will come is not to be told. It is not put in where
  // there is no room, nor where several streams have named the session's URL.
  Ref open(std::string_view session, const McpMessage& request, MonoTime now, McpCallSink& sink);
  // How it ended by what was read elsewhere; nothing: not yet.
  std::optional<McpEnd> look(const Ref& ref) const;
  // How often its progress was told of elsewhere.
  uint64_t progress_of(const Ref& ref) const;
  // Its exchange is over, and so is the call. As look().
  std::optional<McpEnd> take(const Ref& ref);
  // Its exchange is over, and the call is not: it waits on.
  void leave(const Ref& ref, McpOpenSpan&& span, MonoTime now, McpCallSink& sink);

  // What was read elsewhere: that one goes on, an answer, the agent's cancellation, the end of a
  // session.
  void progress(std::string_view session, std::string_view token);
  void answer(std::string_view session, const McpMessage& answer, MonoTime now, McpCallSink& sink);
  void cancel(std::string_view session, std::string_view id, MonoTime now, McpCallSink& sink);
  void end_session(std::string_view session, const McpEnd& end, McpCallSink& sink);

  // Ends what has waited too long; every now and then.
  void expire(MonoTime now, McpCallSink& sink);
  // Ends what waits without an exchange.
  void end_all(const McpEnd& end, McpCallSink& sink);
  // How many do.
  size_t waiting() const { return waiting_.load(std::memory_order_relaxed); }
  size_t calls_max() const { return calls_max_; }

 private:
  struct Call;
  struct Endpoint {
    size_t streams = 0;  // that named it
    size_t unseen = 0;   // such that nobody looks at any longer
    std::string version = {};
  };
  struct Ended;
  using Calls = std::map<std::string, Call, std::less<>>;

  bool is_shared(std::string_view session) const;
  Calls::iterator end_one(Calls::iterator call, const McpEnd& end, std::vector<Ended>& ended);
  void end_one(std::string_view session, std::string_view id, const McpEnd& end, McpCallSink& sink);
  void end_many(std::string_view prefix, const McpEnd& end, McpCallSink& sink);
  static void emit(std::vector<Ended>& ended, McpCallSink& sink);

  const size_t calls_max_;
  const Nanoseconds wait_max_;
  std::atomic<size_t> waiting_ = 0;
  std::atomic<size_t> endpoint_count_ = 0;  // so that most requests need no lock to ask

  mutable std::mutex mutex_;  // over what follows; spans are emitted without it
  uint64_t last_serial_ = 0;
  Calls calls_;  // by session and id
  std::map<std::string, Endpoint, std::less<>> endpoints_;
};

}  // namespace sidespan::semconv
