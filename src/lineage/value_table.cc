#include "lineage/value_table.h"

#include <algorithm>
#include <bit>

namespace sidespan::lineage {
namespace {

// Bits of a filter in a shard, and its two halves of time. Where 30,000 values of a shard were
// forgotten within a horizon, one of fifty that are new passes for forgotten, too.
constexpr size_t kForgottenWords = 4096;
constexpr size_t kCommonWords = 1024;
constexpr int kProbes = 3;

uint32_t second_of(MonoTime now) {
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch());
  return static_cast<uint32_t>(seconds.count()) + 1;
}

// Workers read the clock once a turn, so that one may be a second behind another.
uint32_t since(uint32_t then, uint32_t second) {
  return second > then ? second - then : 0;
}

// Of one hash several places; its top four bits are the shard's, its lowest the bucket's.
size_t bit_at(uint64_t hash, int probe, size_t words) {
  const uint64_t mixed = (hash >> 17) + static_cast<uint64_t>(probe) * ((hash >> 29) | 1);
  return mixed % (words * 64);
}

}  // namespace

ValueTable::ValueTable(size_t values_max, Nanoseconds horizon, ExecutionTable& executions)
    : executions_(executions),
      buckets_(std::bit_ceil(std::max<size_t>(values_max / (kShards * kWays), 1))),
      horizon_(static_cast<uint32_t>(std::max<int64_t>(
          std::chrono::duration_cast<std::chrono::seconds>(horizon).count(), 1))) {}

void ValueTable::turn_over(Filter& filter, uint32_t second, size_t words) {
  if (since(filter.since, second) < 2 * horizon_) return;
  const auto clear = [&](size_t half) {
    if (filter.bits[half]) std::fill_n(filter.bits[half].get(), words, 0);
  };
  // Where nobody asked for so long, what the other half says is old, too.
  if (since(filter.since, second) >= 4 * horizon_) clear(filter.now ? 1 : 0);
  filter.now = !filter.now;
  clear(filter.now ? 1 : 0);
  filter.since = second;
}

void ValueTable::remember(Filter& filter, uint64_t hash, uint32_t second, size_t words) {
  turn_over(filter, second, words);
  Block<uint64_t>& bits = filter.bits[filter.now ? 1 : 0];
  if (!bits) {
    bits.reset(static_cast<uint64_t*>(std::calloc(words, sizeof(uint64_t))));
    if (!bits) std::abort();
    bytes_.fetch_add(words * sizeof(uint64_t), std::memory_order_relaxed);
  }
  for (int probe = 0; probe < kProbes; ++probe) {
    const size_t bit = bit_at(hash, probe, words);
    bits[bit / 64] |= uint64_t{1} << (bit % 64);
  }
}

bool ValueTable::remembers(Filter& filter, uint64_t hash, uint32_t second, size_t words) {
  if (!filter.bits[0] && !filter.bits[1]) return false;
  turn_over(filter, second, words);
  return std::ranges::any_of(filter.bits, [&](const Block<uint64_t>& bits) {
    if (!bits) return false;
    for (int probe = 0; probe < kProbes; ++probe) {
      const size_t bit = bit_at(hash, probe, words);
      if ((bits[bit / 64] >> (bit % 64) & 1) == 0) return false;
    }
    return true;
  });
}

ValueTable::Entry* ValueTable::find_in(Shard& shard, uint64_t hash) {
  if (!shard.entries) return nullptr;
  Entry* const bucket = &shard.entries[(hash & (buckets_ - 1)) * kWays];
  for (size_t i = 0; i < kWays; ++i) {
    if (bucket[i].touched != 0 && bucket[i].hash == hash) return &bucket[i];
  }
  return nullptr;
}

ValueTable::Entry& ValueTable::place_in(Shard& shard, uint64_t hash, uint32_t second) {
  if (!shard.entries) {
    const size_t count = buckets_ * kWays;
    shard.entries.reset(static_cast<Entry*>(std::calloc(count, sizeof(Entry))));
    if (!shard.entries) std::abort();
    bytes_.fetch_add(count * sizeof(Entry), std::memory_order_relaxed);
  }
  Entry* const bucket = &shard.entries[(hash & (buckets_ - 1)) * kWays];
  Entry* oldest = bucket;
  for (size_t i = 0; i < kWays; ++i) {
    if (bucket[i].touched < oldest->touched) oldest = &bucket[i];
  }
  if (oldest->touched != 0 && since(oldest->touched, second) < 2 * horizon_) {
    remember(shard.forgotten, oldest->hash, second, kForgottenWords);
    forgotten_.fetch_add(1, std::memory_order_relaxed);
  }
  *oldest = {};
  oldest->hash = hash;
  return *oldest;
}

// Who is gone, and was so for long, would still make others ambiguous.
void ValueTable::leave_out_the_gone(Entry& entry) {
  size_t kept = 0;
  for (size_t i = 0; i < Held::kHoldersMax; ++i) {
    const uint32_t who = entry.holders[i];
    if (who == 0 || !executions_.exists({who})) continue;
    entry.holders[kept] = who;
    entry.marks[kept] = entry.marks[i];
    entry.steps[kept++] = entry.steps[i];
  }
  // Those who were too many to be named are not known to be gone.
  if (kept == 0) {
    entry.more = 0;
    entry.strays = Strays::kNone;
  }
  for (; kept < Held::kHoldersMax; ++kept) entry.holders[kept] = 0;
}

