#include "sidespan/semconv/mcp_calls.h"

#include <algorithm>
#include <utility>

#include "sidespan/semconv/attributes.h"
#include "sidespan/semconv/mcp_span.h"

namespace sidespan::semconv {
namespace {

// Of what names a session: a longer one is nobody's.
constexpr size_t kSessionBytesMax = 2048;
// Stands in neither an id of a session nor a URL, nor, as JSON text, in an id of a request.
constexpr char kBetween = '\n';

std::string name_of_session(const http::Url& url, std::string_view kind, std::string_view name) {
  if (name.size() > kSessionBytesMax) return {};
  std::string out(url.scheme);
  out.append("://").append(url.authority.host).append(":").append(std::to_string(url.port()));
  return out.append(1, kBetween).append(kind).append(name);
}

std::string key_of(std::string_view session, std::string_view id) {
  std::string key(session);
  return key.append(1, kBetween).append(id);
}

}  // namespace

struct McpCalls::Call {
  uint64_t serial = 0;
  std::string progress_token = {};
  uint64_t progress = 0;
  // Of one whose exchange is over.
  std::optional<McpOpenSpan> left = {};
  MonoTime left_at{};
  // Of one whose exchange goes on.
  std::optional<McpEnd> end = {};
};

struct McpCalls::Ended {
  McpOpenSpan span;
  McpEnd end;
};

void end_call(McpOpenSpan&& open, const McpEnd& end, McpCallSink& sink) {
  trace::Span& span = open.span;
  span.duration = std::max(end.at - open.start, Nanoseconds::zero());
  describe_mcp_progress(span, open.progress);
  if (end.answer) describe_mcp_answer(span, *end.answer);
  const std::string_view error = end.ending == Ending::kOriginClosed
                                     ? name_of(Code::kConnectionClosed)
                                 : end.ending == Ending::kTimeout ? name_of(Code::kTimeout)
                                                                  : std::string_view();
  // What its exchange says of it is more.
  if (!error.empty() && span.status != trace::SpanStatus::kError) {
    span.attributes.set(attribute::kErrorType, error);
    span.status = trace::SpanStatus::kError;
  }
  span.attributes.set(attribute::kEnd, name_of(end.ending));
  sink.on_call(std::move(span), end.ending);
}

std::string mcp_session_by_id(const http::Url& url, std::string_view session_id) {
  return name_of_session(url, "id ", session_id);
}

std::string mcp_session_by_url(const http::Url& url) {
  return name_of_session(url, "url ", url.path);
}

McpCalls::McpCalls(size_t calls_max, Nanoseconds wait_max)
    : calls_max_(calls_max), wait_max_(wait_max) {}

McpCalls::~McpCalls() = default;

void McpCalls::open_endpoint(const std::string& session, MonoTime now, McpCallSink& sink) {
  {
    const std::scoped_lock lock(mutex_);
    Endpoint& endpoint = endpoints_[session];
    endpoint_count_ = endpoints_.size();
    if (++endpoint.streams == 1) return;
    endpoint.version.clear();  // each may have another
  }
  end_session(session, {.ending = Ending::kLimit, .at = now}, sink);
}

void McpCalls::close_endpoint(const std::string& session, const McpEnd& end, McpCallSink& sink) {
  {
    const std::scoped_lock lock(mutex_);
    const auto endpoint = endpoints_.find(session);
    if (endpoint == endpoints_.end()) return;
    if (end.ending == Ending::kLimit) ++endpoint->second.unseen;
    if (--endpoint->second.streams > 0) return;
    endpoints_.erase(endpoint);
    endpoint_count_ = endpoints_.size();
  }
  end_session(session, end, sink);
}

std::string McpCalls::session_at(const http::Url& url) const {
  if (endpoint_count_.load(std::memory_order_relaxed) == 0) return {};
  std::string session = mcp_session_by_url(url);
  const std::scoped_lock lock(mutex_);
  return endpoints_.contains(session) ? session : std::string();
}

std::string McpCalls::version_of(const std::string& session) const {
  const std::scoped_lock lock(mutex_);
  const auto endpoint = endpoints_.find(session);
  return endpoint == endpoints_.end() ? std::string() : endpoint->second.version;
}

// Several streams have named its URL. Under the lock.
bool McpCalls::is_shared(std::string_view session) const {
  const auto endpoint = endpoints_.find(session);
  return endpoint != endpoints_.end() && endpoint->second.streams + endpoint->second.unseen > 1;
}

McpCalls::Ref McpCalls::open(std::string_view session, const McpMessage& request, MonoTime now,
                             McpCallSink& sink) {
  Ref ref{key_of(session, request.id), 0};
  std::vector<Ended> ended;
  {
    const std::scoped_lock lock(mutex_);
    if (is_shared(session)) return ref;
    if (const auto same = calls_.find(ref.key); same != calls_.end()) {
      end_one(same, {.ending = Ending::kLimit, .at = now}, ended);
      calls_.erase(ref.key);
    }
    if (calls_.size() < calls_max_) {
      ref.serial = ++last_serial_;
      calls_.emplace(ref.key, Call{.serial = ref.serial, .progress_token = request.progress_token});
    }
  }
  emit(ended, sink);
  return ref;
}

std::optional<McpEnd> McpCalls::look(const Ref& ref) const {
  if (ref.serial == 0) return std::nullopt;
  const std::scoped_lock lock(mutex_);
  const auto call = calls_.find(ref.key);
  // Another has its id by now.
  if (call == calls_.end() || call->second.serial != ref.serial) {
    return McpEnd{.ending = Ending::kLimit};
  }
  return call->second.end;
}

uint64_t McpCalls::progress_of(const Ref& ref) const {
  if (ref.serial == 0) return 0;
  const std::scoped_lock lock(mutex_);
  const auto call = calls_.find(ref.key);
  const bool same = call != calls_.end() && call->second.serial == ref.serial;
  return same ? call->second.progress : 0;
}

std::optional<McpEnd> McpCalls::take(const Ref& ref) {
  if (ref.serial == 0) return std::nullopt;
  const std::scoped_lock lock(mutex_);
  const auto call = calls_.find(ref.key);
  if (call == calls_.end() || call->second.serial != ref.serial) {
    return McpEnd{.ending = Ending::kLimit};
  }
  std::optional<McpEnd> end = std::move(call->second.end);
  calls_.erase(call);
  return end;
}

void McpCalls::leave(const Ref& ref, McpOpenSpan&& span, MonoTime now, McpCallSink& sink) {
  McpEnd end{.ending = Ending::kLimit, .at = now};
  {
    const std::scoped_lock lock(mutex_);
    const auto call = calls_.find(ref.key);
    if (call != calls_.end() && call->second.serial == ref.serial) {
      if (!call->second.end) {
        call->second.left = std::move(span);
        call->second.left_at = now;
        ++waiting_;
        return;
      }
      end = *std::move(call->second.end);
      span.progress += call->second.progress;
      calls_.erase(call);
    }
  }
  end_call(std::move(span), end, sink);
}

// Tokens are the agent's to choose, and unique among the calls of a session that are under way.
void McpCalls::progress(std::string_view session, std::string_view token) {
  const std::string prefix = key_of(session, {});
  const std::scoped_lock lock(mutex_);
  if (is_shared(session)) return;
  for (auto call = calls_.lower_bound(prefix);
       call != calls_.end() && call->first.starts_with(prefix); ++call) {
    if (call->second.progress_token != token) continue;
    ++call->second.progress;
    return;
  }
}

void McpCalls::answer(std::string_view session, const McpMessage& answer, MonoTime now,
                      McpCallSink& sink) {
  {
    const std::scoped_lock lock(mutex_);
    if (is_shared(session)) return;
    const auto endpoint = endpoints_.find(session);
    const bool chooses = endpoint != endpoints_.end() && !answer.protocol_version.empty();
    if (chooses) endpoint->second.version = answer.protocol_version;
  }
  end_one(session, answer.id, {.ending = Ending::kComplete, .at = now, .answer = answer}, sink);
}

void McpCalls::cancel(std::string_view session, std::string_view id, MonoTime now,
                      McpCallSink& sink) {
  end_one(session, id, {.ending = Ending::kAgentCancelled, .at = now}, sink);
}

void McpCalls::end_session(std::string_view session, const McpEnd& end, McpCallSink& sink) {
  end_many(key_of(session, {}), end, sink);
}

void McpCalls::end_all(const McpEnd& end, McpCallSink& sink) {
  end_many({}, end, sink);
}

void McpCalls::expire(MonoTime now, McpCallSink& sink) {
  if (waiting() == 0) return;
  std::vector<Ended> ended;
  {
    const std::scoped_lock lock(mutex_);
    for (auto call = calls_.begin(); call != calls_.end();) {
      const bool over = call->second.left && now - call->second.left_at >= wait_max_;
      call = over ? end_one(call, {.ending = Ending::kTimeout, .at = now}, ended) : std::next(call);
    }
  }
  emit(ended, sink);
}

// One whose exchange goes on stays until that is over. Returns the next. Under the lock.
McpCalls::Calls::iterator McpCalls::end_one(Calls::iterator call, const McpEnd& end,
                                            std::vector<Ended>& ended) {
  if (!call->second.left) {
    if (!call->second.end) call->second.end = end;
    return std::next(call);
  }
  call->second.left->progress += call->second.progress;
  ended.push_back({*std::move(call->second.left), end});
  --waiting_;
  return calls_.erase(call);
}

void McpCalls::end_one(std::string_view session, std::string_view id, const McpEnd& end,
                       McpCallSink& sink) {
  std::vector<Ended> ended;
  {
    const std::scoped_lock lock(mutex_);
    const auto call = calls_.find(key_of(session, id));
    if (call != calls_.end()) end_one(call, end, ended);
  }
  emit(ended, sink);
}

// Those whose keys begin so.
void McpCalls::end_many(std::string_view prefix, const McpEnd& end, McpCallSink& sink) {
  std::vector<Ended> ended;
  {
    const std::scoped_lock lock(mutex_);
    auto call = calls_.lower_bound(prefix);
    while (call != calls_.end() && call->first.starts_with(prefix)) {
      call = end_one(call, end, ended);
    }
  }
  emit(ended, sink);
}

void McpCalls::emit(std::vector<Ended>& ended, McpCallSink& sink) {
  for (Ended& one : ended) end_call(std::move(one.span), one.end, sink);
}

}  // namespace sidespan::semconv
