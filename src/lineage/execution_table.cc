#include "lineage/execution_table.h"

#include <algorithm>
#include <utility>

namespace sidespan::lineage {

ExecutionTable::ExecutionTable(size_t executions_max, const TurnOptions& turns)
    : slots_max_(std::clamp<size_t>(executions_max / kShards, 1, size_t{1} << kIndexBits)),
      turns_(turns) {}

ExecutionTable::Slot* ExecutionTable::slot_of(Shard& shard, ExecutionRef execution) {
  const size_t index = execution.value & ((1U << kIndexBits) - 1);
  if (!execution || index >= shard.slots.size()) return nullptr;
  Slot& slot = *shard.slots[index];
  return slot.used && slot.generation == execution.value >> 16 ? &slot : nullptr;
}

bool ExecutionTable::is_due(const Slot& slot, MonoTime now) const {
  if (!slot.opening.turn || slot.in_flight > 0) return false;
  return (slot.final_word && now - slot.last_end >= turns_.grace) ||
         now - slot.active >= turns_.idle;
}

bool ExecutionTable::is_late(const Slot& slot, MonoTime now) const {
  return slot.opening.turn && slot.in_flight == 0 && slot.final_word &&
         now - slot.active >= kGracesMax * turns_.grace;
}

// After its texts have changed.
void ExecutionTable::weigh(Slot& slot) {
  const Opening& opening = slot.opening;
  size_t texts = opening.tracestate.size() + opening.execution_id.size() +
                 opening.links.capacity() * sizeof(SpanRef) +
                 opening.baggage.capacity() * sizeof(Told::value_type);
  for (const auto& [key, value] : opening.baggage) texts += key.size() + value.size();
  texts_.fetch_add(texts - slot.texts, std::memory_order_relaxed);
  slot.texts = static_cast<uint32_t>(texts);
}

ClosedTurn ExecutionTable::shut(Slot& slot, MonoTime now) {
  slot.open = false;
  slot.closed = now;
  open_.fetch_sub(1, std::memory_order_relaxed);
  if (!slot.opening.turn) count_of(slot).fetch_sub(1, std::memory_order_relaxed);
  open_by_scope_[slot.opening.scope % kScopePlaces].fetch_sub(1, std::memory_order_relaxed);
  // Where a call is still under way its end is not known, and nobody waits for it.
  const MonoTime end = slot.in_flight > 0 ? now : slot.last_end;
  ClosedTurn out{.span = slot.opening.span,
                 .tracestate = std::exchange(slot.opening.tracestate, {}),
                 .parent_id = slot.opening.parent_id,
                 .in_call = slot.opening.in_call,
                 .execution_id = std::exchange(slot.opening.execution_id, {}),
                 .fixed_by = slot.opening.fixed_by,
                 .start = slot.start,
                 .duration = std::max(Nanoseconds(0), Nanoseconds(end - slot.started)),
                 .calls = slot.steps,
                 .tokens = slot.tokens,
                 .links = std::exchange(slot.opening.links, {}),
                 .baggage = std::exchange(slot.opening.baggage, {})};
  weigh(slot);
  return out;
}

void ExecutionTable::release(Shard& shard, size_t index) {
  Slot& slot = *shard.slots[index];
  const auto generation = static_cast<uint16_t>(slot.generation + 1);
  texts_.fetch_sub(slot.texts, std::memory_order_relaxed);
  slot = {};
  slot.generation = generation == 0 ? uint16_t{1} : generation;
  shard.free.push_back(static_cast<uint16_t>(index));
}

// A free one, a new one, or that of the one that was idle longest among a few.
std::optional<size_t> ExecutionTable::take_slot(Shard& shard, MonoTime now) {
  if (shard.free.empty() && shard.slots.size() < slots_max_) {
    shard.slots.push_back(std::make_unique<Slot>());
    slots_made_.fetch_add(1, std::memory_order_relaxed);
    return shard.slots.size() - 1;
  }
  if (shard.free.empty()) {
    std::optional<size_t> victim;
    // For the sweep that tells of them; more may go then.
    const bool waiting = shard.pushed_out.size() == kPushedOutMax;
    for (size_t i = 0; i < std::min(kLooksMax, shard.slots.size()); ++i) {
      const size_t index = shard.hand++ % shard.slots.size();
      const Slot& slot = *shard.slots[index];
      if (slot.open && (slot.in_flight > 0 || !slot.opening.turn || waiting)) continue;
      const auto rank = [](const Slot& s) { return std::pair(s.open, s.active); };
      if (!victim || rank(slot) < rank(*shard.slots[*victim])) victim = index;
    }
    if (!victim) return std::nullopt;
    Slot& slot = *shard.slots[*victim];
    if (slot.open) shard.pushed_out.push_back(shut(slot, now));
    release(shard, *victim);
  }
  const size_t index = shard.free.back();
  shard.free.pop_back();
  return index;
}

ExecutionRef ExecutionTable::open(Opening opening, const Moment& now, uint64_t chance) {
  const size_t number = chance % kShards;
  Shard& shard = shards_[number];
  const std::lock_guard lock(shard.mutex);
  const std::optional<size_t> index = take_slot(shard, now.mono);
  if (!index) {
    refused_.fetch_add(1, std::memory_order_relaxed);
    return {};
  }
  Slot& slot = *shard.slots[*index];
  slot.used = true;
  slot.open = true;
  slot.opening = std::move(opening);
  slot.start = now.wall;
  slot.started = now.mono;
  slot.active = slot.last_end = now.mono;
  weigh(slot);
  open_.fetch_add(1, std::memory_order_relaxed);
  if (!slot.opening.turn) count_of(slot).fetch_add(1, std::memory_order_relaxed);
  open_by_scope_[slot.opening.scope % kScopePlaces].fetch_add(1, std::memory_order_relaxed);
  return {static_cast<uint32_t>(static_cast<uint32_t>(slot.generation) << 16 |
                                number << kIndexBits | *index)};
}

std::optional<Entered> ExecutionTable::enter(ExecutionRef execution, const Entering& call,
                                             MonoTime now) {
  Shard& shard = shard_of(execution);
  const std::lock_guard lock(shard.mutex);
  Slot* const slot = slot_of(shard, execution);
  if (slot == nullptr || !is_open(*slot, now)) return std::nullopt;
  ++slot->in_flight;
  ++slot->steps;
  slot->active = now;
  // Another call of the model is what its last word was not; a tool called late is none.
  if (call.to_model) slot->final_word = false;
  if (call.goes_on && slot->asked > 0) --slot->asked;
  slot->calls[slot->steps % kStepsKept] = call.span;
  slot->failed.reset(slot->steps % kStepsKept);
  if (slot->steps < kStepsTold) {
    slot->over.set(slot->steps, !call.to_model);
    if (call.goes_on && call.answered) slot->over.set(*call.answered);
  }
  return Entered{slot->opening.span, slot->opening.tracestate, slot->steps, slot->opening.turn};
}

void ExecutionTable::leave(ExecutionRef execution, uint32_t step, CallEnd end, MonoTime now,
                           const TokenSum& tokens) {
  Shard& shard = shard_of(execution);
  const std::lock_guard lock(shard.mutex);
  Slot* const slot = slot_of(shard, execution);
  if (slot == nullptr || slot->in_flight == 0) return;
  --slot->in_flight;
  slot->tokens.add(tokens);
  slot->active = slot->last_end = now;
  if (end == CallEnd::kAsked) ++slot->asked;
  if (end == CallEnd::kFailed) set_failed(*slot, step);
  // A sub-agent's last word is not that of the one who waits for it.
  if (end == CallEnd::kAnswered) slot->final_word = slot->asked == 0;
}

void ExecutionTable::set_failed(ExecutionRef execution, uint32_t step) {
  Shard& shard = shard_of(execution);
  const std::lock_guard lock(shard.mutex);
  Slot* const slot = slot_of(shard, execution);
  if (slot != nullptr) set_failed(*slot, step);
}

void ExecutionTable::went_on(ExecutionRef execution) {
  Shard& shard = shard_of(execution);
  const std::lock_guard lock(shard.mutex);
  Slot* const slot = slot_of(shard, execution);
  if (slot != nullptr) slot->asked = 0;
}

void ExecutionTable::set_context(ExecutionRef execution, uint8_t flags,
                                 const std::string& tracestate, const Told& baggage) {
  Shard& shard = shard_of(execution);
  const std::lock_guard lock(shard.mutex);
  Slot* const slot = slot_of(shard, execution);
  if (slot == nullptr) return;
  slot->opening.span.flags = flags;
  slot->opening.tracestate = tracestate;
  size_t room = kBaggageBytesMax;
  for (const auto& [key, value] : baggage) {
    if (key.size() + value.size() > room) continue;
    room -= key.size() + value.size();
    slot->opening.baggage.emplace_back(key, value);
  }
  weigh(*slot);
}

void ExecutionTable::close(ExecutionRef execution, MonoTime now) {
  Shard& shard = shard_of(execution);
  const std::lock_guard lock(shard.mutex);
  Slot* const slot = slot_of(shard, execution);
  if (slot != nullptr && slot->open) shut(*slot, now);
}

void ExecutionTable::sweep(Shard& shard, MonoTime now, bool all, std::vector<ClosedTurn>& out) {
  const std::lock_guard lock(shard.mutex);
  std::ranges::move(shard.pushed_out, std::back_inserter(out));
  shard.pushed_out.clear();
  for (size_t i = 0; i < shard.slots.size(); ++i) {
    Slot& slot = *shard.slots[i];
    if (!slot.used) continue;
    if (slot.open && slot.opening.turn && (all || is_due(slot, now))) {
      out.push_back(shut(slot, now));
    } else if (!slot.open && now - slot.closed >= turns_.idle) {
      slot.parted = is_owed(slot) && now - slot.closed < kIdlesMax * turns_.idle;
      if (!slot.parted) release(shard, i);
    }
  }
}

std::vector<ClosedTurn> ExecutionTable::sweep(size_t part, MonoTime now) {
  std::vector<ClosedTurn> out;
  sweep(shards_[part], now, false, out);
  return out;
}

std::vector<ClosedTurn> ExecutionTable::close_all(MonoTime now) {
  std::vector<ClosedTurn> out;
  for (Shard& shard : shards_) sweep(shard, now, true, out);
  return out;
}

std::optional<Standing> ExecutionTable::standing(ExecutionRef execution, MonoTime now) {
  Shard& shard = shard_of(execution);
  const std::lock_guard lock(shard.mutex);
  const Slot* const slot = slot_of(shard, execution);
  if (slot == nullptr) return std::nullopt;
  return Standing{is_open(*slot, now), is_late(*slot, now),   slot->opening.turn,  slot->parted,
                  slot->opening.scope, slot->opening.session, slot->opening.before};
}

bool ExecutionTable::exists(ExecutionRef execution) {
  Shard& shard = shard_of(execution);
  const std::lock_guard lock(shard.mutex);
  const Slot* const slot = slot_of(shard, execution);
  return slot != nullptr && !slot->parted;
}

std::optional<SpanRef> ExecutionTable::span_of(ExecutionRef execution) {
  Shard& shard = shard_of(execution);
  const std::lock_guard lock(shard.mutex);
  const Slot* const slot = slot_of(shard, execution);
  return slot == nullptr || slot->parted ? std::nullopt : std::optional(slot->opening.span);
}

std::optional<SpanRef> ExecutionTable::call_at(ExecutionRef execution, uint8_t step) {
  Shard& shard = shard_of(execution);
  const std::lock_guard lock(shard.mutex);
  const Slot* const slot = slot_of(shard, execution);
  if (slot == nullptr) return std::nullopt;
  const trace::SpanId call = slot->calls[step % kStepsKept];
  if (!is_recent(*slot, step) || !call) return std::nullopt;
  return SpanRef{slot->opening.span.trace_id, call, slot->opening.span.flags};
}

// Later steps have the low bits of earlier ones.
bool ExecutionTable::is_recent(const Slot& slot, uint8_t step) {
  return slot.steps < kStepsTold && slot.steps - step < kStepsKept;
}

bool ExecutionTable::has_failed(ExecutionRef execution, uint8_t step) {
  Shard& shard = shard_of(execution);
  const std::lock_guard lock(shard.mutex);
  const Slot* const slot = slot_of(shard, execution);
  return slot != nullptr && is_recent(*slot, step) && slot->failed.test(step % kStepsKept);
}

Waiting ExecutionTable::waits(ExecutionRef execution, uint8_t step, MonoTime now) {
  Shard& shard = shard_of(execution);
  const std::lock_guard lock(shard.mutex);
  const Slot* const slot = slot_of(shard, execution);
  if (slot == nullptr) return Waiting::kNo;
  const bool open = is_open(*slot, now);
  if (!open && !is_owed(*slot)) return Waiting::kNo;
  if (slot->steps >= kStepsTold) return Waiting::kUnsure;
  if (slot->over.test(step)) return Waiting::kNo;
  return open ? Waiting::kYes : Waiting::kUnsure;
}

void ExecutionTable::set_telling(ExecutionRef execution) {
  Shard& shard = shard_of(execution);
  const std::lock_guard lock(shard.mutex);
  Slot* const slot = slot_of(shard, execution);
  if (slot == nullptr || !slot->open || slot->opening.turn || slot->telling) return;
  count_of(*slot).fetch_sub(1, std::memory_order_relaxed);
  slot->telling = true;
  count_of(*slot).fetch_add(1, std::memory_order_relaxed);
}

bool ExecutionTable::charge_value(ExecutionRef execution, size_t values_max) {
  Shard& shard = shard_of(execution);
  const std::lock_guard lock(shard.mutex);
  Slot* const slot = slot_of(shard, execution);
  if (slot == nullptr || slot->values >= values_max) return false;
  ++slot->values;
  return true;
}

}  // namespace sidespan::lineage
