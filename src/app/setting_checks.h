// What is wrong only when two settings are seen together, and what one setting may not be in this
// version. Pure; used by config.h after all values have been read.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "app/settings.h"

namespace sidespan::app {

struct Conflict {
  std::string_view key;    // the setting to blame
  std::string_view other;  // the one it does not go with; may be empty
  std::string what;        // one clause
  // Where one of the two came from OpenTelemetry's variables, that one is ignored instead.
  bool standard_yields = false;
};

std::vector<Conflict> find_conflicts(const Settings& settings);

}  // namespace sidespan::app
