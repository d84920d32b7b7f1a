// Targets that calls had lately, and what they carry: a program that asks for the same again and
// again says nothing new, and its address is not read each time. In a table of fixed size, where a
// new one takes the place of another; each is there in full, so that whoever makes two of them fall
// on one place only has them read more often. One for each worker.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>

#include "sidespan/base/clock.h"
#include "sidespan/base/memory_ledger.h"
#include "sidespan/lineage/gleaner.h"
#include "sidespan/lineage/value.h"

namespace sidespan::lineage {

class TargetMemo {
 public:
  static constexpr size_t kBytesMax = size_t{512} * 1024;

  // Targets and what they carry are kept in no more than `bytes_max`, which MemoryLedger counts.
  explicit TargetMemo(size_t bytes_max = kBytesMax) : bytes_max_(bytes_max) {}

  struct Known {
    Gleaned carried;
    MonoTime told = MonoTime::min();  // by a call that belongs to nobody
    uint64_t unheard_at = 0;          // Joined::unheard_at of the latest

    // So lately that to tell it again says nothing new, where values are `remembered` for so long.
    bool is_told(MonoTime now, Nanoseconds remembered) const;
  };
  // What `target` carries.
  std::shared_ptr<Known> glean(const HashKey& key, const Target& target);

 private:
  static constexpr size_t kPlaces = 1024;
  // Values, and what is asked for: an address that carries more is read each time.
  static constexpr size_t kPartsKept = 32;

  // Longer ones are none that come again.
  static constexpr size_t kTextBytesMax = 2048;

  struct Place {
    std::string text = {};  // host and path; empty: nobody's
    uint32_t path_size = 0;
    uint32_t kind = 0;  // all else of it
    std::shared_ptr<Known> known = {};
  };

  // Null: there is no room for it.
  Place* place_of(const Target& target);
  // False: there is none, even if all others go.
  bool make_room(size_t bytes, const Place& kept);
  void leave(Place& place);
  static size_t bytes_of(const Known& known);
  static size_t bytes_of(const Place& place);

  const size_t bytes_max_;
  std::array<Place, kPlaces> places_ = {};
  MemoryCharge charge_;
};

}  // namespace sidespan::lineage
