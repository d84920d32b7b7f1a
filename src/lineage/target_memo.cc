#include "sidespan/lineage/target_memo.h"

#include <algorithm>
#include <cstring>
#include <functional>
#include <string_view>

namespace sidespan::lineage {

namespace {

// Tells most names of hosts apart, whose ends are not alike; the text tells them all.
size_t folded(std::string_view name) {
  if (name.empty()) return 0;
  uint64_t begin = 0;
  uint64_t end = 0;
  const size_t size = std::min(name.size(), sizeof begin);
  std::memcpy(&begin, name.data(), size);
  std::memcpy(&end, name.data() + name.size() - size, size);
  constexpr uint64_t kOdd = 0x9e3779b97f4a7c15U;
  const uint64_t mixed = (begin * kOdd) ^ (end + name.size());
  return mixed ^ (mixed >> 32U);
}

}  // namespace

// What is told again is remembered for seven eighths of the time at least; where that is a few of
// the seconds that it is counted by, it is told each time.
bool TargetMemo::Known::is_told(MonoTime now, Nanoseconds remembered) const {
  if (told == MonoTime::min() || remembered < std::chrono::seconds(16)) return false;
  return now - told < remembered / 8;
}

size_t TargetMemo::bytes_of(const Known& known) {
  return sizeof(Known) + known.carried.values.size() * sizeof(Value) +
         known.carried.asked.size() * sizeof(Asked);
}

size_t TargetMemo::bytes_of(const Place& place) {
  return place.text.size() + (place.known ? bytes_of(*place.known) : 0);
}

TargetMemo::Place* TargetMemo::place_of(const Target& target) {
  const size_t size = target.host.size() + target.path.size();
  if (size == 0 || size > kTextBytesMax) return nullptr;
  const uint32_t kind = uint32_t{target.port} << 3U | (target.secure ? 4U : 0U) |
                        (target.fetches ? 2U : 0U) | (target.alone ? 1U : 0U);
  const size_t hash = std::hash<std::string_view>()(target.path) ^ folded(target.host) ^ kind;
  Place& place = places_[hash % places_.size()];
  const std::string_view text = place.text;
  // One may end as the other begins.
  const bool same = text.size() == size && place.path_size == target.path.size() &&
                    place.kind == kind && text.ends_with(target.path) &&
                    text.starts_with(target.host);
  if (same) return &place;
  leave(place);
  if (!make_room(size, place)) return nullptr;
  place.text.reserve(size);
  place.text.append(target.host).append(target.path);
  place.path_size = static_cast<uint32_t>(target.path.size());
  place.kind = kind;
  charge_.set(charge_.bytes() + bytes_of(place));
  return &place;
}

// Whose turn it is nobody knows, so that all go but `kept`: those that come again are soon back.
bool TargetMemo::make_room(size_t bytes, const Place& kept) {
  if (charge_.bytes() + bytes <= bytes_max_) return true;
  for (Place& one : places_) {
    if (&one != &kept) leave(one);
  }
  return charge_.bytes() + bytes <= bytes_max_;
}

void TargetMemo::leave(Place& place) {
  if (place.text.empty()) return;
  charge_.set(charge_.bytes() - bytes_of(place));
  std::string().swap(place.text);  // an assignment would keep its memory
  place = {};
}

std::shared_ptr<TargetMemo::Known> TargetMemo::glean(const HashKey& key, const Target& target) {
  Place* const place = place_of(target);
  if (place != nullptr && place->known) return place->known;
  auto made = std::make_shared<Known>();
  Gleaned& carried = made->carried;
  glean_target(key, target, carried);
  if (place == nullptr || carried.values.size() + carried.asked.size() > kPartsKept) return made;
  carried.values.shrink_to_fit();
  carried.asked.shrink_to_fit();
  const size_t bytes = bytes_of(*made);
  if (!make_room(bytes, *place)) return made;
  place->known = made;
  charge_.set(charge_.bytes() + bytes);
  return made;
}

}  // namespace sidespan::lineage
