// The log of `run` and `stdio`, whose terminal belongs to the command: a file,
// state_dir/run/ID.log.
#pragma once

#include <string>

#include "app/environment.h"
#include "app/log.h"
#include "app/settings.h"

namespace sidespan::app {

struct CommandLog {
  OperatorLog log;
  std::string path;   // empty: there is none
  std::string fault;  // why
};

CommandLog open_command_log(const Settings& settings, const Environment& own,
                            const std::string& id);

}  // namespace sidespan::app
