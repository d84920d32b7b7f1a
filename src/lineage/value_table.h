// Who carried which value: a table of fixed size, sharded by the hash, a mutex a shard. Eight
// values share a bucket; where it is full the oldest goes, and a filter remembers that it was
// there, so that nobody is taken for the only one who carried it. Used by the registry.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <optional>

#include "lineage/execution_table.h"
#include "sidespan/lineage/turn.h"

namespace sidespan::lineage {

// How a value came to one who holds it.
enum Mark : uint8_t {
  kSaidByUser = 1,
  kSentFixed = 2,  // by the agent's program, or by who knows whom
  kSaidByModel = 4,
  kSaidByTool = 8,
  kGivenAtBegin = 16,
  kAllMessages = 32,  // the digest of all messages of a model call
  kAskedOfTool = 32,  // a text: by its model, in a tool's arguments
  kAsId = 64,
  kPassedOn = 128,  // it is taken for what one call was told whose program passes it on
};

struct Holder {
  ExecutionRef execution = {};
  uint8_t marks = 0;
  uint8_t step = 0;  // of the call that brought it, its low bits
};

// Whether a tool told it to somebody who is not named.
enum class Strays : uint8_t {
  kNone,
  kOne,
  kPassedOn,  // to one, who is taken for the holder with that mark
  kMany,
};

struct Held {
  static constexpr size_t kHoldersMax = 3;
  std::array<Holder, kHoldersMax> holders = {};
  bool more = false;  // than are named here, or one who belongs to nobody
  Strays strays = Strays::kNone;
  // Looked up where a holder is named.
  bool common = false;     // it was several executions' before
  bool forgotten = false;  // perhaps somebody else's, too
  bool fresh = false;      // touched lately: holders that are gone still count
};

class ValueTable {
 public:
  // `values_max` is rounded up to whole buckets in each shard. A holder who is gone counts for
  // `horizon` after the value was last touched.
  ValueTable(size_t values_max, Nanoseconds horizon, ExecutionTable& executions);

  std::optional<Held> find(uint64_t hash, MonoTime now);
  // Somebody has it, or may have had it and was forgotten.
  bool may_hold(uint64_t hash, MonoTime now);
  // A holder of no execution: somebody unknown has it. `added`: the execution had it not before.
  struct Inserted {
    bool added = false;
  };
  Inserted insert(uint64_t hash, const Holder& holder, bool light, MonoTime now);
  void forget(uint64_t hash, MonoTime now);

  size_t bytes() const { return bytes_.load(std::memory_order_relaxed); }
  uint64_t forgotten() const { return forgotten_.load(std::memory_order_relaxed); }

 private:
  static constexpr size_t kShards = 16;
  static constexpr size_t kWays = 8;

  static constexpr uint8_t kMore = 128;
  struct Entry {
    uint64_t hash;
    std::array<uint32_t, Held::kHoldersMax> holders;
    std::array<uint8_t, Held::kHoldersMax> marks;
    std::array<uint8_t, Held::kHoldersMax> steps;
    uint8_t more;  // marks of who is not named, and kMore
    Strays strays;
    uint32_t touched;  // seconds; zero: no entry
  };
  static_assert(sizeof(Entry) == 32);

  struct Free {
    void operator()(void* block) const { std::free(block); }
  };
  template <class T>
  using Block = std::unique_ptr<T[], Free>;

  // Remembers hashes for one to two horizons.
  struct Filter {
    std::array<Block<uint64_t>, 2> bits;
    uint32_t since = 0;
    bool now = false;  // which one is written
  };
  struct Shard {
    std::mutex mutex;
    Block<Entry> entries;
    Filter forgotten;
    Filter common;
  };

  Shard& shard_of(uint64_t hash) { return shards_[hash >> 60]; }
  Entry* find_in(Shard& shard, uint64_t hash);
  Entry& place_in(Shard& shard, uint64_t hash, uint32_t second);
  void remember(Filter& filter, uint64_t hash, uint32_t second, size_t words);
  bool remembers(Filter& filter, uint64_t hash, uint32_t second, size_t words);
  void turn_over(Filter& filter, uint32_t second, size_t words);
  void leave_out_the_gone(Entry& entry);
  static void add_unnamed(Entry& entry, const Holder& holder);
  static void doubt(Entry& entry, const Holder& holder);
  bool passes_on(Shard& shard, const Entry& entry, const Holder& holder, uint32_t second);

  ExecutionTable& executions_;
  const size_t buckets_;  // of a shard, a power of two
  const uint32_t horizon_;
  std::array<Shard, kShards> shards_;
  std::atomic<size_t> bytes_{0};
  std::atomic<uint64_t> forgotten_{0};
};

}  // namespace sidespan::lineage
