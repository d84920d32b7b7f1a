// The executions that are under way or were so a moment ago: sharded, a mutex a shard. A turn
// closes by the clock alone: whoever asks after its time finds it closed, also where nobody swept
// it yet. Closed ones linger, since what they carried must not pass for somebody else's. Bounded:
// where there is no room an old one goes. Used by the registry.
#pragma once

#include <array>
#include <atomic>
#include <bitset>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "sidespan/base/clock.h"
#include "sidespan/lineage/registry.h"
#include "sidespan/lineage/turn.h"

namespace sidespan::lineage {

// What it takes to weigh one execution against another.
struct Standing {
  bool open = false;
  bool late = false;  // it is over for so long that nothing of it comes any more
  bool turn = false;
  bool parted = false;  // for even longer, and what it carried is nobody's; it may wait for a tool
  uint64_t scope = 0;
  uint64_t session = 0;
  ExecutionRef before = {};  // the turn that it goes on from
};

struct Opening {
  bool turn = true;
  SpanRef span = {};
  std::string tracestate = {};
  trace::SpanId parent_id = {};
  bool in_call = false;
  uint64_t scope = 0;
  std::string execution_id = {};
  Source fixed_by = Source::kRoot;
  uint64_t session = 0;
  ExecutionRef before = {};
  std::vector<SpanRef> links = {};
  Told baggage = {};
};

struct Entered {
  SpanRef span = {};
  std::string tracestate = {};
  uint32_t step = 0;
  bool is_turn = true;
};

struct Entering {
  trace::SpanId span = {};
  bool to_model = false;
  bool goes_on = false;                  // with what tools said that an earlier answer asked for
  std::optional<uint8_t> answered = {};  // the step of the call with that answer
};

// Whether somebody may still go on from what a model's answer asked for.
enum class Waiting : uint8_t {
  kNo,
  kYes,
  // After so many calls nobody keeps count of each; what waits for a person waits longer than a
  // turn stays open.
  kUnsure,
};

class ExecutionTable {
 public:
  ExecutionTable(size_t executions_max, const TurnOptions& turns);

  // None: there is no room, all are in use. `chance` picks the shard.
  ExecutionRef open(Opening opening, const Moment& now, uint64_t chance);
  // Nothing: it is closed, or gone.
  std::optional<Entered> enter(ExecutionRef execution, const Entering& call, MonoTime now);
  void leave(ExecutionRef execution, uint32_t step, CallEnd end, MonoTime now,
             const TokenSum& tokens);
  // That call may be sent again.
  void set_failed(ExecutionRef execution, uint32_t step);
  // Another turn went on from what this one's model said last.
  void went_on(ExecutionRef execution);
  // Of `baggage` as much as there is room for.
  void set_context(ExecutionRef execution, uint8_t flags, const std::string& tracestate,
                   const Told& baggage);
  void close(ExecutionRef execution, MonoTime now);
  // Those that are due, of one of Registry::kSweepParts.
  std::vector<ClosedTurn> sweep(size_t part, MonoTime now);
  std::vector<ClosedTurn> close_all(MonoTime now);

  std::optional<Standing> standing(ExecutionRef execution, MonoTime now);
  bool exists(ExecutionRef execution);
  std::optional<SpanRef> span_of(ExecutionRef execution);
  // Of its call with that step, of which the low bits are known, if it is one of the latest.
  std::optional<SpanRef> call_at(ExecutionRef execution, uint8_t step);
  // It is one of the latest and had no answer, or an error, or nobody waits for it any more.
  bool has_failed(ExecutionRef execution, uint8_t step);
  // For what the answer to its call with that step asked for; its low bits are enough.
  Waiting waits(ExecutionRef execution, uint8_t step, MonoTime now);
  // It is a request, and brought a text: calls that are made for it may be known by that.
  void set_telling(ExecutionRef execution);
  // How many such are open, and how many other requests.
  size_t telling() const { return telling_.load(std::memory_order_relaxed); }
  size_t mute() const { return mute_.load(std::memory_order_relaxed); }
  // Takes room for one value more in its account; false: it has none.
  bool charge_value(ExecutionRef execution, size_t values_max);

