#include "sidespan/lineage/target_memo.h"

namespace sidespan::lineage {
namespace {

size_t bytes_of(const Gleaned& gleaned) {
  return sizeof(Gleaned) + gleaned.values.size() * sizeof(Value) +
         gleaned.asked.size() * sizeof(Asked);
}

}  // namespace

TargetMemo::Place& TargetMemo::place_of(const HashKey& key, const Target& target) {
  // One may end as the other begins.
  const uint64_t kind =
      target.path.size() << 2U | (target.fetches ? 2U : 0U) | (target.alone ? 1U : 0U);
  Hasher hasher({key.first ^ kind, key.second});
  hasher.add(target.path);
  hasher.add(target.authority);
  const uint64_t hash = hasher.finish();
  Place& place = places_[hash % places_.size()];
  if (place.hash == hash) return place;
  if (place.carried) charge_.set(charge_.bytes() - bytes_of(*place.carried));
  place = {.hash = hash};
  return place;
}

std::shared_ptr<const Gleaned> TargetMemo::glean(const HashKey& key, const Target& target) {
  Place& place = place_of(key, target);
  if (place.carried) return place.carried;
  const auto made = std::make_shared<Gleaned>();
  glean_target(key, target, *made);
  if (made->values.size() + made->asked.size() > kPartsKept) return made;
  made->values.shrink_to_fit();
  made->asked.shrink_to_fit();
  const size_t bytes = charge_.bytes() + bytes_of(*made);
  if (bytes > bytes_max_) return made;
  charge_.set(bytes);
  place.carried = made;
  return made;
}

bool TargetMemo::is_due(const HashKey& key, const Target& target, MonoTime now, Nanoseconds span) {
  Place& place = place_of(key, target);
  const bool was_told = place.told != MonoTime::min() && now - place.told < span;
  if (!was_told) place.told = now;
  return !was_told;
}

}  // namespace sidespan::lineage
