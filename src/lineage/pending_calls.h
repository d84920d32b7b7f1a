// Tool calls that models have asked for, until they are asked again: who waits for what. A request
// that carries just these arguments is likely to be one of them, also where the arguments are short
// or said by many. A table of fixed size, sharded by the hash of the arguments, a mutex a shard.
// What finds no room is told, so that nobody is taken for the only one who waits. Used by the
// registry and its judge.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <mutex>

#include "lineage/execution_table.h"
#include "sidespan/lineage/turn.h"
#include "sidespan/lineage/value.h"

namespace sidespan::lineage {

struct PendingCall {
  ExecutionRef execution = {};
  uint8_t step = 0;    // of the model's call that asked for it, its low bits
  bool taken = false;  // a request came that may be it
  ToolName name = {};
};

class PendingCalls {
 public:
  static constexpr size_t kWays = 8;

  // `calls_max` is rounded up to whole buckets in each shard.
  PendingCalls(size_t calls_max, ExecutionTable& executions);

  // False: there is no room, or was none for another one with these arguments.
  bool add(uint64_t arguments, const PendingCall& call, MonoTime now);

  struct Found {
    std::array<PendingCall, kWays> calls = {};
    size_t count = 0;
  };
  Found find(uint64_t arguments);
  // A request of this execution came. From now on it is none for whom another may be taken. False:
  // one came before, or it is not known here; of two workers one is told true.
  bool take(uint64_t arguments, ExecutionRef execution);

  size_t bytes() const { return bytes_.load(std::memory_order_relaxed); }

 private:
  static constexpr size_t kShards = 16;

  struct Entry {
    uint64_t arguments;
    PendingCall call;  // of no execution: there is none
  };
  struct Free {
    void operator()(void* block) const { std::free(block); }
  };
  struct Shard {
    std::mutex mutex;
    std::unique_ptr<Entry[], Free> entries;
  };

  Entry* bucket_of(Shard& shard, uint64_t arguments) {
    return &shard.entries[(arguments & (buckets_ - 1)) * kWays];
  }

  ExecutionTable& executions_;
  const size_t buckets_;  // of a shard, a power of two
  std::array<Shard, kShards> shards_;
  std::atomic<size_t> bytes_{0};
};

}  // namespace sidespan::lineage
