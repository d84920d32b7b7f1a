// Every step N times, for callgrind: `counted N` prints the steps' names in the order in which it
// enters counted_steps(), where test/bench/budget has callgrind begin and dump a part of its own.
#include <cstdio>
#include <cstdlib>

#include "hot_path.h"

// Found by callgrind under this name.
extern "C" [[gnu::noinline]] void counted_steps(sidespan::bench::HotPath& path, long count) {
  for (long i = 0; i < count; ++i) path.once();
}

int main(int argc, char** argv) {
  constexpr long kWarmUp = 64;  // what is allocated once, is
  const long count = argc == 2 ? std::atol(argv[1]) : 0;
  if (count <= 0) {
    std::fputs("usage: counted N\n", stderr);
    return 2;
  }
  for (const sidespan::bench::HotPathRow& row : sidespan::bench::hot_paths()) {
    const std::unique_ptr<sidespan::bench::HotPath> path = row.make();
    for (long i = 0; i < kWarmUp; ++i) path->once();
    counted_steps(*path, count);
    std::printf("%.*s\n", static_cast<int>(row.name.size()), row.name.data());
  }
  return 0;
}
