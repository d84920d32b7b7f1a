#include "sidespan/lineage/target_memo.h"

namespace sidespan::lineage {

bool TargetMemo::is_due(const HashKey& key, const Target& target, MonoTime now, Nanoseconds span) {
  Hasher hasher(key);
  hasher.add(target.path);
  hasher.add(target.authority);
  // One may end as the other begins.
  hasher.add(target.path.size() << 2U | (target.fetches ? 2U : 0U) | (target.alone ? 1U : 0U));
  const uint64_t hash = hasher.finish();
  Place& place = places_[hash % places_.size()];
  if (place.hash == hash && now - place.read < span) return false;
  place = {hash, now};
  return true;
}

}  // namespace sidespan::lineage