void ValueTable::add_unnamed(Entry& entry, const Holder& holder) {
  entry.more |= kMore | holder.marks;
  doubt(entry, holder);
  if ((holder.marks & kSaidByTool) == 0) return;
  entry.strays = entry.strays == Strays::kNone && !holder.execution ? Strays::kOne : Strays::kMany;
}

// Who says it, too, may be the one who was told.
void ValueTable::doubt(Entry& entry, const Holder& holder) {
  const bool said = (holder.marks & kSaidByUser) != 0;
  if (said && entry.strays == Strays::kPassedOn) entry.strays = Strays::kMany;
}

// Programs look up what they then ask their model with. Who is the first to say what only one was
// told a moment ago is taken for that one.
bool ValueTable::passes_on(Shard& shard, const Entry& entry, const Holder& holder,
                           uint32_t second) {
  const bool told_only = (entry.more & ~(kMore | kSaidByTool | kAsId)) == 0;
  return entry.strays == Strays::kOne && told_only && (holder.marks & kSaidByUser) != 0 &&
         since(entry.touched, second) <= horizon_ / 8 &&
         !remembers(shard.forgotten, entry.hash, second, kForgottenWords);
}

std::optional<Held> ValueTable::find(uint64_t hash, MonoTime now) {
  const uint32_t second = second_of(now);
  Shard& shard = shard_of(hash);
  const std::lock_guard lock(shard.mutex);
  const Entry* entry = find_in(shard, hash);
  if (entry == nullptr) return std::nullopt;
  Held out;
  out.more = entry->more != 0;
  out.strays = entry->strays;
  out.fresh = since(entry->touched, second) < horizon_;
  if (entry->holders[0] == 0) return out;
  for (size_t i = 0; i < Held::kHoldersMax; ++i) {
    out.holders[i] = {{entry->holders[i]}, entry->marks[i], entry->steps[i]};
  }
  out.common = remembers(shard.common, hash, second, kCommonWords);
  out.forgotten = remembers(shard.forgotten, hash, second, kForgottenWords);
  return out;
}

bool ValueTable::may_hold(uint64_t hash, MonoTime now) {
  Shard& shard = shard_of(hash);
  const std::lock_guard lock(shard.mutex);
  return find_in(shard, hash) != nullptr ||
         remembers(shard.forgotten, hash, second_of(now), kForgottenWords);
}

ValueTable::Inserted ValueTable::insert(uint64_t hash, const Holder& holder, bool light,
                                        MonoTime now) {
  const uint32_t second = second_of(now);
  Shard& shard = shard_of(hash);
  const std::lock_guard lock(shard.mutex);
  Entry* entry = find_in(shard, hash);
  if (entry == nullptr) entry = &place_in(shard, hash, second);
  const uint32_t who = holder.execution.value;
  if (since(entry->touched, second) >= horizon_) leave_out_the_gone(*entry);
  size_t place = 0;
  while (place < Held::kHoldersMax && entry->holders[place] != 0 && entry->holders[place] != who) {
    ++place;
  }
  // Nobody says by chance what is not light.
  const bool passed_on = who != 0 && place == 0 && entry->holders[0] == 0 && !light &&
                         passes_on(shard, *entry, holder, second);
  entry->touched = std::max(entry->touched, second);
  if (who == 0 || place == Held::kHoldersMax) {
    add_unnamed(*entry, holder);
  } else if (entry->holders[place] == who) {
    // How it came to somebody first is where he has it from; that a model says what its user said
    // is worth knowing, too.
    constexpr uint8_t kAnswers = kSaidByModel | kSaidByTool;
    const bool had_it_told = (entry->marks[place] & kAnswers) != 0;
    // The call that asked for it, not one that only tells of that.
    const bool tells_of_it = (entry->marks[place] & ~holder.marks & kAskedOfTool) != 0;
    if (!had_it_told || (holder.marks & kAnswers) != 0) entry->marks[place] |= holder.marks;
    const bool says = (holder.marks & (kSaidByModel | kAllMessages)) != 0;
    if (says && !tells_of_it) entry->steps[place] = holder.step;
    return {};
  } else {
    doubt(*entry, holder);
    if (passed_on) entry->strays = Strays::kPassedOn;
    entry->holders[place] = who;
    entry->marks[place] = holder.marks | (passed_on ? kPassedOn : 0);
    entry->steps[place] = holder.step;
  }
  const bool several = entry->more != 0 ? entry->holders[0] != 0 : entry->holders[1] != 0;
  if (several && light) remember(shard.common, hash, second, kCommonWords);
  return {who != 0};
}

void ValueTable::forget(uint64_t hash, MonoTime now) {
  Shard& shard = shard_of(hash);
  const std::lock_guard lock(shard.mutex);
  remember(shard.forgotten, hash, second_of(now), kForgottenWords);
  forgotten_.fetch_add(1, std::memory_order_relaxed);
}

}  // namespace sidespan::lineage
