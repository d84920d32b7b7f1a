#include "report/tail_sampler.h"

#include <algorithm>
#include <utility>

#include "sidespan/otlp/edit.h"
#include "sidespan/trace/probability.h"

namespace sidespan::report {
namespace {

// A `th` that is not there means that nobody knows how probable the span was, and that stays so.
// One that the span's own randomness does not reach would be a lie.
std::string with_threshold(std::string_view text, const trace::TraceId& id, uint64_t threshold) {
  trace::TraceState tracestate = trace::TraceState::parse({text});
  const trace::ProbabilityState state = trace::read_probability(tracestate);
  if (!state.threshold || *state.threshold >= threshold) return std::string(text);
  const bool true_of_it = state.randomness_or(id) >= threshold;
  trace::put_threshold(tracestate, true_of_it ? trace::threshold_text(threshold) : "");
  return tracestate.to_string();
}

}  // namespace

const TailVerdict* TailDecisions::find(const trace::TraceId& id) {
  if (const auto found = young_.find(id); found != young_.end()) return &found->second;
  const auto found = old_.find(id);
  if (found == old_.end()) return nullptr;
  const TailVerdict verdict = found->second;
  old_.erase(found);
  put(id, verdict);
  return &young_.find(id)->second;
}

void TailDecisions::put(const trace::TraceId& id, TailVerdict verdict) {
  if (young_.size() >= half_ && !young_.contains(id)) {
    old_ = std::exchange(young_, {});
  }
  young_.insert_or_assign(id, verdict);
}

std::string_view TailSampler::name_of(Early why) {
  switch (why) {
    case Early::kTraces:
      return "traces";
    case Early::kSpans:
      return "spans";
    case Early::kBytes:
      return "bytes";
    case Early::kMaxWait:
      return "max_wait";
  }
  return "traces";
}

TailSampler::TailSampler(TailOptions options, OnKeep on_keep, OnDrop on_drop)
    : options_(std::move(options)),
      rules_(std::move(options_.policies)),
      on_keep_(std::move(on_keep)),
      on_drop_(std::move(on_drop)),
      decisions_(options_.decisions_max) {}

void TailSampler::add(const TailSpan& span, std::string_view encoded, MonoTime now) {
  // Its own trace is then the last to be decided for want of room.
  const auto known = by_id_.find(span.trace_id);
  const bool waits = known != by_id_.end();
  if (waits) touch(*known->second, now);
  const TailVerdict* decided = waits ? nullptr : decisions_.find(span.trace_id);
  if (decided == nullptr) {
    make_room(!waits, encoded.size());
    // Its own trace may have been what was in the way.
    if (waits && !by_id_.contains(span.trace_id)) decided = decisions_.find(span.trace_id);
  }
  if (decided != nullptr) return add_late(*decided, span, encoded);
  if (encoded.size() > options_.bytes_max) {
    ++counts_.early[static_cast<size_t>(Early::kBytes)];
    return pass(encoded, span.trace_id, settle(span.trace_id, span.facts));
  }
  auto place = by_id_.find(span.trace_id);
  if (place == by_id_.end()) {
    const auto added = pending_.insert(pending_.end(), Pending{});
    added->id = span.trace_id;
    added->facts.randomness = span.facts.randomness;
    added->first = added->last = now;
    added->held = held_.contains(span.trace_id);
    if (!added->held) added->quiet = quiet_.insert(quiet_.end(), &*added);
    place = by_id_.emplace(span.trace_id, added).first;
  }
  Pending& trace = *place->second;
  trace.facts.add(span.facts);
  trace.bytes.append(encoded);
  trace.sizes.push_back(static_cast<uint32_t>(encoded.size()));
  ++spans_;
  bytes_ += encoded.size();
}

void TailSampler::touch(Pending& trace, MonoTime now) {
  trace.last = now;
  if (!trace.held) quiet_.splice(quiet_.end(), quiet_, trace.quiet);
}

// A late span that alone would have had its trace kept keeps what comes from now on.
void TailSampler::add_late(TailVerdict verdict, const TailSpan& span, std::string_view encoded) {
  if (!verdict.keep) {
    const TailVerdict now = rules_.judge(span.facts);
    if (now.keep) {
      verdict = now;
      decisions_.put(span.trace_id, verdict);
      ++counts_.partial;
    }
  }
  pass(encoded, span.trace_id, verdict);
}

void TailSampler::make_room(bool for_a_trace, size_t bytes) {
  while (for_a_trace && !pending_.empty() && traces() >= options_.traces_max) {
    decide_early(longest_quiet(), Early::kTraces);
  }
  while (!pending_.empty() && spans_ >= options_.spans_max) {
    decide_early(longest_quiet(), Early::kSpans);
  }
  while (!pending_.empty() && bytes_ + bytes > options_.bytes_max) {
    decide_early(longest_quiet(), Early::kBytes);
  }
}

// Those that are held only where there is no other.
TailSampler::Place TailSampler::longest_quiet() {
  if (quiet_.empty()) return pending_.begin();
  return by_id_.find(quiet_.front()->id)->second;
}

void TailSampler::hold(const trace::TraceId& id) {
  ++held_[id];
  const auto place = by_id_.find(id);
  if (place == by_id_.end() || place->second->held) return;
  quiet_.erase(place->second->quiet);
  place->second->held = true;
}

void TailSampler::release(const trace::TraceId& id, MonoTime now) {
  const auto held = held_.find(id);
  if (held == held_.end() || --held->second > 0) return;
  held_.erase(held);
  const auto place = by_id_.find(id);
  if (place == by_id_.end()) return;
  Pending& trace = *place->second;
  trace.held = false;
  trace.last = now;
  trace.quiet = quiet_.insert(quiet_.end(), &trace);
}

std::optional<MonoTime> TailSampler::due() const {
  if (pending_.empty()) return std::nullopt;
  const MonoTime longest = pending_.front().first + options_.max_wait;
  if (quiet_.empty()) return longest;
  return std::min(longest, quiet_.front()->last + options_.wait);
}

void TailSampler::advance(MonoTime now) {
  while (!quiet_.empty() && quiet_.front()->last + options_.wait <= now) decide(longest_quiet());
  while (!pending_.empty() && pending_.front().first + options_.max_wait <= now) {
    decide_early(pending_.begin(), Early::kMaxWait);
  }
}

void TailSampler::decide_oldest() {
  decide(pending_.begin());
}

void TailSampler::flush() {
  while (!pending_.empty()) decide_oldest();
}

void TailSampler::decide_early(Place trace, Early why) {
  ++counts_.early[static_cast<size_t>(why)];
  decide(trace);
}

void TailSampler::decide(Place place) {
  if (!place->held) quiet_.erase(place->quiet);
  by_id_.erase(place->id);
  std::list<Pending> gone;
  gone.splice(gone.end(), pending_, place);
  const Pending& trace = gone.front();
  spans_ -= trace.sizes.size();
  bytes_ -= trace.bytes.size();
  const TailVerdict verdict = settle(trace.id, trace.facts);
  std::string_view rest = trace.bytes;
  for (const uint32_t size : trace.sizes) {
    pass(rest.substr(0, size), trace.id, verdict);
    rest.remove_prefix(size);
  }
}

TailVerdict TailSampler::settle(const trace::TraceId& id, const TailFacts& facts) {
  const TailVerdict verdict = rules_.judge(facts);
  ++(verdict.keep ? counts_.kept : counts_.dropped);
  decisions_.put(id, verdict);
  return verdict;
}

void TailSampler::pass(std::string_view encoded, const trace::TraceId& id,
                       const TailVerdict& verdict) {
  if (!verdict.keep) return on_drop_(1);
  if (verdict.threshold == 0) return on_keep_(encoded);
  const std::string_view before = otlp::tracestate_of(encoded);
  const std::string after = with_threshold(before, id, verdict.threshold);
  if (after == before) return on_keep_(encoded);
  on_keep_(otlp::with_tracestate(encoded, after));
}

}  // namespace sidespan::report
