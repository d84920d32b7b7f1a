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

uint64_t word_at(const char* at) {
  uint64_t word = 0;
  std::memcpy(&word, at, sizeof word);
  if constexpr (std::endian::native == std::endian::big) word = __builtin_bswap64(word);
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
  const char* const end = at + bytes.size();
  size_t filled = size_ % 8;
  size_ += bytes.size();
  for (; filled != 0 && at < end; ++at) {
    tail_ |= static_cast<uint64_t>(static_cast<uint8_t>(*at)) << (8 * filled);
    filled = (filled + 1) % 8;
    if (filled != 0) continue;
    mix(tail_);
    tail_ = 0;
  }
  for (; end - at >= 8; at += 8) mix(word_at(at));
  for (; at < end; ++at, ++filled) {
    tail_ |= static_cast<uint64_t>(static_cast<uint8_t>(*at)) << (8 * filled);
  }
}

void Hasher::add(uint64_t word) {
  std::array<char, 8> bytes;
  for (char& byte : bytes) {
    byte = static_cast<char>(word & 0xff);
    word >>= 8;
  }
  add(std::string_view(bytes.data(), bytes.size()));
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
