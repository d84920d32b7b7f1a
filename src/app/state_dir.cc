#include "app/state_dir.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <string_view>
#include <system_error>

namespace sidespan::app {
namespace {

namespace fs = std::filesystem;

constexpr mode_t kDirectoryMode = 0700;
constexpr std::string_view kSystemStateDir = "/var/lib/sidespan";
constexpr std::string_view kLogEnding = ".log";

std::string why(int error) {
  return std::error_code(error, std::generic_category()).message();
}

// Makes `path` and what is missing above it; 0 or an errno.
int make_directories(const fs::path& path) {
  fs::path made;
  for (const fs::path& part : path) {
    made /= part;
    if (::mkdir(made.c_str(), kDirectoryMode) == 0) continue;
    const int error = errno;
    struct stat status{};
    // A directory that is there may also answer EACCES or EROFS.
    if (::stat(made.c_str(), &status) != 0) return error;
    if (!S_ISDIR(status.st_mode)) return ENOTDIR;
  }
  return ::faccessat(AT_FDCWD, path.c_str(), W_OK | X_OK, AT_EACCESS) == 0 ? 0 : errno;
}

void remove_oldest_logs(const fs::path& directory) {
  std::vector<std::pair<fs::file_time_type, fs::path>> logs;
  std::error_code error;
  for (fs::directory_iterator entry(directory, error), end; !error && entry != end;
       entry.increment(error)) {
    if (entry->path().extension() != kLogEnding) continue;
    std::error_code gone;  // another sidecar may remove it at this moment
    const fs::file_time_type written = fs::last_write_time(entry->path(), gone);
    if (!gone) logs.emplace_back(written, entry->path());
  }
  if (logs.size() < kRunLogsMax) return;
  std::ranges::sort(logs);
  logs.resize(logs.size() - (kRunLogsMax - 1));
  for (const auto& [written, path] : logs) fs::remove(path, error);
}

}  // namespace

std::vector<std::string> state_dir_candidates(const Environment& own) {
  if (const std::string_view chosen = value_of(own, "SIDESPAN_STATE_DIR"); !chosen.empty()) {
    return {std::string(chosen)};
  }
  std::vector<std::string> candidates;
  const std::string_view state_home = value_of(own, "XDG_STATE_HOME");
  const std::string_view home = value_of(own, "HOME");
  if (state_home.starts_with('/')) {
    candidates.push_back(std::string(state_home) + "/sidespan");
  } else if (home.starts_with('/')) {
    candidates.push_back(std::string(home) + "/.local/state/sidespan");
  }
  candidates.emplace_back(kSystemStateDir);
  return candidates;
}

Result<std::string> open_state_dir(const Environment& own) {
  std::string first_fault;
  for (const std::string& candidate : state_dir_candidates(own)) {
    const int error = make_directories(candidate);
    if (error == 0) return candidate;
    if (first_fault.empty()) first_fault = candidate + " cannot be written to: " + why(error);
  }
  return fail(Code::kSystem, Side::kSelf, first_fault);
}

Result<std::string> run_log_path(const std::string& state_dir, const std::string& id) {
  const fs::path directory = fs::path(state_dir) / "run";
  if (const int error = make_directories(directory); error != 0) {
    return fail(Code::kSystem, Side::kSelf,
                directory.string() + " cannot be written to: " + why(error));
  }
  remove_oldest_logs(directory);
  return (directory / (id + std::string(kLogEnding))).string();
}

}  // namespace sidespan::app
