#include "app/cgroup_memory.h"

#include <algorithm>
#include <bit>
#include <fstream>
#include <string_view>
#include <vector>

#include "sidespan/base/text.h"

namespace sidespan::app {
namespace {

constexpr size_t kMiB = size_t{1024} * 1024;

// A share of the control group's memory, within bounds: with less than the least nothing works.
struct Share {
  size_t percent;
  size_t least;
  size_t most;

  size_t of(std::optional<size_t> group) const {
    return group ? std::clamp(*group / 100 * percent, least, most) : most;
  }
};
constexpr Share kTraffic = {.percent = 60, .least = kMiB, .most = 128 * kMiB};
constexpr Share kExportQueue = {.percent = 12, .least = kMiB, .most = 32 * kMiB};
constexpr Share kTail = {.percent = 6, .least = kMiB, .most = 16 * kMiB};
constexpr Share kLineage = {.percent = 4, .least = kMiB / 4, .most = 8 * kMiB};
// The table has a power of two of them.
constexpr size_t kBytesALineageValue = 32;

// Where a hierarchy is mounted, which of its directories that is, and the file that tells the
// limit.
struct Hierarchy {
  std::string mount_point;
  std::string mounted;  // "/" but for containers that share the host's names
  std::string_view file;
};

std::vector<std::string_view> words(std::string_view line) {
  std::vector<std::string_view> out;
  std::optional<std::string_view> rest = line;
  while (rest) out.push_back(text::split_first(rest, ' '));
  return out;
}

bool lists(std::string_view list, std::string_view member) {
  std::optional<std::string_view> rest = list;
  while (rest) {
    if (text::split_first(rest, ',') == member) return true;
  }
  return false;
}

// A line of /proc/self/mountinfo (proc(5)):
// 36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue
std::optional<Hierarchy> hierarchy(std::string_view line) {
  const std::vector<std::string_view> fields = words(line);
  const auto dash = std::ranges::find(fields, "-");
  if (fields.size() < 5 || fields.end() - dash < 4) return std::nullopt;
  Hierarchy found{std::string(fields[4]), std::string(fields[3]), "memory.max"};
  if (dash[1] == "cgroup2") return found;
  if (dash[1] != "cgroup" || !lists(dash[3], "memory")) return std::nullopt;
  found.file = "memory.limit_in_bytes";
  return found;
}

// This process's directory in it, by a line of /proc/self/cgroup (cgroups(7)): "4:memory:/a/b" in
// v1, "0::/a/b" in v2.
std::optional<std::string_view> group_in(const Hierarchy& hierarchy, std::string_view line) {
  const size_t first = line.find(':');
  const size_t second = line.find(':', std::min(first, line.size() - 1) + 1);
  if (second == std::string_view::npos) return std::nullopt;
  const std::string_view controllers = line.substr(first + 1, second - first - 1);
  const bool unified = hierarchy.file == "memory.max";
  const bool same = unified ? controllers.empty() : lists(controllers, "memory");
  return same ? std::optional(line.substr(second + 1)) : std::nullopt;
}

// "max" is no number, and v1 says a number near 2^63 where there is no limit.
std::optional<size_t> limit_in(const std::string& path) {
  constexpr uint64_t kUnlimited = uint64_t{1} << 60U;
  std::ifstream file(path);
  std::string line;
  if (!std::getline(file, line)) return std::nullopt;
  const std::optional<uint64_t> bytes = text::parse_unsigned(line);
  if (!bytes || *bytes >= kUnlimited) return std::nullopt;
  return bytes;
}

void lower(std::optional<size_t>& least, std::optional<size_t> other) {
  if (other) least = std::min(*other, least.value_or(*other));
}

// The least from this process's directory up to the one that is mounted: each of them binds.
std::optional<size_t> least_in(const Hierarchy& hierarchy, std::string group,
                               const std::string& root) {
  if (hierarchy.mounted != "/" && group.starts_with(hierarchy.mounted)) {
    group.erase(0, hierarchy.mounted.size());
  }
  std::optional<size_t> least;
  while (true) {
    while (group.ends_with('/')) group.pop_back();
    std::string file = root;
    file.append(hierarchy.mount_point).append(group).append("/").append(hierarchy.file);
    lower(least, limit_in(file));
    if (group.empty()) return least;
    group.erase(group.rfind('/') == std::string::npos ? 0 : group.rfind('/'));
  }
}

}  // namespace

std::optional<size_t> cgroup_memory_bytes(const std::string& root) {
  std::vector<std::string> groups;
  std::ifstream self(root + "/proc/self/cgroup");
  for (std::string line; std::getline(self, line);) groups.push_back(line);
  std::optional<size_t> least;
  std::ifstream mounts(root + "/proc/self/mountinfo");
  for (std::string line; std::getline(mounts, line);) {
    const std::optional<Hierarchy> found = hierarchy(line);
    if (!found) continue;
    for (const std::string& group : groups) {
      const auto path = group_in(*found, group);
      if (path) lower(least, least_in(*found, std::string(*path), root));
    }
  }
  return least;
}

MemoryShares memory_shares(std::optional<size_t> cgroup_bytes) {
  return {.traffic = kTraffic.of(cgroup_bytes),
          .export_queue = kExportQueue.of(cgroup_bytes),
          .tail = kTail.of(cgroup_bytes),
          .lineage_values = std::bit_floor(kLineage.of(cgroup_bytes) / kBytesALineageValue)};
}

}  // namespace sidespan::app
