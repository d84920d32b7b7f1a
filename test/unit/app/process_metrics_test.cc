#include "app/process_metrics.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <ctime>

namespace sidespan::app {
namespace {

double value(const metrics::Snapshot& snapshot, std::string_view name) {
  const auto family = std::ranges::find(snapshot, name, &metrics::Family::name);
  REQUIRE_MESSAGE(family != snapshot.end(), name);
  REQUIRE(family->samples.size() == 1);
  return family->samples[0].value;
}

TEST_CASE("this process") {
  metrics::Snapshot snapshot;
  collect_process(snapshot);
  CHECK(value(snapshot, "process_cpu_seconds") >= 0);
  CHECK(value(snapshot, "process_resident_memory_bytes") > 1e5);
  CHECK(value(snapshot, "process_virtual_memory_bytes") >=
        value(snapshot, "process_resident_memory_bytes"));
  CHECK(value(snapshot, "process_open_fds") >= 3);
  CHECK(value(snapshot, "process_max_fds") > value(snapshot, "process_open_fds"));
  const double started = value(snapshot, "process_start_time_seconds");
  const auto now = static_cast<double>(std::time(nullptr));
  CHECK(started <= now + 2);
  CHECK(started > now - 3600 * 24);
}

}  // namespace
}  // namespace sidespan::app
