// `sidespan stdio -- SERVER`: a pipe between an agent and an MCP server that speaks over stdin and
// stdout, with a span for each JSON-RPC request. Every byte passes in its order; the server's
// stderr is ours, its exit status too, signals reach it, and it lives as long as we do. What there
// is to say goes to state_dir/run/ID.log, since both streams belong to the two.
#pragma once

#include <string>
#include <vector>

#include "app/environment.h"
#include "app/settings.h"

namespace sidespan::app {

// Returns the server's exit status, or exit_status() of why it did not start.
int stdio_command(const Settings& settings, const Environment& own,
                  const std::vector<std::string>& argv);

}  // namespace sidespan::app
