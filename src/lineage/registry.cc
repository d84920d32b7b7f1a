#include "sidespan/lineage/registry.h"

#include <algorithm>
#include <atomic>
#include <deque>
#include <map>
#include <mutex>
#include <utility>

#include "lineage/execution_table.h"
#include "lineage/failed_calls.h"
#include "lineage/judge.h"
#include "lineage/pending_calls.h"
#include "lineage/value_table.h"

namespace sidespan::lineage {
namespace {

uint8_t marks_of(Voice voice, Place place) {
  switch (voice) {
    case Voice::kModelRequest:
      return place == Place::kWords ? kSaidByUser : kSentFixed;
    case Voice::kModelAnswer:
      return place == Place::kAsked ? kSaidByModel | kAskedOfTool : kSaidByModel;
    case Voice::kToolRequest:
      return kSentFixed;
    case Voice::kToolAnswer:
      return kSaidByTool;
    case Voice::kGiven:
      return kGivenAtBegin;
  }
  return kSentFixed;
}

void add_link(std::vector<SpanRef>& links, const std::optional<SpanRef>& link) {
  if (!link || !*link || links.size() == Registry::kLinksMax) return;
  if (std::ranges::find(links, *link) == links.end()) links.push_back(*link);
}

// Where calls look for who asked for them that name no trace: what is of any trace, but of one
// scope around it.
uint64_t anywhere(uint64_t around) {
  return around ^ 0x9e3779b97f4a7c15U;
}

// Nothing that is opened there gets a span.
RegistryOptions of_traces(RegistryOptions options) {
  constexpr size_t kShare = 4;
  options.turns.on = true;
  options.executions_max /= kShare;
  options.values_max /= kShare;
  // What is said in a trace is kept for it and for who names none.
  options.values_per_execution_max *= 2;
  return options;
}

}  // namespace

struct Registry::Impl {
  Impl(const HashKey& hash_key, const RegistryOptions& given)
      : key(hash_key),
        options(given),
        executions(given.executions_max, given.turns),
        values(given.values_max, remembered(given), executions),
        pending(given.values_max / kValuesAPendingCall, executions),
        failed(given.turns.idle) {}

  // A call, and what it carries, as within() has it.
  struct Within {
    Within(Impl& impl, uint64_t space, const Call& given, MonoTime now) : call(given) {
      if (given.head != nullptr) head = impl.within(space, *given.head, now);
      if (given.body != nullptr) body = impl.within(space, *given.body, now);
      if (given.head != nullptr) call.head = &head;
      if (given.body != nullptr) call.body = &body;
    }
    Within(const Within&) = delete;
    Within& operator=(const Within&) = delete;

    Gleaned head;
    Gleaned body;
    Call call;
  };
  // The trace of a run, as turns fill it.
  struct RunTrace {
    MonoTime since{};
    uint64_t spans = 0;
    SpanRef last_turn = {};
  };
  static constexpr size_t kRunsMax = 1024;
  // Of what an answer says few texts are calls of tools.
  static constexpr size_t kValuesAPendingCall = 16;

  void place_turn(const Call& call, const Moment& now, Random& random, Opening& opening);
  void count_span(const Scope& scope, MonoTime now);
  Gleaned within(uint64_t space, const Gleaned& gleaned, MonoTime now);
  void tell_request(const Call& call, const Joined& joined, MonoTime now);
  Judgement judge(const Call& call, MonoTime now);
  Joined join(const Call& call, const Moment& now, Random& random);
  void open_turn(const Call& call, const Judgement& judgement, const Moment& now, Random& random,
                 Joined& out);
  void publish(ExecutionRef execution, Voice voice, uint32_t step, const Gleaned& gleaned,
               MonoTime now);
  void want(ExecutionRef execution, uint32_t step, const Gleaned& answer, MonoTime now);
  void ask_unasked(const Gleaned& request, MonoTime now);
  std::pair<size_t, size_t> resent(ExecutionRef execution, const Gleaned& gleaned, MonoTime now);
  RunTrace& run_of(const Scope& scope, MonoTime now);
  // How long a value is, after it was carried last.
  static Nanoseconds remembered(const RegistryOptions& options) { return 2 * options.turns.idle; }
  int64_t remembered_until(MonoTime now) const {
    return (now + remembered(options)).time_since_epoch().count();
  }

