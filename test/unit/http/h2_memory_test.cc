#include "http/h2_memory.h"

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

using namespace sidespan::http;

namespace {

bool is_all(const void* memory, char c, size_t size) {
  return std::string(static_cast<const char*>(memory), size) == std::string(size, c);
}

}  // namespace

TEST_CASE("h2 memory: every size, with its bytes, whoever else has some") {
  const nghttp2_mem memory = h2_memory();
  std::vector<std::pair<void*, size_t>> held;
  for (size_t size = 0; size < 5000; size += size < 100 ? 1 : 97) {
    void* const some = memory.malloc(size, nullptr);
    CHECK(reinterpret_cast<uintptr_t>(some) % alignof(std::max_align_t) == 0);
    std::memset(some, static_cast<char>(size % 100), size);
    held.emplace_back(some, size);
  }
  for (const auto& [some, size] : held) {
    CHECK(is_all(some, static_cast<char>(size % 100), size));
    memory.free(some, nullptr);
  }
  memory.free(nullptr, nullptr);
}

TEST_CASE("h2 memory: what comes again is zeroed where that is asked for") {
  const nghttp2_mem memory = h2_memory();
  for (const size_t size : {8U, 64U, 500U, 3000U}) {
    void* const before = memory.malloc(size, nullptr);
    std::memset(before, 'x', size);
    memory.free(before, nullptr);
    void* const zeroed = memory.calloc(size / 4, 4, nullptr);
    CHECK(is_all(zeroed, '\0', size));
    memory.free(zeroed, nullptr);
  }
}

TEST_CASE("h2 memory: growing keeps the bytes") {
  const nghttp2_mem memory = h2_memory();
  void* some = memory.realloc(nullptr, 1, nullptr);
  std::memset(some, 'x', 1);
  for (size_t size = 1; size < 10'000; size = size * 3 + 1) {
    some = memory.realloc(some, size * 3 + 1, nullptr);
    CHECK(is_all(some, 'x', size));
    std::memset(some, 'x', size * 3 + 1);
  }
  some = memory.realloc(some, 10, nullptr);
  CHECK(is_all(some, 'x', 10));
  memory.free(some, nullptr);
}

TEST_CASE("h2 memory: more than there can be is refused") {
  const nghttp2_mem memory = h2_memory();
  CHECK(memory.malloc(SIZE_MAX - 4, nullptr) == nullptr);
  CHECK(memory.calloc(SIZE_MAX / 2, 3, nullptr) == nullptr);
}
