#include "counted_memory.h"

#include <malloc.h>
#include <openssl/crypto.h>

#include <cstdlib>

#include "sidespan/base/memory_ledger.h"

namespace sidespan::tls {

constinit thread_local int64_t openssl_bytes = 0;

namespace {

// The allocator's own word before a block: with many small ones a fifth of what they take.
constexpr size_t kBlockHead = sizeof(size_t);

size_t size_of(void* block) {
  return block == nullptr ? 0 : ::malloc_usable_size(block) + kBlockHead;
}

void add(size_t bytes) {
  openssl_bytes += static_cast<int64_t>(bytes);
  memory::charge(bytes);
}

void take_off(size_t bytes) {
  openssl_bytes -= static_cast<int64_t>(bytes);
  memory::release(bytes);
}

void* allocate(size_t size, const char* /*file*/, int /*line*/) {
  void* const block = size == 0 ? nullptr : std::malloc(size);
  add(size_of(block));
  return block;
}

void give_back(void* block, const char* /*file*/, int /*line*/) {
  take_off(size_of(block));
  std::free(block);
}

void* reallocate(void* block, size_t size, const char* file, int line) {
  if (size == 0) {
    give_back(block, file, line);
    return nullptr;
  }
  const size_t before = size_of(block);
  void* const moved = std::realloc(block, size);
  if (moved == nullptr) return nullptr;
  take_off(before);
  add(size_of(moved));
  return moved;
}

// Before main(), since OpenSSL takes other functions only while it has allocated nothing.
[[maybe_unused]] const int kCounts = CRYPTO_set_mem_functions(allocate, reallocate, give_back);

}  // namespace

bool exceeds_part(size_t bytes, size_t parts) {
  const MemoryAccount* const account = memory::tally.account;
  return account != nullptr && bytes > account->ledger().limit() / parts;
}

}  // namespace sidespan::tls