  const HashKey key;
  const RegistryOptions options;
  ExecutionTable executions;
  ValueTable values;
  PendingCalls pending;
  FailedCalls failed;
  std::mutex runs_mutex;
  std::map<uint64_t, RunTrace> runs;
  std::deque<uint64_t> runs_in_order;  // the oldest first
  std::atomic<int64_t> latest{0};      // what forget() knows of the time
  std::atomic<int64_t> blind_until{0};
  std::atomic<int64_t> unnamed_until{0};  // as long as what a model says is remembered
  std::atomic<uint64_t> blinded{0};
  std::atomic<size_t> swept{0};      // parts
  std::atomic<uint64_t> age{1};      // grows behind all that an execution is said to have
  std::unique_ptr<Registry> traces;  // null: it is one itself
  std::atomic<bool> forgets{false};  // then: was told what was not kept
};

// The same text in another trace is something else; what was not kept in any is no evidence.
Gleaned Registry::Impl::within(uint64_t space, const Gleaned& gleaned, MonoTime now) {
  Gleaned out = gleaned;
  const bool gaps = forgets.load(std::memory_order_relaxed);
  for (Value& value : out.values) {
    if (gaps && values.may_hold(value.hash, now)) {
      value.weight = 0;
      value.id = false;
    }
    value.hash ^= space;
  }
  for (Asked& one : out.asked) one.arguments ^= space;
  for (Prefix& one : out.prefixes) one.digest ^= space;
  return out;
}

// With runs_mutex held.
Registry::Impl::RunTrace& Registry::Impl::run_of(const Scope& scope, MonoTime now) {
  const auto [run, added] = runs.try_emplace(scope.id, RunTrace{.since = now});
  if (!added) return run->second;
  runs_in_order.push_back(scope.id);
  if (runs.size() > kRunsMax) {
    runs.erase(runs_in_order.front());
    runs_in_order.pop_front();
  }
  return run->second;
}

void Registry::Impl::count_span(const Scope& scope, MonoTime now) {
  if (!scope.span || scope.id == 0) return;
  const std::lock_guard lock(runs_mutex);
  ++run_of(scope, now).spans;
}

// Whose trace a new turn is in, and what it is linked to.
void Registry::Impl::place_turn(const Call& call, const Moment& now, Random& random,
                                Opening& opening) {
  const trace::SpanId own = trace::SpanId::make(random);
  const trace::TraceId trace = call.trace ? call.trace : trace::TraceId::make(random);
  if (call.scope.span && call.scope.id == 0) {
    opening.span = {call.scope.span.trace_id, own, call.scope.span.flags};
    opening.parent_id = call.scope.span.span_id;
  } else if (call.scope.span) {
    const std::lock_guard lock(runs_mutex);
    RunTrace& run = run_of(call.scope, now.mono);
    const bool room = run.spans < options.turns.trace_spans_max &&
                      now.mono - run.since < options.turns.trace_age_max;
    const bool wanted = options.turns.in_runs_trace && room;
    if (wanted || (call.is_sent && trace == call.scope.span.trace_id)) {
      opening.span = {call.scope.span.trace_id, own, call.scope.span.flags};
      opening.parent_id = call.scope.span.span_id;
      ++run.spans;
    } else {
      const bool of_run = trace == call.scope.span.trace_id;
      opening.span = {of_run ? trace::TraceId::make(random) : trace, own, call.flags};
      add_link(opening.links, call.scope.span);
      add_link(opening.links, run.last_turn);
    }
    run.last_turn = opening.span;
  } else {
    opening.span = {trace, own, call.flags};
  }
  if (opening.before) add_link(opening.links, executions.span_of(opening.before));
}

void Registry::Impl::open_turn(const Call& call, const Judgement& judgement, const Moment& now,
                               Random& random, Joined& out) {
  Opening opening{.in_call = call.scope.is_call,
                  .scope = call.scope.id,
                  .execution_id = std::string(call.scope.execution_id),
                  .fixed_by = call.scope.fixed_by,
                  .session = call.session,
                  .before = judgement.before};
  Call placed = call;
  if (out.elsewhere) {
    placed.scope.span = {};
    placed.trace = {};
  }
  place_turn(placed, now, random, opening);
  const bool told = call.start.mono != MonoTime{} && call.start.mono < now.mono;
  const Moment& start = told ? call.start : now;
  const ExecutionRef turn = executions.open(std::move(opening), start, random.next());
  const std::optional<Entered> entered =
      turn ? executions.enter(turn, {call.span, true, false, {}}, now.mono) : std::nullopt;
  if (!entered) return;
  if (judgement.before) executions.went_on(judgement.before);
  out.execution = turn;
  out.opened = true;
  out.parent = entered->span;
  out.tracestate = entered->tracestate;
  out.step = entered->step;
}

// Of a body's values, those of a conversation's beginning that this execution, or the turn before
// it, sent before.
std::pair<size_t, size_t> Registry::Impl::resent(ExecutionRef execution, const Gleaned& gleaned,
                                                 MonoTime now) {
  const std::optional<Standing> standing = executions.standing(execution, now);
  const ExecutionRef before = standing ? standing->before : ExecutionRef{};
  for (size_t i = gleaned.prefixes.size(); i-- > 0;) {
    const std::optional<Held> held = values.find(gleaned.prefixes[i].digest, now);
    if (!held) continue;
    for (const Holder& holder : held->holders) {
      const bool own =
          holder.execution && (holder.execution == execution || holder.execution == before);
      if (own && (holder.marks & kAllMessages) != 0) {
        return {gleaned.messages_begin, gleaned.prefixes[i].values_end};
      }
    }
  }
  return {0, 0};
}

// What a model wants called. Where nobody knows for whom, or for want of room, nobody else may be
// taken for the only one who wants it.
void Registry::Impl::want(ExecutionRef execution, uint32_t step, const Gleaned& answer,
                          MonoTime now) {
  for (const Asked& one : answer.asked) {
    const PendingCall call{execution, static_cast<uint8_t>(step), false, one.name};
    const bool known = execution && pending.add(one.arguments, call, now);
    if (!known) values.insert(one.arguments, {}, false, now);
  }
  age.fetch_add(1, std::memory_order_release);
}

// What no model is known to have asked for: programs ask for the same by themselves.
void Registry::Impl::ask_unasked(const Gleaned& request, MonoTime now) {
  for (const Asked& one : request.asked) values.insert(one.arguments, {}, false, now);
}

void Registry::Impl::publish(ExecutionRef execution, Voice voice, uint32_t step,
                             const Gleaned& gleaned, MonoTime now) {
  const auto low = static_cast<uint8_t>(step);
  const auto [skip_from, skip_to] = execution && !gleaned.prefixes.empty()
                                        ? resent(execution, gleaned, now)
                                        : std::pair<size_t, size_t>{0, 0};
  bool tells = false;
  for (size_t i = 0; i < gleaned.values.size(); ++i) {
    if (i >= skip_from && i < skip_to) continue;
    const Value& value = gleaned.values[i];
    const bool light = value.weight < kHeavyWeight && !value.id;
    uint8_t marks = marks_of(voice, value.place);
    if (value.id) marks |= kAsId;
    const bool added = values.insert(value.hash, {execution, marks, low}, light, now).added;
    tells |= value.weight >= kEvidenceWeight && is_sentence(value);
    if (added && !executions.charge_value(execution, options.values_per_execution_max)) {
      values.forget(value.hash, now);
    }
  }
  if (tells && voice == Voice::kGiven) executions.set_telling(execution);
  if (voice == Voice::kModelRequest && !gleaned.prefixes.empty()) {
    values.insert(gleaned.prefixes.back().digest, {execution, kAllMessages, low}, false, now);
  }
  if (execution) age.fetch_add(1, std::memory_order_release);
}

Registry::Registry(const HashKey& key, const RegistryOptions& options)
    : Registry(std::make_unique<Impl>(key, options)) {
  impl_->traces.reset(new Registry(std::make_unique<Impl>(key, of_traces(options))));
}

Registry::Registry(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Registry::~Registry() = default;

bool Registry::idle() const {
  return impl_->executions.open_count() == 0;
}

bool Registry::idle(uint64_t scope) const {
  return !impl_->executions.has_open(scope);
}

Registry& Registry::traces() {
  return *impl_->traces;
}

bool Registry::hears_unnamed(MonoTime now) const {
  return now.time_since_epoch().count() < impl_->unnamed_until.load(std::memory_order_relaxed);
}

const HashKey& Registry::key() const {
  return impl_->key;
}

Nanoseconds Registry::remembered() const {
  return Impl::remembered(impl_->options);
}

Joined Registry::join(const Call& call, const Moment& now, Random& random) {
  if (impl_->traces) {
    if (call.to_model && call.converses) {
      impl_->unnamed_until.store(impl_->remembered_until(now.mono), std::memory_order_relaxed);
    }
    return impl_->join(call, now, random);
  }
  const bool named = call.scope.id != 0;
  const uint64_t around = anywhere(call.around);
  if (named && !(call.to_model && call.converses) && idle(call.scope.id)) {
    impl_->tell_request(Impl::Within(*impl_, around, call, now.mono).call, {}, now.mono);
    return {};
  }
  const Impl::Within own(*impl_, named ? call.scope.id : around, call, now.mono);
  const Joined joined = impl_->join(own.call, now, random);
  uint64_t other = around;
  if (!named) {
    const std::optional<Standing> standing = impl_->executions.standing(joined.execution, now.mono);
    if (!standing) return joined;
    other = standing->scope;
  }
  const Impl::Within others(*impl_, other, call, now.mono);
  impl_->tell_request(others.call, joined, now.mono);
  return joined;
}

Judgement Registry::Impl::judge(const Call& call, MonoTime now) {
  latest.store(now.time_since_epoch().count(), std::memory_order_relaxed);
  const bool blind = now.time_since_epoch().count() < blind_until.load();
  const Admitted admitted{.ids = options.ids,
                          .prefixes = options.echo,
                          .texts = options.echo && !blind,
                          .all_scopes = !traces && call.scope.id == 0};
  return lineage::judge(key, values, pending, executions, call, now, admitted);
}

Joined Registry::Impl::join(const Call& call, const Moment& now, Random& random) {
  const bool converses = call.to_model && call.converses;
  const uint64_t before = age.load(std::memory_order_acquire);
  // Nothing is known since that it could have to do with, and what it carries was told.
  if (call.head_is_told && call.body == nullptr && call.unheard_at == before) {
    return {.unheard_at = before};
  }
  const Judgement judgement = judge(call, now.mono);
  Joined out{
      .verdict = judgement.verdict, .source = judgement.source, .asked_for = judgement.asked_for};
  if (judgement.verdict == Joined::Verdict::kOne) {
    const std::optional<Entered> entered =
        executions.enter(judgement.execution,
                         {call.span, converses, judgement.goes_on, judgement.asked_by}, now.mono);
    if (entered) {
      out.execution = judgement.execution;
      out.parent = entered->span;
      out.tracestate = entered->tracestate;
      out.step = entered->step;
      out.is_turn = entered->is_turn;
      // Agents of one trace tell each other what their models said, and ask theirs with it, perhaps
      // the same twice.
      const bool asked = judgement.asked_by && (traces || !call.to_model);
      const bool again = judgement.attempt && (traces || call.retries);
      if (asked) {
        add_link(out.links, executions.call_at(out.execution, *judgement.asked_by));
      }
      if (again) {
        add_link(out.links, executions.call_at(out.execution, *judgement.attempt));
      }
    } else {  // it closed meanwhile
      out.verdict = Joined::Verdict::kNone;
      out.source = Source::kRoot;
    }
  }
  for (const ExecutionRef candidate : judgement.candidates) {
    add_link(out.links, executions.span_of(candidate));
  }
  if (call.scope.id == 0) {
    // A turn of this trace is the request's that is in flight.
    const bool within = !out.links.empty() && std::ranges::all_of(out.links, [&](const auto& link) {
      return link.trace_id == call.trace;
    });
    out.outlives = judgement.outlives;
    out.elsewhere = !call.is_sent && (judgement.outlives || (judgement.elsewhere && !within));
  }
  if (!out.execution && converses && options.turns.on) {
    open_turn(call, judgement, now, random, out);
  }
  if (judgement.unheard && call.body == nullptr) out.unheard_at = before;
  if (out.execution) count_span(call.scope, now.mono);
  tell_request(call, out, now.mono);
  return out;
}

void Registry::Impl::tell_request(const Call& call, const Joined& joined, MonoTime now) {
  const bool converses = call.to_model && call.converses;
  const Voice voice = converses ? Voice::kModelRequest : Voice::kToolRequest;
  const bool adds = joined.execution || !call.head_is_told;
  for (const Gleaned* gleaned : {adds ? call.head : nullptr, call.body}) {
    if (gleaned == nullptr) continue;
    publish(joined.execution, voice, joined.step, *gleaned, now);
    if (call.to_model) continue;
    if (!joined.asked_for) ask_unasked(*gleaned, now);
    for (const Asked& one : gleaned->asked) pending.take(one.arguments, joined.execution);
  }
}

std::optional<SpanRef> Registry::asked_by(const Call& call, MonoTime now) {
  const Judgement judgement = impl_->judge(call, now);
  const bool found = judgement.verdict == Joined::Verdict::kOne && judgement.asked_by;
  if (!found) return std::nullopt;
  return impl_->executions.call_at(judgement.execution, *judgement.asked_by);
}

void Registry::call_failed(uint64_t request, const SpanRef& call, MonoTime now) {
  impl_->failed.add(request, call, now);
}

std::optional<SpanRef> Registry::attempt_before(uint64_t request, MonoTime now) {
  return impl_->failed.take(request, now);
}

void Registry::publish(ExecutionRef execution, Voice voice, uint32_t step, const Gleaned& gleaned,
                       MonoTime now, uint64_t around) {
  const auto enter = [&](const Gleaned& told) {
    impl_->publish(execution, voice, step, told, now);
    if (voice == Voice::kModelAnswer) impl_->want(execution, step, told, now);
    if (voice == Voice::kToolRequest) impl_->ask_unasked(told, now);
  };
  if (impl_->traces) return enter(gleaned);
  const std::optional<Standing> standing = impl_->executions.standing(execution, now);
  if (standing) enter(impl_->within(standing->scope, gleaned, now));
  enter(impl_->within(anywhere(around), gleaned, now));
}

void Registry::call_left(ExecutionRef execution, uint32_t step) {
  if (execution) impl_->executions.set_failed(execution, step);
}

void Registry::call_ended(ExecutionRef execution, uint32_t step, CallEnd end, MonoTime now,
                          const TokenSum& tokens) {
  if (execution) impl_->executions.leave(execution, step, end, now, tokens);
}

void Registry::set_context(ExecutionRef execution, uint8_t flags, const std::string& tracestate,
                           const Told& baggage) {
  impl_->executions.set_context(execution, flags, tracestate, baggage);
}

void Registry::lose_sight(MonoTime now, bool again) {
  impl_->blind_until.store(impl_->remembered_until(now));
  if (!again) impl_->blinded.fetch_add(1, std::memory_order_relaxed);
  if (impl_->traces) impl_->traces->lose_sight(now, again);
}

ExecutionRef Registry::open_given(const SpanRef& span, uint64_t scope, const Moment& now) {
  return impl_->executions.open({.turn = false, .span = span, .scope = scope}, now,
                                span.span_id.value);
}

void Registry::close_given(ExecutionRef execution, MonoTime now) {
  impl_->executions.close(execution, now);
}

std::vector<ClosedTurn> Registry::close_due(MonoTime now) {
  impl_->latest.store(now.time_since_epoch().count(), std::memory_order_relaxed);
  if (impl_->traces) impl_->traces->close_due(now);
  const size_t part = impl_->swept.fetch_add(1, std::memory_order_relaxed) % kSweepParts;
  if (part == 0) impl_->failed.sweep(now);
  return impl_->executions.sweep(part, now);
}

std::vector<ClosedTurn> Registry::close_all(MonoTime now) {
  if (impl_->traces) impl_->traces->close_all(now);
  return impl_->executions.close_all(now);
}

void Registry::forget(uint64_t hash) {
  const auto latest = MonoTime::duration(impl_->latest.load(std::memory_order_relaxed));
  impl_->values.forget(hash, MonoTime(latest));
  impl_->traces ? impl_->traces->forget(hash) : impl_->forgets.store(true);
}

Registry::Counts Registry::counts() const {
  return {.executions = impl_->executions.open_count(),
          .bytes = impl_->executions.bytes() + impl_->values.bytes() + impl_->pending.bytes() +
                   (impl_->traces ? impl_->traces->counts().bytes : 0),
          .forgotten = impl_->values.forgotten(),
          .refused = impl_->executions.refused(),
          .blinded = impl_->blinded.load(std::memory_order_relaxed)};
}

}  // namespace sidespan::lineage
