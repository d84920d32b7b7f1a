// Which sidespan this is, and on what it runs. Used by `version`, the OTLP scope and User-Agent.
#pragma once

#include <string>
#include <string_view>

namespace sidespan::app {

// "0.1.0", from the build.
std::string_view version();

// `sidespan version`: one line for sidespan, one for each linked library.
std::string version_text();

}  // namespace sidespan::app
