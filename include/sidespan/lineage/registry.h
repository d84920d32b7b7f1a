// Which execution does a call belong to, where it does not say so itself: executions that are under
// way, and what each carried, compared by hash and weight. Shared by all workers: sharded, a mutex
// a shard, held for a lookup or an insert, so that a call finds the same whichever worker it meets.
// Pure: it is given the time and chance, and emits nothing. Bounded in executions and in values.
//
// A wrong parent is worse than none. What is evidence was carried first by an *answer* to this
// execution, or said to it by its user, and by nobody else that is known of: not by another
// execution, not by a call that belongs to none, and not by somebody who was forgotten for want of
// room (a filter keeps that). That two users ask the same is no evidence of anything. A tool's call
// with all the arguments that one model alone waits for is that one's, though others know them,
// too. A conversation is an execution's with what that one's model answered in it, or if half of
// what it says is: models tell many the same, and most conversations were begun elsewhere, or
// before anybody looked. A sentence in a new message is enough where its model asked a tool with
// that and waits for it, or where its user's request brought that and no other may read it. What
// may be several's by any of these is nobody's.
//
// Calls whose own headers name their trace are another registry's, traces(), where a trace is a
// scope: it finds by the same rule which earlier call of their trace they have to do with. Where
// their models' calls name none, asked_by() finds which of those asked for them; calls that name
// none themselves, and belong to nobody, are told by traces(), too, which model's call asked for
// them. That one has no execution whose span could be their parent.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sidespan/base/clock.h"
#include "sidespan/base/random.h"
#include "sidespan/lineage/gleaner.h"
#include "sidespan/lineage/resolver.h"
#include "sidespan/lineage/turn.h"
#include "sidespan/lineage/value.h"

namespace sidespan::lineage {

struct RegistryOptions {
  bool ids = true;                           // context.sources has `id`
  bool echo = true;                          // and `echo`
  size_t executions_max = 4096;              // limits.lineage_executions
  size_t values_max = 262'144;               // limits.lineage_values, of 32 bytes each
  size_t values_per_execution_max = 16'384;  // limits.lineage_execution_values
  TurnOptions turns = {};
};

// What says by itself that a call belongs to a run or a named credential: executions of other
// scopes are none of its candidates.
struct Scope {
  uint64_t id = 0;  // zero: nothing says so
  // The parent of turns: the run's, if it has one. Without an id that of a request on the ingress,
  // beside which others are candidates.
  SpanRef span = {};
  bool is_call = false;                // `span` is that of a call which many calls share
  std::string_view execution_id = {};  // `sidespan.execution.id`; empty: it has none of its own
  Source fixed_by = Source::kRoot;
};

struct Call {
  bool to_model = false;  // what people say to a model, whoever else says it
  bool converses = true;  // with one; else it opens no turn, as a search for what is alike
  Scope scope = {};
  uint64_t around = 0;   // of a call in traces(): the scope that it would have without its trace
  uint64_t session = 0;  // of the agent's session header (session.h), hashed; zero: none
  const Gleaned* head = nullptr;
  const Gleaned* body = nullptr;
  bool head_is_told = false;   // of late, by a call that belongs to nobody
  uint64_t unheard_at = 0;     // Joined::unheard_at of that one
  std::string_view path = {};  // of what it asks for; a query behind it is not looked at
  trace::SpanId span = {};     // its own
  trace::TraceId trace = {};   // that it is in unless it joins another; a turn it opens is so, too
  bool is_sent = false;        // so that this is its trace
  Moment start = {};           // of its first byte
  uint8_t flags = 0;           // of a trace that begins here
  bool retries = false;        // it says that it is sent again
};

struct Joined {
  enum class Verdict : uint8_t { kNone, kOne, kSeveral };

  Verdict verdict = Verdict::kNone;
  Source source = Source::kRoot;  // kId or kEcho where one execution explains the call
  ExecutionRef execution = {};    // that one, or the turn that it opened
  bool opened = false;
  bool is_turn = true;          // not a request on the ingress
  SpanRef parent = {};          // of `execution`
  std::string tracestate = {};  // the parent's
  uint32_t step = 0;            // the call's place in it, from 1
  bool asked_for = false;       // by a model, as far as is known
  // It says what a request on the ingress brought that is answered, or what another turn's model
  // said, and a request that is in flight now is not its parent. Not of a call that is in that
  // one's trace already.
  bool elsewhere = false;
  // The former, of any call without a scope of its own: work goes on behind an answer.
  bool outlives = false;
  // When no execution had to do with what the call carried, by the registry's age; zero: one had,
  // or may have had.
  uint64_t unheard_at = 0;
  std::vector<SpanRef> links =
      {};  // candidates; the model call that asked for it; the attempt before
};

enum class CallEnd : uint8_t {
  kAsked,     // a model wants tools called
  kAnswered,  // a model has said its last word
  kFailed,    // it has not answered, or with an error: the same may be asked again
  kOther,
};

class Registry final : public Overflow {
 public:
  static constexpr size_t kLinksMax = 8;

