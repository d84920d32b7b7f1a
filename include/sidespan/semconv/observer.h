// A tap on one exchange: sees heads and body bytes as they pass, as const views, and afterwards
// adds what it learnt to the span. It never changes, delays or fails traffic; it keeps bounded
// state and falls silent at its limit.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "sidespan/base/clock.h"
#include "sidespan/base/error.h"
#include "sidespan/base/random.h"
#include "sidespan/http/message.h"
#include "sidespan/http/uri.h"
#include "sidespan/json/reader.h"
#include "sidespan/semconv/field_beginnings.h"
#include "sidespan/semconv/genai_reader.h"
#include "sidespan/semconv/genai_recognize.h"
#include "sidespan/semconv/prices.h"
#include "sidespan/trace/span.h"

namespace sidespan::semconv {

struct HttpFacts;
struct HttpSpanOptions;
class McpCalls;
class McpCallSink;
struct McpMessage;

class Observer {
 public:
  enum class End : uint8_t {
    kWhole,      // both directions ended as they should
    kCancelled,  // the agent wanted no more
    kBroken,
  };

  virtual ~Observer() = default;
  // The request's body as the agent sends it, and that it is whole.
  virtual void on_request_bytes(std::string_view, MonoTime) {}
  virtual void on_request_end() {}
  // The answer as the origin sends it: its head, where the observer was made for the request, then
  // the body. After 101 what it says in the protocol that was switched to.
  virtual void on_response_head(const http::Head&, MonoTime) {}
  virtual void on_response_bytes(std::string_view, MonoTime) {}
  // After 101 alone: what the agent says in that protocol.
  virtual void on_switched_request_bytes(std::string_view, MonoTime) {}
  // Nothing more comes.
  virtual void on_end(End, MonoTime) {}
  // Memory is short: it sees no more of the exchange, and its end neither.
  virtual void on_silenced() {}
  // Adds what is known by now; once for each attempt.
  virtual void describe(trace::Span&) const {}
  // After on_end() and describe(), where the exchange has a span: the calls that share it become
  // spans of their own, children of that one; some only when their answers come.
  virtual void emit_calls(const HttpFacts&, const HttpSpanOptions&, Random&) {}
  // Of a WebSocket: that side has said Close, behind which it says nothing (RFC 6455
  // section 5.5.1).
  virtual bool said_close(Side) const { return false; }
  // Its messages may get a context of their own (mcp_meta.h).
  virtual bool is_mcp() const { return false; }
  // The MCP request that its body is, once it was read; null: it is none, or several.
  virtual const McpMessage* mcp_request() const { return nullptr; }
  // What it learnt of a call of a model, for metrics; null: this is none.
  virtual const genai::Call* model_call() const { return nullptr; }
  // By what the head said it asks a model for the next words of a conversation.
  virtual bool is_conversation() const { return false; }
  // It reads the documents of both bodies, and tells CallFacts::watcher of them.
  virtual bool reads_documents() const { return false; }
};

// Reads what an observer reads, beside it: the JSON documents of both bodies, by the handlers that
// it gives (body_reader.h). It must outlive the observer.
class DocumentWatcher {
 public:
  virtual json::Handler* begin_request_document() = 0;
  virtual void end_request_document() = 0;
  // The answer's head was read. `pieces`: its documents are pieces of one answer.
  virtual void begin_answer(bool pieces) = 0;
  virtual json::Handler* begin_response_document() = 0;
  virtual void end_response_document() = 0;

 protected:
  ~DocumentWatcher() = default;
};

// Reads one of many calls that share an exchange beside the observer, which owns it: from before
// its request is read until it is over, or given up.
class SharedCallWatcher : public DocumentWatcher {
 public:
  virtual ~SharedCallWatcher() = default;
  // Its request was read, and is one: before its last bytes are forwarded.
  virtual void on_asked(const genai::Call& call, MonoTime at) = 0;
  // It was read, and is none.
  virtual void on_other_message(MonoTime at) = 0;
  // A document of its answer was read.
  virtual void on_said(MonoTime at) = 0;
};

// One of many calls that share an exchange, when it is over: a span of its own below that of the
// exchange. For the call of the sink alone.
struct SharedCall {
  MonoTime start{};
  Observer::End ending = Observer::End::kWhole;
  const genai::Call* model_call = nullptr;  // as Observer::model_call()
  SharedCallWatcher* watcher = nullptr;     // its own, if it has one
  // Adds what is known of it, its name among it.
  std::function<void(trace::Span&)> describe = {};
};

// Why the calls that share an exchange are not read, or not any more.
enum class Unread : uint8_t {
  kExtension,  // one of the WebSocket that is not known
  kMalformed,
  kLimit,
  kMemory,  // the observer was silenced
};
inline constexpr size_t kUnreadCount = 4;
std::string_view name_of(Unread reason);

class SharedCallSink {
 public:
  // For the call that begins; null: nobody watches it.
  virtual std::unique_ptr<SharedCallWatcher> watch_call() { return nullptr; }
  virtual void on_shared_call(const SharedCall& call) = 0;
  // From now on none is told, and so many that were under way are not either. Once.
  virtual void on_calls_unread(Unread reason, size_t under_way) = 0;
  // Something is said that may be a model's, and no watcher is told what: before it is forwarded.
  virtual void on_unwatched_answer(MonoTime at) = 0;

 protected:
  ~SharedCallSink() = default;
};

struct ObserverOptions {
  genai::RecognizeOptions recognize;
  genai::ReaderOptions reader;
  // capture.redact: members of JSON in captured texts, parameters of URLs in bodies.
  std::vector<std::string> redact;
  std::vector<genai::Price> prices;
};

// What is known of a call when its request's head is.
struct CallFacts {
  const http::Head& request;  // for this call only, as is `url`
  const http::Url& url;
  // Of that, and as long: the path, and what stands behind it from the '?' on.
  std::string_view path = std::string_view(url.path).substr(0, url.path.find('?'));
  std::string_view query = std::string_view(url.path).substr(path.size());
  Moment start{};
  bool counts_itself = false;       // the agent tells the call's tokens by itself
  bool sampled = false;             // it will have a span
  McpCalls* mcp_calls = nullptr;    // outlives the observer, as does the sink; null: nobody looks
  McpCallSink* mcp_sink = nullptr;  // null with `mcp_calls`
  // Where calls go that share the exchange, if anywhere; outlives the observer.
  SharedCallSink* shared_calls = nullptr;
  DocumentWatcher* watcher = nullptr;  // may be null
  // Of the request's fields, those that http::FieldName does not know.
  FieldBeginnings beginnings = FieldBeginnings::any();
};

// The observer that a request asks for: where it is a call of gRPC, of a model, or of an MCP
// server, or opens a WebSocket for calls of models. Null when none. `options` outlives it.
std::unique_ptr<Observer> make_request_observer(const CallFacts& facts,
                                                const ObserverOptions& options);

// The observer an answer asks for: by its media type (text/event-stream: counts events), or by the
// protocol that 101 switches to (websocket: counts messages). Null when none.
std::unique_ptr<Observer> make_response_observer(const CallFacts& facts,
                                                 const http::Head& response);
// False: there is none for such an answer, whatever the call is.
bool may_be_observed(const http::Head& response);

}  // namespace sidespan::semconv
