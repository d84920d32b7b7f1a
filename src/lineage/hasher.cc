#include <bit>
#include <cstring>

#include "sidespan/lineage/value.h"

namespace sidespan::lineage {
namespace {

void round_of(std::array<uint64_t, 4>& v) {
  v[0] += v[1];
  v[2] += v[3];
  v[1] = std::rotl(v[1], 13) ^ v[0];
  v[3] = std::rotl(v[3], 16) ^ v[2];
  v[0] = std::rotl(v[0], 32);
  v[2] += v[1];
  v[0] += v[3];
  v[1] = std::rotl(v[1], 17) ^ v[2];
  v[3] = std::rotl(v[3], 21) ^ v[0];
  v[2] = std::rotl(v[2], 32);
}

template <class Word>
uint64_t little_endian(const char* at) {
  Word word = 0;
  std::memcpy(&word, at, sizeof word);
  return std::endian::native == std::endian::big ? std::byteswap(word) : word;
}

// Less than eight bytes.
uint64_t few(const char* at, size_t size) {
  uint64_t word = 0;
  size_t done = 0;
  if ((size & 4) != 0) {
    word = little_endian<uint32_t>(at);
    done = 4;
  }
  if ((size & 2) != 0) {
    word |= little_endian<uint16_t>(at + done) << (8 * done);
    done += 2;
  }
  if ((size & 1) != 0) word |= uint64_t{static_cast<uint8_t>(at[done])} << (8 * done);
  return word;
}

}  // namespace

Hasher::Hasher(const HashKey& key)
    : v_{key.first ^ 0x736f6d6570736575U, key.second ^ 0x646f72616e646f6dU,
         key.first ^ 0x6c7967656e657261U, key.second ^ 0x7465646279746573U} {}

void Hasher::mix(uint64_t word) {
  v_[3] ^= word;
  round_of(v_);
  v_[0] ^= word;
}

void Hasher::add(std::string_view bytes) {
  const char* at = bytes.data();
  size_t left = bytes.size();
  for (; left >= 8; left -= 8, at += 8) add(little_endian<uint64_t>(at));
  if (left == 0) return;
  const uint64_t rest = few(at, left);
  const size_t filled = size_ % 8;
  size_ += left;
  tail_ |= rest << (8 * filled);
  if (filled + left < 8) return;
  mix(tail_);
  tail_ = rest >> (64 - 8 * filled);
}

void Hasher::add(uint64_t word) {
  const size_t filled = size_ % 8;
  size_ += 8;
  mix(tail_ | word << (8 * filled));
  tail_ = filled == 0 ? 0 : word >> (64 - 8 * filled);
}

uint64_t Hasher::finish() const {
  Hasher end = *this;
  end.mix((size_ << 56) | tail_);
  end.v_[2] ^= 0xff;
  for (int i = 0; i < 3; ++i) round_of(end.v_);
  return end.v_[0] ^ end.v_[1] ^ end.v_[2] ^ end.v_[3];
}

uint64_t hash_of(const HashKey& key, std::string_view bytes) {
  Hasher hasher(key);
  hasher.add(bytes);
  return hasher.finish();
}

}  // namespace sidespan::lineage
