// Finds and reads the configuration file; every command does it the same way: --config, then
// SIDESPAN_CONFIG, then /etc/sidespan/sidespan.yaml. What is in it is config.h's business.
#pragma once

#include <optional>
#include <string>

#include "app/config.h"
#include "app/environment.h"
#include "sidespan/base/error.h"

namespace sidespan::app {

inline constexpr std::string_view kDefaultConfigPath = "/etc/sidespan/sidespan.yaml";

// Only at the default place it is fine when there is none. At most kConfigBytesMax + 1 bytes are
// read, so that a longer file is seen to be one. Error side: kSelf.
Result<std::optional<ConfigFile>> find_config(const std::optional<std::string>& flag,
                                              const Environment& environment,
                                              std::string_view default_path = kDefaultConfigPath);

}  // namespace sidespan::app
