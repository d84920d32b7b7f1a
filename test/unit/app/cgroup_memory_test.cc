#include "app/cgroup_memory.h"

#include <doctest/doctest.h>

#include <bit>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "support/temporary_directory.h"

namespace sidespan::app {
namespace {

using support::TemporaryDirectory;

constexpr size_t kMiB = size_t{1024} * 1024;

void write(const TemporaryDirectory& root, const std::string& name, const std::string& content) {
  std::filesystem::create_directories(std::filesystem::path(root / name).parent_path());
  root.write(name, content);
}

const std::string kV1 = "31 25 0:27 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n";
const std::string kV2 = "31 25 0:27 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw\n";
const std::string kOther =
    "30 25 0:26 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n"
    "29 1 8:1 / / rw - ext4 /dev/root rw\n";
const std::string kNone = "9223372036854771712\n";  // v1: no limit

TEST_CASE("the limit is the least of the group's and those above it") {
  struct Row {
    const char* name;
    std::string mounts;
    std::string groups;
    std::map<std::string, std::string> limits;  // below /sys/fs/cgroup
    std::optional<size_t> bytes;
  };
  const Row rows[] = {
      {"v2, its own", kV2, "0::/a/b\n", {{"a/b/memory.max", "1000000\n"}}, 1'000'000},
      {"v2, none", kV2, "0::/a/b\n", {{"a/b/memory.max", "max\n"}, {"a/memory.max", "max\n"}}, {}},
      {"v2, above",
       kV2,
       "0::/a/b\n",
       {{"a/b/memory.max", "max\n"}, {"a/memory.max", "2000000\n"}},
       2'000'000},
      {"v2, less above",
       kV2,
       "0::/a/b\n",
       {{"a/b/memory.max", "3000000\n"}, {"a/memory.max", "2000000\n"}},
       2'000'000},
      {"v2, less below",
       kV2,
       "0::/a/b\n",
       {{"a/b/memory.max", "1000000\n"}, {"a/memory.max", "2000000\n"}},
       1'000'000},
      {"v2, a container's root", kV2, "0::/\n", {{"memory.max", "1000000\n"}}, 1'000'000},
      {"v2, of a sibling", kV2, "0::/a\n", {{"b/memory.max", "1000000\n"}}, {}},
      {"v1, its own",
       kV1,
       "5:cpu:/c\n4:memory:/a\n0::/\n",
       {{"memory/a/memory.limit_in_bytes", "1000000\n"}, {"memory/memory.limit_in_bytes", kNone}},
       1'000'000},
      {"v1, with others",
       "31 25 0:27 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,cpu,memory\n",
       "4:cpu,memory:/a\n",
       {{"memory/a/memory.limit_in_bytes", "1000000\n"}},
       1'000'000},
      {"v1, none",
       kV1,
       "4:memory:/a\n",
       {{"memory/a/memory.limit_in_bytes", kNone}, {"memory/memory.limit_in_bytes", kNone}},
       {}},
      {"v1, a container that has the host's names",
       "31 25 0:27 /docker/x /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n",
       "4:memory:/docker/x\n",
       {{"memory/memory.limit_in_bytes", "1000000\n"}},
       1'000'000},
      {"both, memory in v1",
       kV1 + "33 25 0:28 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n",
       "4:memory:/a\n0::/u\n",
       {{"memory/a/memory.limit_in_bytes", "1000000\n"}},
       1'000'000},
      {"nothing mounted", "", "0::/a\n", {}, {}},
      {"no number", kV2, "0::/a\n", {{"a/memory.max", "lots\n"}}, {}},
      {"odd lines",
       kV2 + "\n1 2\n- cgroup2\n",
       "\n:\n0:\n0::/a\n",
       {{"a/memory.max", "4096\n"}},
       4096},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    const TemporaryDirectory root;
    write(root, "proc/self/cgroup", row.groups);
    write(root, "proc/self/mountinfo", kOther + row.mounts);
    for (const auto& [name, limit] : row.limits) write(root, "sys/fs/cgroup/" + name, limit);
    CHECK(cgroup_memory_bytes(root.path()) == row.bytes);
  }
}

TEST_CASE("a machine that tells nothing has no limit") {
  const TemporaryDirectory root;
  CHECK_FALSE(cgroup_memory_bytes(root.path()));
}

TEST_CASE("auto is a share of the group's limit, within bounds") {
  struct Row {
    std::optional<size_t> group;
    size_t traffic, export_queue, tail, lineage_values;
  };
  const std::vector<Row> rows = {
      {{}, 128 * kMiB, 32 * kMiB, 16 * kMiB, 262'144},
      {1024 * kMiB, 128 * kMiB, 32 * kMiB, 16 * kMiB, 262'144},
      {100 * kMiB, 60 * kMiB, 12 * kMiB, 6 * kMiB, 131'072},
      {4 * kMiB, 4 * kMiB / 100 * 60, kMiB, kMiB, 8'192},
      {0, kMiB, kMiB, kMiB, 8'192},
  };
  for (const Row& row : rows) {
    CAPTURE(row.group.value_or(0));
    const MemoryShares shares = memory_shares(row.group);
    CHECK(shares.traffic == row.traffic);
    CHECK(shares.export_queue == row.export_queue);
    CHECK(shares.tail == row.tail);
    CHECK(shares.lineage_values == row.lineage_values);
  }
}

TEST_CASE("all shares together leave a tenth of a group to the program") {
  // A value takes 32 bytes, and a quarter as many more are kept for agents that name their traces.
  constexpr size_t kBytesAValue = 40;
  // Of each of two workers a quarter of the queue may be on its way to it.
  constexpr size_t kOnTheWay = 2;
  for (size_t group = 40 * kMiB; group < 1024 * kMiB; group += kMiB) {
    const MemoryShares shares = memory_shares(group);
    CHECK(std::has_single_bit(shares.lineage_values));
    const size_t lineage = shares.lineage_values * kBytesAValue;
    const size_t queues = shares.export_queue + kOnTheWay * shares.export_queue / 4;
    CHECK(shares.traffic + queues + shares.tail + lineage <= group / 10 * 9);
  }
}

}  // namespace
}  // namespace sidespan::app
