#include "sidespan/base/random.h"

#include <sys/random.h>

#include <bit>
#include <cstdlib>

namespace sidespan {
namespace {

uint64_t split_mix(uint64_t& seed) {
  uint64_t z = (seed += 0x9e3779b97f4a7c15U);
  z = (z ^ (z >> 30U)) * 0xbf58476d1ce4e5b9U;
  z = (z ^ (z >> 27U)) * 0x94d049bb133111ebU;
  return z ^ (z >> 31U);
}

}  // namespace

Random Random::from_system() {
  std::array<uint64_t, 4> state{};
  if (getentropy(state.data(), sizeof state) != 0) std::abort();
  return Random(state);
}

Random::Random(uint64_t seed) : state_{} {
  for (uint64_t& word : state_) word = split_mix(seed);
}

uint64_t Random::next() {
  const uint64_t result = std::rotl(state_[1] * 5, 7) * 9;
  const uint64_t shifted = state_[1] << 17U;
  state_[2] ^= state_[0];
  state_[3] ^= state_[1];
  state_[1] ^= state_[2];
  state_[0] ^= state_[3];
  state_[2] ^= shifted;
  state_[3] = std::rotl(state_[3], 45);
  return result;
}

uint64_t Random::below(uint64_t bound) {
  // Values under the remainder of 2^64 / bound would be drawn once too often.
  const uint64_t unfair = -bound % bound;
  uint64_t draw = next();
  while (draw < unfair) draw = next();
  return draw % bound;
}

double Random::fraction() {
  return static_cast<double>(next() >> 11U) * 0x1.0p-53;
}

}  // namespace sidespan
