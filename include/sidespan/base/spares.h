// Memory of one size that a thread needs again within microseconds: what is given back is kept,
// warm in the cache, for the next who asks. For blocks of bytes (Chunk) and for objects that live
// as long as one request (Recycled). Each thread has its own; what is given back elsewhere is kept
// there.
#pragma once

#include <array>
#include <cstddef>
#include <new>

namespace sidespan {

// Under ASan nothing is kept, so that what is used after its end is found.
#ifdef __SANITIZE_ADDRESS__
inline constexpr bool kKeepsSpares = false;
#else
inline constexpr bool kKeepsSpares = true;
#endif

// At most kKept pieces of kBytes. Make it thread_local.
template <size_t kBytes, size_t kKept>
class Spares {
 public:
  Spares() = default;
  Spares(const Spares&) = delete;
  Spares& operator=(const Spares&) = delete;
  ~Spares() {
    while (count_ > 0) ::operator delete(kept_[--count_]);
    closed_ = true;
  }
  void* take() { return count_ > 0 ? kept_[--count_] : ::operator new(kBytes); }
  void give(void* memory) {
    if (!kKeepsSpares || count_ == kKept || closed_) return ::operator delete(memory);
    kept_[count_++] = memory;
  }

 private:
  std::array<void*, kKept> kept_{};
  size_t count_ = 0;
  bool closed_ = false;  // the thread ends, and what outlives this is not kept
};

// `class X final : Recycled<X, 16>`: its memory comes again. X is final, or its size would lie.
template <class T, size_t kKept>
class Recycled {
 public:
  static void* operator new(size_t) { return spares().take(); }
  static void operator delete(void* memory) { spares().give(memory); }

 private:
  friend T;
  Recycled() = default;
  static auto& spares() {
    static_assert(__is_final(T));
    thread_local Spares<sizeof(T), kKept> spares;
    return spares;
  }
};

}  // namespace sidespan