  size_t open_count() const { return open_.load(std::memory_order_relaxed); }
  // Some of this scope are open, or of one that shares its place.
  bool has_open(uint64_t scope) const {
    return open_by_scope_[scope % kScopePlaces].load(std::memory_order_relaxed) != 0;
  }
  size_t bytes() const {
    return slots_made_.load(std::memory_order_relaxed) * sizeof(Slot) +
           texts_.load(std::memory_order_relaxed);
  }
  uint64_t refused() const { return refused_.load(std::memory_order_relaxed); }

 private:
  static constexpr size_t kShards = Registry::kSweepParts;
  static constexpr size_t kIndexBits = 12;
  static constexpr size_t kStepsKept = 16;
  static constexpr size_t kStepsTold = 256;
  static constexpr int kGracesMax = 15;    // after its last word stragglers may come for so long
  static constexpr int kIdlesMax = 15;     // a person may take so long to allow what it waits for
  static constexpr size_t kLooksMax = 16;  // slots that are looked at for one that may go
  static constexpr size_t kPushedOutMax = 64;
  static constexpr size_t kScopePlaces = 1024;
  static constexpr size_t kBaggageBytesMax = 1024;  // of a turn

  struct Slot {
    uint16_t generation = 1;
    bool used = false;
    bool open = false;
    bool final_word = false;  // the model has said it
    bool parted = false;
    bool telling = false;
    Opening opening;
    WallTime start{};
    MonoTime started{};
    MonoTime active{};
    MonoTime last_end{};
    MonoTime closed{};
    uint32_t in_flight = 0;
    uint32_t steps = 0;
    uint32_t values = 0;
    uint32_t texts = 0;  // bytes of its opening beside the slot
    TokenSum tokens;
    uint32_t asked = 0;  // answers that want tools called, and that no call went on from yet
    std::array<trace::SpanId, kStepsKept> calls = {};
    std::bitset<kStepsKept> failed;
    std::bitset<kStepsTold> over;  // by step: nobody waits for what its answer wants
  };
  struct Shard {
    std::mutex mutex;
    std::vector<std::unique_ptr<Slot>> slots;
    std::vector<uint16_t> free;
    size_t hand = 0;
    std::vector<ClosedTurn> pushed_out;
  };

  Shard& shard_of(ExecutionRef execution) {
    return shards_[(execution.value >> kIndexBits) % kShards];
  }
  // Null: stale. With the shard's mutex held.
  static Slot* slot_of(Shard& shard, ExecutionRef execution);
  bool is_due(const Slot& slot, MonoTime now) const;
  bool is_open(const Slot& slot, MonoTime now) const { return slot.open && !is_due(slot, now); }
  bool is_late(const Slot& slot, MonoTime now) const;
  static bool is_owed(const Slot& slot) { return !slot.final_word && slot.asked > 0; }
  static bool is_recent(const Slot& slot, uint8_t step);
  static void set_failed(Slot& slot, uint32_t step) {
    if (slot.steps - step < kStepsKept) slot.failed.set(step % kStepsKept);
  }
  // Of an open request.
  std::atomic<size_t>& count_of(const Slot& slot) { return slot.telling ? telling_ : mute_; }
  ClosedTurn shut(Slot& slot, MonoTime now);
  void release(Shard& shard, size_t index);
  void sweep(Shard& shard, MonoTime now, bool all, std::vector<ClosedTurn>& out);
  void weigh(Slot& slot);
  std::optional<size_t> take_slot(Shard& shard, MonoTime now);

  const size_t slots_max_;  // of a shard
  const TurnOptions turns_;
  std::array<Shard, kShards> shards_;
  std::atomic<size_t> open_{0};
  std::atomic<size_t> telling_{0};
  std::atomic<size_t> mute_{0};
  std::array<std::atomic<uint32_t>, kScopePlaces> open_by_scope_ = {};
  std::atomic<size_t> slots_made_{0};
  std::atomic<size_t> texts_{0};
  std::atomic<uint64_t> refused_{0};
};

}  // namespace sidespan::lineage
