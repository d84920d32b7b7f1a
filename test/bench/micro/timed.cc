// Nanoseconds a step, by Google Benchmark.
#include <benchmark/benchmark.h>

#include <string>

#include "hot_path.h"

int main(int argc, char** argv) {
  for (const sidespan::bench::HotPathRow& row : sidespan::bench::hot_paths()) {
    benchmark::RegisterBenchmark(std::string(row.name).c_str(), [row](benchmark::State& state) {
      const std::unique_ptr<sidespan::bench::HotPath> path = row.make();
      for ([[maybe_unused]] auto _ : state) path->once();
    });
  }
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
