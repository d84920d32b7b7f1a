#include "app/process_metrics.h"

#include <sys/resource.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>

#include "sidespan/base/text.h"

namespace sidespan::app {
namespace {

void add(metrics::Snapshot& snapshot, std::string_view name, std::string_view help,
         metrics::Kind kind, double value) {
  metrics::Sample sample;
  sample.value = value;
  metrics::merge(snapshot, name, help, kind, std::move(sample));
}

double seconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
}

// The number behind `key` on its line of a /proc file.
std::optional<uint64_t> number_of(const char* path, std::string_view key) {
  std::ifstream file(path);
  for (std::string word; file >> word;) {
    if (word != key) continue;
    file >> word;
    return text::parse_unsigned(word);
  }
  return std::nullopt;
}

// When this process started, in clock ticks since boot: field 22 of /proc/self/stat (proc(5)),
// counted behind the name in parentheses, which may itself hold blanks.
std::optional<uint64_t> start_ticks() {
  constexpr int kFieldsBehindName = 20;
  std::ifstream file("/proc/self/stat");
  const std::string stat((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  const size_t name_end = stat.rfind(')');
  if (name_end == std::string::npos || name_end + 2 > stat.size()) return std::nullopt;
  std::optional<std::string_view> rest = std::string_view(stat).substr(name_end + 2);
  std::string_view field;
  for (int i = 0; rest && i < kFieldsBehindName; ++i) field = text::split_first(rest, ' ');
  return text::parse_unsigned(field);
}

void collect_memory(metrics::Snapshot& snapshot) {
  constexpr double kKibibyte = 1024;
  const char* status = "/proc/self/status";
  if (const auto resident = number_of(status, "VmRSS:")) {
    add(snapshot, "process_resident_memory_bytes", "Resident memory size in bytes.",
        metrics::Kind::kGauge, static_cast<double>(*resident) * kKibibyte);
  }
  if (const auto size = number_of(status, "VmSize:")) {
    add(snapshot, "process_virtual_memory_bytes", "Virtual memory size in bytes.",
        metrics::Kind::kGauge, static_cast<double>(*size) * kKibibyte);
  }
}

void collect_descriptors(metrics::Snapshot& snapshot) {
  std::error_code error;
  double open = -1;  // one of them is the directory's own
  for (std::filesystem::directory_iterator entry("/proc/self/fd", error), end;
       !error && entry != end; entry.increment(error)) {
    ++open;
  }
  if (!error) {
    add(snapshot, "process_open_fds", "Number of open file descriptors.", metrics::Kind::kGauge,
        open);
  }
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) == 0) {
    add(snapshot, "process_max_fds", "Maximum number of open file descriptors.",
        metrics::Kind::kGauge, static_cast<double>(limit.rlim_cur));
  }
}

}  // namespace

void collect_process(metrics::Snapshot& snapshot) {
  rusage usage{};
  if (::getrusage(RUSAGE_SELF, &usage) == 0) {
    add(snapshot, "process_cpu_seconds", "Total user and system CPU time spent in seconds.",
        metrics::Kind::kCounter, seconds(usage.ru_utime) + seconds(usage.ru_stime));
  }
  collect_memory(snapshot);
  collect_descriptors(snapshot);
  const std::optional<uint64_t> started = start_ticks();
  const std::optional<uint64_t> booted = number_of("/proc/stat", "btime");
  const long ticks_per_second = ::sysconf(_SC_CLK_TCK);
  if (started && booted && ticks_per_second > 0) {
    add(snapshot, "process_start_time_seconds", "Start time of the process, in Unix time.",
        metrics::Kind::kGauge,
        static_cast<double>(*booted) +
            static_cast<double>(*started) / static_cast<double>(ticks_per_second));
  }
}

}  // namespace sidespan::app
