// What one call carries that may tell whose it is, as its bytes pass, and its place in the registry
// (lineage/registry.h). Gleans beside the observer of the call, where that reads documents, else by
// readers of its own: JSON in its framings and forms, and of answers texts, too (answer_reader.h).
// It changes and keeps nothing of what passes. Made by the Exchange for calls that lineage has a
// say in.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "answer_reader.h"
#include "sidespan/base/memory_ledger.h"
#include "sidespan/base/random.h"
#include "sidespan/base/spares.h"
#include "sidespan/http/message.h"
#include "sidespan/http/uri.h"
#include "sidespan/lineage/gleaner.h"
#include "sidespan/lineage/registry.h"
#include "sidespan/lineage/target_memo.h"
#include "sidespan/semconv/body_reader.h"
#include "sidespan/semconv/observer.h"

namespace sidespan::proxy {

// `call`: what is known of it, where it is a model's; else null.
bool has_failed(const semconv::genai::Call* call, bool complete, int status);
// Where a request goes, for lineage; `url` outlives it.
inline lineage::Target target_of(const http::Head& request, const http::Url& url) {
  return {.host = url.authority.host,
          .port = url.authority.port.value_or(0),
          .path = url.path,
          .secure = url.scheme == "https",
          .fetches = request.asks("GET"),
          .alone = !request.body.may_have_bytes()};
}
// How a call of a model left its conversation.
lineage::CallEnd end_of(const semconv::genai::Call& call, bool complete, int status);

class CallLineage final : public Recycled<CallLineage, 64>, public semconv::DocumentWatcher {
 public:
  // `registry` outlives this. `of_nobody`: the call's own headers name its parent; what it carries
  // is told where somebody is at work, so that others that carry the same are not taken for the
  // only ones.
  CallLineage(lineage::Registry& registry, bool of_nobody);
  ~CallLineage();

  // A request to the agent's own server, before anything of it is sent there: what it carries is
  // what `execution` begins with. Nobody reads its answer.
  void serve(lineage::ExecutionRef execution, MonoTime now);
  // By the request's head. `observer`: that of the call, which was given this as its watcher; may
  // be null. `url` outlives this.
  void begin(const http::Head& request, const http::Url& url, const semconv::Observer* observer,
             lineage::TargetMemo& targets);
  // One of many calls of a model that share an exchange: whoever has it tells this of its
  // documents.
  void begin_shared();
  bool of_nobody() const { return of_nobody_; }
  // There is a body, and it can be read.
  bool reads_request() const { return reads_request_; }
  // What of it tells: may come at once, comes behind a file, which takes its time, or came.
  enum class Rest : uint8_t { kAtOnce, kLater, kNone };
  Rest rest() const;

  // What an observer does not read itself.
  void on_request_bytes(std::string_view bytes, MonoTime now);
  void on_request_end(MonoTime now);
  void on_response_head(const http::Head& head);
  // Publishes what they carry, so before they are forwarded.
  void on_response_bytes(std::string_view bytes, MonoTime now);
  void on_response_end(bool whole, MonoTime now);

  // Of nobody's call: tells what its request carried, once.
  void pass(MonoTime now);
  // Of a call whose trace is named, before what its request carried is let go of: the calls of that
  // trace that it has to do with. `call` as for join(), its scope that trace.
  std::vector<lineage::SpanRef> find_within(lineage::Call call, const Moment& now, Random& random);
  // Of a call whose trace is named, where the calls of models name none: the one that asked for it.
  std::optional<lineage::SpanRef> find_asking(lineage::Call call, MonoTime now) const;
  // Whether a model whose trace is named may have asked for a call that names none: there are such,
  // and no other was heard of late.
  bool seeks_anywhere(MonoTime now) const;
  // Where that is so, of a call that belongs to nobody: the one that asked for it. `call` as for
  // find_within(), of no trace.
  std::optional<lineage::SpanRef> find_anywhere(lineage::Call call, const Moment& now,
                                                Random& random);
  // The agent seems to be gone before a byte of the answer came: it may ask again.
  void agent_left();
  // It failed; who sends the same again in that trace is told of `call`.
  void fail(const lineage::SpanRef& call, MonoTime now);
  // Asks for the call's execution, once. `call` has what is known beside what it carries.
  const lineage::Joined& join(lineage::Call call, const Moment& now, Random& random);
  // Lets go of what the request carried.
  void drop_request();
  bool joined() const { return joined_.has_value(); }
  // Its place once it is joined. Looks no further from now on.
  const lineage::Joined& place() const { return *joined_; }
  void silence();
  bool is_silent() const { return silent_; }
  // The exchange is over.
  void end(lineage::CallEnd how, MonoTime now, const lineage::TokenSum& tokens);

 private:
  // The request's own reader of documents.
  struct Documents;

  json::Handler* begin_request_document() override;
  void end_request_document() override;
  void begin_answer(bool pieces) override;
  json::Handler* begin_response_document() override;
  void end_response_document() override;

  void read_request(const http::Headers& headers);
  void fill(lineage::Call& call) const;
  void join_traces(lineage::Call& call, const Moment& now, Random& random);
  void tell_answer(const lineage::Gleaned& gleaned, MonoTime now);
  void publish_given(MonoTime now);
  void publish_answer(MonoTime now);
  lineage::Voice request_voice() const {
    return converses_ ? lineage::Voice::kModelRequest : lineage::Voice::kToolRequest;
  }
  lineage::Voice answer_voice() const {
    return converses_ ? lineage::Voice::kModelAnswer : lineage::Voice::kToolAnswer;
  }

  lineage::Registry& registry_;
  MemoryCharge charge_;
  std::shared_ptr<lineage::TargetMemo::Known> head_;  // null: it tells nothing
  std::string_view path_;                             // the exchange's
  std::optional<lineage::Gleaner> request_;
  std::optional<lineage::Gleaner> answer_;
  std::unique_ptr<lineage::FormGleaner> form_;
  std::unique_ptr<Documents> own_request_;
  std::unique_ptr<AnswerReader> own_answer_;
  std::optional<lineage::Hasher> said_;  // of a request whose trace is named: target and body
  size_t said_bytes_ = 0;
  uint64_t request_id_ = 0;  // that, and its trace; zero: not known
  std::optional<lineage::Joined> joined_;
  lineage::Joined traced_;          // in registry_.traces()
  std::optional<uint64_t> around_;  // where it was asked for there: the scope around its trace
  const bool of_nobody_;
  const bool tells_;        // somebody is at work
  bool converses_ = false;  // the observer's: voices are those of a conversation with a model
  bool silent_ = false;
  bool serves_ = false;
  bool request_ended_ = false;
  bool observed_ = false;  // an observer reads the documents
  bool reads_request_ = false;
  bool pieces_ = false;  // the answer's documents are pieces of one
};

}  // namespace sidespan::proxy
