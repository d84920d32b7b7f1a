// `sidespan check`, and how every other command gets its Settings or its refusal: the same sources,
// the same faults, said the same way.
#pragma once

#include <expected>
#include <optional>
#include <string>
#include <vector>

#include "app/cli.h"
#include "app/config.h"
#include "app/environment.h"
#include "app/settings.h"
#include "sidespan/base/error.h"

namespace sidespan::app {

// What the command line adds to file and environment. Under `run` the listeners take free ports of
// loopback, and the command names the service where nobody else does.
ConfigSources sources_of(const CommandLine& line, Environment environment,
                         std::optional<ConfigFile> file);

// All faults on stderr, one a line; warnings too. With --print the effective configuration on
// stdout, unless there are faults.
Outcome check(const ConfigSources& sources, bool print_effective);

// The settings for any other command; else exit status 2 and the faults.
std::expected<Settings, Outcome> settings_or_faults(const ConfigSources& sources);

}  // namespace sidespan::app
