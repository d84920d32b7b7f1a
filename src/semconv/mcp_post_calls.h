// The MCP requests of one POST, from where each was read to its end: by its answer in the answer to
// the POST, by what McpCalls heard of it elsewhere, or with the exchange. Alone and answered there
// a request is a part of the POST's span; else each gets a span of its own. Used by McpObserver.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sidespan/base/memory_ledger.h"
#include "sidespan/base/random.h"
#include "sidespan/semconv/http_span.h"
#include "sidespan/semconv/mcp.h"
#include "sidespan/semconv/mcp_calls.h"
#include "sidespan/semconv/observer.h"

namespace sidespan::semconv {

class McpPostCalls {
 public:
  // Both null: they have no life outside the POST.
  McpPostCalls(McpCalls* elsewhere, McpCallSink* sink) : elsewhere_(elsewhere), sink_(sink) {}
  ~McpPostCalls();
  McpPostCalls(const McpPostCalls&) = delete;
  McpPostCalls& operator=(const McpPostCalls&) = delete;

  // Where else answers may come from now on; of those before, too.
  void share(const std::string& session, MonoTime now);
  void on_request(const McpMessage& request, Moment at);
  // Whether it was one of theirs.
  bool on_answer(const McpMessage& answer, MonoTime at);
  // The same of progress with that token.
  bool on_progress(std::string_view token);

  // The exchange is over. `goes_on`: answers may come on another stream. Afterwards it is known
  // whether they have spans of their own.
  void settle(bool goes_on);
  bool have_spans() const { return have_spans_; }
  // What `session_id` and `version` are, for those.
  struct Session {
    std::string_view id;
    std::string_view version;
  };
  void emit(const HttpFacts& post, const HttpSpanOptions& options, const Session& session,
            Random& random);

  // Nobody looks any longer: those that were to have spans of their own get none.
  void leave_out();

  uint64_t count() const { return calls_.size() + left_out_; }
  // Of the first, where there is one.
  const McpMessage* request() const { return calls_.empty() ? nullptr : &calls_.front().request; }
  const McpMessage* answer() const;
  uint64_t progress() const { return calls_.empty() ? 0 : progress_of(calls_.front()); }

 private:
  struct Call {
    McpMessage request;
    Moment start;
    McpCalls::Ref ref = {};
    std::optional<McpEnd> end = {};  // with its answer
    uint64_t progress = 0;
  };

  void share(Call& call, MonoTime now);
  uint64_t progress_of(const Call& call) const;
  McpEnd end_of(Call& call, const HttpFacts& post) const;

  McpCalls* const elsewhere_;
  McpCallSink* const sink_;
  MemoryCharge charge_;
  std::string session_;  // empty: none
  std::vector<Call> calls_;
  uint64_t left_out_ = 0;
  bool goes_on_ = false;
  bool have_spans_ = false;
};

}  // namespace sidespan::semconv