  Registry(const HashKey& key, const RegistryOptions& options);
  ~Registry();
  Registry(const Registry&) = delete;
  Registry& operator=(const Registry&) = delete;

  const HashKey& key() const;
  // How long a value is, after it was told last.
  Nanoseconds remembered() const;
  // No execution is under way.
  bool idle() const;
  // None of that scope; of others some may pass for it.
  bool idle(uint64_t scope) const;
  // What its calls are tied to is no span; links alone count. A scope without an id there: the call
  // names no trace, and may have been asked for in any. A quarter of this one's size. It is swept,
  // told what was not kept and counted with this one.
  Registry& traces();

  // Of late a model's call was entered here, and so names no trace: what is asked for in traces()
  // it may have asked for, too.
  bool hears_unnamed(MonoTime now) const;

  // Decides, and enters the call: what it carried is published, so that it must be called before
  // anything is forwarded. What comes of the body later is published by publish(), and call_ended()
  // comes once for each call that has an execution.
  Joined join(const Call& call, const Moment& now, Random& random);
  // Of a call that belongs to nobody here: the model's call that asked for it, where it is known by
  // what join() decides by. Before that call is published.
  std::optional<SpanRef> asked_by(const Call& call, MonoTime now);
  // A request, by a hash of all that it says, was sent by `call` and failed; the attempt before one
  // that is the same, told once. Of traces() alone.
  void call_failed(uint64_t request, const SpanRef& call, MonoTime now);
  std::optional<SpanRef> attempt_before(uint64_t request, MonoTime now);
  // What `voice` carried in a call of `execution`; of none: by a call that belongs to nobody, in
  // traces() with the scope that is `around` it. Answers: before their bytes reach the agent.
  void publish(ExecutionRef execution, Voice voice, uint32_t step, const Gleaned& gleaned,
               MonoTime now, uint64_t around = 0);
  // Its agent seems to wait for it no longer: the same may be asked again before call_ended().
  void call_left(ExecutionRef execution, uint32_t step);
  // `step`: that of Joined.
  void call_ended(ExecutionRef execution, uint32_t step, CallEnd end, MonoTime now,
                  const TokenSum& tokens = {});
  // What was decided for the call that opened a turn holds for this; `baggage`, as far as it is
  // short, is told by its span.
  void set_context(ExecutionRef execution, uint8_t flags, const std::string& tracestate,
                   const Told& baggage = {});
  // Something went by unread. Whoever seems to be the only one that carried a text may not be so,
  // for as long as texts are remembered: ids alone are evidence then. `again`: more of what was
  // counted before.
  void lose_sight(MonoTime now, bool again = false);

  // An execution with a span of its own, as a request on the ingress is, until close_given().
  ExecutionRef open_given(const SpanRef& span, uint64_t scope, const Moment& now);
  void close_given(ExecutionRef execution, MonoTime now);

  // Turns that are over, of a part of the executions: so many calls in a row look at all of them,
  // so that no one takes long.
  static constexpr size_t kSweepParts = 16;
  std::vector<ClosedTurn> close_due(MonoTime now);
  // All that are open: nothing more comes.
  std::vector<ClosedTurn> close_all(MonoTime now);

  // What is not kept: whoever carries it later is not the only one who did.
  void forget(uint64_t hash) override;

  struct Counts {
    size_t executions = 0;   // open ones
    size_t bytes = 0;        // that values, filters and executions take
    uint64_t forgotten = 0;  // values, for want of room
    uint64_t refused = 0;    // executions, for want of room
    uint64_t blinded = 0;    // lose_sight()
  };
  Counts counts() const;

 private:
  struct Impl;
  explicit Registry(std::unique_ptr<Impl> impl);

  std::unique_ptr<Impl> impl_;
};

}  // namespace sidespan::lineage
