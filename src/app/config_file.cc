#include "app/config_file.h"

#include <unistd.h>

#include <cerrno>
#include <utility>

#include "app/file.h"

namespace sidespan::app {
Result<std::optional<ConfigFile>> find_config(const std::optional<std::string>& flag,
                                              const Environment& environment,
                                              std::string_view default_path) {
  std::optional<std::string> path = flag;
  const auto variable = environment.find("SIDESPAN_CONFIG");
  if (!path && variable != environment.end() && !variable->second.empty()) path = variable->second;
  if (!path) {
    path = std::string(default_path);
    if (::access(path->c_str(), F_OK) != 0 && (errno == ENOENT || errno == ENOTDIR)) {
      return std::nullopt;
    }
  }
  Result<std::string> content = read_file(*path, kConfigBytesMax);
  if (!content) return std::unexpected(content.error());
  return ConfigFile{*std::move(path), *std::move(content)};
}

}  // namespace sidespan::app
