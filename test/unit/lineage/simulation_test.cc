// Nothing propagated: which execution a call is put into, against the truth of simulated agents.
// SIDESPAN_SIMULATION_SCALE=4 simulates four times as many.
#include <doctest/doctest.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "workload.h"

using sidespan::lineage::simulation::Knobs;
using sidespan::lineage::simulation::Score;
using sidespan::lineage::simulation::World;

namespace {

std::string sources(const Score& score) {
  std::string out;
  for (const auto& [source, count] : score.by_source) {
    out += " " + source + " " + std::to_string(count);
  }
  return out;
}

void tell(const char* name, const World& world) {
  std::printf(
      "%s: model calls %.2f %% of %zu (%zu wrong;%s), tool calls %.2f %% of %zu (%zu wrong;%s), "
      "links %zu right %zu others', %zu turns, %zu KiB\n",
      name, 100 * world.models.recall(), world.models.right + world.models.missed,
      world.models.wrong, sources(world.models).c_str(), 100 * world.tools.recall(),
      world.tools.right + world.tools.missed, world.tools.wrong, sources(world.tools).c_str(),
      world.links_right, world.links_wrong, world.turns.size(), world.peak.bytes / 1024);
  for (const auto& [kind, score] : world.by_kind) {
    std::printf("    %-12s %6zu right %6zu opens %6zu missed %6zu wrong\n", kind.c_str(),
                score.right, score.opens, score.missed, score.wrong);
  }
}

struct Row {
  const char* name;
  Knobs knobs;
  double models;  // recall that is asked for
  double tools;
};

}  // namespace

TEST_CASE("a wrong parent never, and most calls in the right execution") {
  const std::vector<Row> rows = {
      {"one at a time", {.executions = 300, .in_flight = 1}, 0.99, 0.97},
      {"16 in flight", {.executions = 600, .in_flight = 16, .words = 1000}, 0.99, 0.97},
      {"64 in flight", {.executions = 600, .in_flight = 64, .words = 1000}, 0.98, 0.95},
      {"no ids", {.executions = 300, .in_flight = 16, .ids = 0, .words = 1000}, 0.9, 0.9},
      {"equal arguments", {.executions = 300, .equal_arguments = 0.7}, 0.5, 0},
      {"equal prompts", {.executions = 300, .equal_prompts = 1, .equal_arguments = 1}, 0, 0},
      {"equal prompts, no ids",
       {.executions = 300, .equal_prompts = 1, .equal_arguments = 1, .ids = 0},
       0,
       0},
      {"retrieves first", {.executions = 250, .retrieves_first = 1}, 0.9, 0},
      {"retrieves first, equal",
       {.executions = 250, .equal_prompts = 1, .retrieves_first = 1},
       0,
       0},
      {"sometimes retrieves first, equal",
       {.executions = 250, .equal_prompts = 1, .retrieves_first = 0.5},
       0,
       0},
  };
  const char* const given = std::getenv("SIDESPAN_SIMULATION_SCALE");
  const size_t scale = given == nullptr ? 1 : std::strtoul(given, nullptr, 10);
  size_t calls = 0;
  for (Row row : rows) {
    CAPTURE(row.name);
    row.knobs.executions *= scale;
    World world(row.knobs);
    world.run();
    tell(row.name, world);
    CHECK(world.models.wrong == 0);
    CHECK(world.tools.wrong == 0);
    CHECK(world.models.recall() >= row.models);
    CHECK(world.tools.recall() >= row.tools);
    CHECK(world.peak.bytes <= size_t{32} << 20);
    for (const Score* score : {&world.models, &world.tools}) {
      calls += score->right + score->opens + score->missed + score->wrong;
    }
  }
  std::printf("%zu calls\n", calls);
}
