#include "app/command_log.h"

#include <utility>

#include "app/state_dir.h"

namespace sidespan::app {

CommandLog open_command_log(const Settings& settings, const Environment& own,
                            const std::string& id) {
  Result<std::string> path = open_state_dir(own);
  if (path) path = run_log_path(*path, id);
  if (path) {
    Result<OperatorLog> log = OperatorLog::to_file(settings.log, *path);
    if (log) return {std::move(*log), std::move(*path), ""};
    path = std::unexpected(log.error());
  }
  return {OperatorLog::to_nowhere(), "", path.error().what};
}

}  // namespace sidespan::app
