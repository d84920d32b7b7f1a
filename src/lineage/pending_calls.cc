#include "lineage/pending_calls.h"

#include <algorithm>
#include <bit>
#include <span>
#include <utility>

namespace sidespan::lineage {

PendingCalls::PendingCalls(size_t calls_max, ExecutionTable& executions)
    : executions_(executions),
      buckets_(std::bit_ceil(std::max<size_t>(calls_max / (kShards * kWays), 1))) {}

bool PendingCalls::add(uint64_t arguments, const PendingCall& call, MonoTime now) {
  Shard& shard = shards_[arguments >> 60];
  const std::lock_guard lock(shard.mutex);
  if (!shard.entries) {
    const size_t count = buckets_ * kWays;
    shard.entries.reset(static_cast<Entry*>(std::calloc(count, sizeof(Entry))));
    if (!shard.entries) std::abort();
    bytes_.fetch_add(count * sizeof(Entry), std::memory_order_relaxed);
  }
  Entry* free = nullptr;
  for (Entry& entry : std::span(bucket_of(shard, arguments), kWays)) {
    const PendingCall& other = entry.call;
    const bool same = entry.arguments == arguments && other.execution == call.execution &&
                      other.step == call.step;
    // Streams say the same more than once; a name that comes last is the better one.
    if (same) {
      if (call.name != ToolName{}) entry.call.name = call.name;
      return true;
    }
    if (free != nullptr) continue;
    const bool over =
        !other.execution || executions_.waits(other.execution, other.step, now) == Waiting::kNo;
    if (over) free = &entry;
  }
  if (free == nullptr) return false;
  *free = {arguments, call};
  return true;
}

PendingCalls::Found PendingCalls::find(uint64_t arguments) {
  Shard& shard = shards_[arguments >> 60];
  const std::lock_guard lock(shard.mutex);
  Found out;
  if (!shard.entries) return out;
  for (const Entry& entry : std::span(bucket_of(shard, arguments), kWays)) {
    if (entry.call.execution && entry.arguments == arguments) out.calls[out.count++] = entry.call;
  }
  return out;
}

bool PendingCalls::take(uint64_t arguments, ExecutionRef execution) {
  if (!execution) return false;
  Shard& shard = shards_[arguments >> 60];
  const std::lock_guard lock(shard.mutex);
  if (!shard.entries) return false;
  bool first = false;
  for (Entry& entry : std::span(bucket_of(shard, arguments), kWays)) {
    if (entry.arguments != arguments || entry.call.execution != execution) continue;
    first |= !std::exchange(entry.call.taken, true);
  }
  return first;
}

}  // namespace sidespan::lineage
