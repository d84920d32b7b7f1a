// Which traces are exported, decided when they are over: encoded spans wait until their trace has
// been quiet for `wait`, or `max_wait` after its first, and then the policies judge (tail.h). Pure:
// the time is given. Bounded in traces, spans and bytes: to make room the trace that has been quiet
// longest is decided before its time. Decisions are remembered for spans that come late, as many as
// fit. Pipeline is its only user, on the telemetry thread.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <list>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "sidespan/base/clock.h"
#include "sidespan/report/tail.h"
#include "sidespan/trace/context.h"

namespace sidespan::report {

struct TraceIdHash {
  // Ids are not always random where agents make them.
  size_t operator()(const trace::TraceId& id) const {
    constexpr uint64_t kOdd = 0x9e3779b97f4a7c15U;
    const uint64_t mixed = (id.low ^ (id.high * kOdd)) * kOdd;
    return mixed ^ (mixed >> 32U);
  }
};

// Verdicts by trace id: at most `most`, those that were not asked for longest go first, many at a
// time.
class TailDecisions {
 public:
  explicit TailDecisions(size_t most) : half_(std::max<size_t>(most / 2, 1)) {}

  // nullptr: unknown. Until the next call of either.
  const TailVerdict* find(const trace::TraceId& id);
  void put(const trace::TraceId& id, TailVerdict verdict);
  size_t size() const { return young_.size() + old_.size(); }

 private:
  using Map = std::unordered_map<trace::TraceId, TailVerdict, TraceIdHash>;
  size_t half_;
  Map young_;
  Map old_;
};

class TailSampler {
 public:
  // Why a trace was decided before it was quiet.
  enum class Early : uint8_t { kTraces, kSpans, kBytes, kMaxWait };
  static constexpr size_t kEarlyCount = 4;
  static std::string_view name_of(Early why);

  struct Counts {
    uint64_t kept = 0;  // traces
    uint64_t dropped = 0;
    std::array<uint64_t, kEarlyCount> early{};
    uint64_t partial = 0;  // dropped, then kept from a late span on
  };

  // Called with each encoded span that goes on, and with how many do not.
  using OnKeep = std::function<void(std::string_view span)>;
  using OnDrop = std::function<void(uint64_t spans)>;

  TailSampler(TailOptions options, OnKeep on_keep, OnDrop on_drop);

  const TailRules& rules() const { return rules_; }

  void add(const TailSpan& span, std::string_view encoded, MonoTime now);
  // While held, a trace that is quiet is not over. Calls for one trace add up. Who holds has a
  // bound: it is a run, an open turn or a call under way.
  void hold(const trace::TraceId& id);
  void release(const trace::TraceId& id, MonoTime now);

  // When the next decision is due; nothing waits: never.
  std::optional<MonoTime> due() const;
  // Decides what is due.
  void advance(MonoTime now);
  // Decides the oldest trace, or all, as they are. They were not over early: this is the end.
  void decide_oldest();
  void flush();

  bool empty() const { return pending_.empty(); }
  size_t traces() const { return by_id_.size(); }
  size_t spans() const { return spans_; }
  size_t bytes() const { return bytes_; }
  size_t oldest_spans() const { return pending_.front().sizes.size(); }
  size_t oldest_bytes() const { return pending_.front().bytes.size(); }
  const Counts& counts() const { return counts_; }

 private:
  struct Pending {
    trace::TraceId id;
    TailFacts facts;
    std::string bytes;
    std::vector<uint32_t> sizes;
    MonoTime first;
    MonoTime last;
    std::list<Pending*>::iterator quiet;
    bool held = false;  // then not in quiet_
  };
  using Place = std::list<Pending>::iterator;

  void add_late(TailVerdict verdict, const TailSpan& span, std::string_view encoded);
  void touch(Pending& trace, MonoTime now);
  void make_room(bool for_a_trace, size_t bytes);
  Place longest_quiet();
  void decide(Place trace);
  void decide_early(Place trace, Early why);
  TailVerdict settle(const trace::TraceId& id, const TailFacts& facts);
  void pass(std::string_view encoded, const trace::TraceId& id, const TailVerdict& verdict);

  TailOptions options_;
  TailRules rules_;
  OnKeep on_keep_;
  OnDrop on_drop_;
  std::list<Pending> pending_;  // by their first span's arrival
  std::list<Pending*> quiet_;   // by their last one's
  std::unordered_map<trace::TraceId, Place, TraceIdHash> by_id_;
  std::unordered_map<trace::TraceId, uint32_t, TraceIdHash> held_;
  TailDecisions decisions_;
  size_t spans_ = 0;
  size_t bytes_ = 0;
  Counts counts_;
};

}  // namespace sidespan::report
