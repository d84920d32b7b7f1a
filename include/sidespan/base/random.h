// A user-space generator for ids and jitter: xoshiro256**, seeded from the kernel once a thread.
// Ids must be unique, not secret: never use it for keys, tokens or anything an attacker may guess.
// Not thread-safe; each worker owns one. A fixed seed gives tests a fixed sequence.
#pragma once

#include <array>
#include <cstdint>

namespace sidespan {

class Random {
 public:
  // Seeded by the operating system; aborts when that has no entropy to give.
  static Random from_system();
  explicit Random(uint64_t seed);

  uint64_t next();
  // Uniform in [0, bound); bound > 0.
  uint64_t below(uint64_t bound);
  // Uniform in [0, 1).
  double fraction();

 private:
  explicit Random(const std::array<uint64_t, 4>& state) : state_(state) {}

  std::array<uint64_t, 4> state_;
};

}  // namespace sidespan
