// The configuration as text: what is in effect and why (`check --print`), and the annotated
// reference (conf/sidespan.yaml, `check --reference`). Both are YAML. Pure.
#pragma once

#include <string>

#include "app/config.h"

namespace sidespan::app {

// Every setting with its value and, in a comment, where that came from and what it won against.
// Reads back as the same settings, but for secrets, which are shown as REDACTED.
std::string print_effective(const Configuration& configuration);

// Every setting with its sentence, its variables and its default. All commented out: settings by
// one
// '#', words by two, so that taking one '#' off every line leaves a configuration of defaults.
std::string print_reference();

}  // namespace sidespan::app
