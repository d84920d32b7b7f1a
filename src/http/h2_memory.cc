#include "h2_memory.h"

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <new>

#include "sidespan/base/spares.h"

namespace sidespan::http {
namespace {

// In front of what nghttp2 gets: free() is told no size.
struct alignas(std::max_align_t) Front {
  size_t size;  // of all of it
};

// Powers of two from 64 bytes to 2 KiB; what is bigger (a table of HPACK, a frame's buffer) stays
// as long as its connection. Kept is what two connections with a hundred streams each need, one on
// either side: a stream takes five pieces of up to 1 KiB.
constexpr int kSmallest = 6;
constexpr int kUsualMax = 10;
constexpr int kLargest = 11;

template <int kBits>
using Sized = Spares<size_t{1} << kBits, (kBits <= kUsualMax ? 512 : 16)>;

// Inside with_spares() it would be one for each type of `With`.
template <int kBits>
Sized<kBits>& spares() {
  thread_local Sized<kBits> all;
  return all;
}

// Calls `with(kept)` for those of that size.
template <int kBits = kSmallest, class With>
void with_spares(int bits, With&& with) {
  if (bits == kBits) return with(spares<kBits>());
  if constexpr (kBits < kLargest) with_spares<kBits + 1>(bits, with);
}

int bits_of(size_t size) {
  return std::max(kSmallest, static_cast<int>(std::bit_width(size - 1)));
}

Front* front_of(void* memory) {
  return static_cast<Front*>(memory) - 1;
}

void* allocate(size_t wanted, void*) {
  if (wanted > SIZE_MAX / 2) return nullptr;
  const size_t size = wanted + sizeof(Front);
  const int bits = bits_of(size);
  if (bits > kLargest) return new (::operator new(size)) Front{size} + 1;
  void* place = nullptr;
  with_spares(bits, [&](auto& kept) { place = kept.take(); });
  return new (place) Front{size_t{1} << static_cast<unsigned>(bits)} + 1;
}

void give_back(void* memory, void*) {
  if (memory == nullptr) return;
  Front* const front = front_of(memory);
  const int bits = bits_of(front->size);
  if (bits > kLargest) return ::operator delete(front);
  with_spares(bits, [&](auto& kept) { kept.give(front); });
}

void* allocate_zeroed(size_t count, size_t each, void*) {
  if (each != 0 && count > SIZE_MAX / 2 / each) return nullptr;
  void* const memory = allocate(count * each, nullptr);
  std::memset(memory, 0, count * each);
  return memory;
}

void* reallocate(void* memory, size_t wanted, void*) {
  if (memory == nullptr) return allocate(wanted, nullptr);
  const size_t room = front_of(memory)->size - sizeof(Front);
  if (wanted <= room) return memory;
  void* const bigger = allocate(wanted, nullptr);
  if (bigger == nullptr) return nullptr;
  std::memcpy(bigger, memory, room);
  give_back(memory, nullptr);
  return bigger;
}

}  // namespace

nghttp2_mem h2_memory() {
  return {nullptr, allocate, give_back, allocate_zeroed, reallocate};
}

}  // namespace sidespan::http
