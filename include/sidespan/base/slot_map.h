// Objects named by generation-checked ids, so that a name that outlived its object means "not
// found" and never somebody else. Owners hold the map; everybody else holds ids. Pointers stay
// valid until erase (each slot is its own allocation). Not thread-safe.
#pragma once

#include <cassert>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

namespace sidespan {

struct SlotId {
  uint32_t index = 0;
  uint32_t generation = 0;  // 0 names nothing

  explicit operator bool() const { return generation != 0; }
  bool operator==(const SlotId&) const = default;
};

template <class T>
class SlotMap {
 public:
  // `make` gets the new id and returns the object that will live under it.
  template <class Make>
  SlotId emplace(Make&& make) {
    if (free_.empty()) {
      free_.push_back(static_cast<uint32_t>(slots_.size()));
      slots_.emplace_back();
    }
    const uint32_t index = free_.back();
    free_.pop_back();
    const SlotId id{index, slots_[index].generation};
    std::unique_ptr<T> object = std::forward<Make>(make)(id);  // may itself grow slots_
    slots_[index].object = std::move(object);
    ++size_;
    return id;
  }

  // nullptr when the id is stale.
  T* find(SlotId id) const {
    if (id.index >= slots_.size() || slots_[id.index].generation != id.generation) return nullptr;
    return slots_[id.index].object.get();
  }

  void erase(SlotId id) {
    if (find(id) == nullptr) return;
    Slot& slot = slots_[id.index];
    std::unique_ptr<T> doomed = std::move(slot.object);  // its destructor may look at the map
    if (++slot.generation == 0) slot.generation = 1;
    free_.push_back(id.index);
    --size_;
  }

  size_t size() const { return size_; }

  // `visit(id, object)`; the visitor may erase what it is shown, and nothing else.
  template <class Visit>
  void for_each(Visit&& visit) {
    for (uint32_t i = 0; i < slots_.size(); ++i) {
      if (slots_[i].object) visit(SlotId{i, slots_[i].generation}, *slots_[i].object);
    }
  }

 private:
  struct Slot {
    std::unique_ptr<T> object;
    uint32_t generation = 1;
  };

  std::vector<Slot> slots_;
  std::vector<uint32_t> free_;
  size_t size_ = 0;
};

}  // namespace sidespan
