// The memory of a node container's nodes comes again, as that of Recycled objects does
// (spares.h): for maps of what lives as long as one request.
#pragma once

#include <cstddef>
#include <memory>

#include "sidespan/base/spares.h"

namespace sidespan {

// Single objects are of kept memory, at most kKept of them; arrays (a hash table's) are not.
template <class T, size_t kKept>
struct SpareAllocator {
  using value_type = T;
  template <class U>
  struct rebind {  // NOLINT(readability-identifier-naming): the name is the standard's
    using other = SpareAllocator<U, kKept>;
  };

  SpareAllocator() = default;
  template <class U>
  SpareAllocator(const SpareAllocator<U, kKept>&) {}

  T* allocate(size_t count) {
    if (count != 1) return std::allocator<T>().allocate(count);
    return static_cast<T*>(spares().take());
  }
  void deallocate(T* memory, size_t count) {
    if (count != 1) return std::allocator<T>().deallocate(memory, count);
    spares().give(static_cast<void*>(memory));
  }
  template <class U>
  bool operator==(const SpareAllocator<U, kKept>&) const {
    return true;
  }

 private:
  static auto& spares() {
    // T may be a pointer, of which a hash table has an array.
    constinit thread_local Spares<sizeof(T), kKept> spares;  // NOLINT(bugprone-sizeof-expression)
    return spares;
  }
};

}  // namespace sidespan
