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

// Some spares of this thread, while they keep something.
class OpenSpares {
 protected:
  using Close = void (*)(OpenSpares& self);
  // `close` is called when the thread ends; false when it has.
  bool close_at_thread_end(Close close);

 private:
  friend struct ThreadEnd;
  OpenSpares* next_ = nullptr;
  Close close_ = nullptr;
};

// At most kKept pieces of kBytes. Make it thread_local. Begins as zeros and is destroyed by nobody:
// of a thread_local with more to it each use would first ask whether it has begun.
template <size_t kBytes, size_t kKept>
class Spares : OpenSpares {
 public:
  constexpr Spares() = default;
  Spares(const Spares&) = delete;
  Spares& operator=(const Spares&) = delete;
  void* take() { return count_ > 0 ? kept_[--count_] : ::operator new(kBytes); }
  void give(void* memory) {
    if (count_ == room_) return give_more(memory);
    kept_[count_++] = memory;
  }

 private:
  // Out of line: it is given in many places, and there is room nearly always.
  [[gnu::noinline]] void give_more(void* memory) {
    if (!open()) return ::operator delete(memory);
    kept_[count_++] = memory;
  }
  // Whether that makes room.
  bool open() {
    if (!kKeepsSpares || room_ > 0) return false;
    const auto end = [](OpenSpares& self) { static_cast<Spares&>(self).close(); };
    if (close_at_thread_end(end)) room_ = kKept;
    return room_ > 0;
  }
  void close() {
    while (count_ > 0) ::operator delete(kept_[--count_]);
    room_ = 0;
  }

  std::array<void*, kKept> kept_{};
  size_t count_ = 0;
  size_t room_ = 0;  // 0 until the first is given, and when the thread ends
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
    constinit thread_local Spares<sizeof(T), kKept> spares;
    return spares;
  }
};

}  // namespace sidespan
