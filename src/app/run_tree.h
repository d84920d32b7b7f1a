// A run's spans as lines of text: who called whom, how it ended, how long it took, and a bar for
// when. Pure: what the terminal is like is given. Whatever came from outside is made printable
// first, and no query and no user information is shown. Printed by run_command.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "app/run_spans.h"

namespace sidespan::app {

struct TreeStyle {
  size_t width = 100;   // cells of a line; below kTreeWidthMin lines are longer than that
  bool color = false;   // SGR colours and dimming
  bool unicode = true;  // else ASCII alone
};
inline constexpr size_t kTreeWidthMin = 60;

// A headline, a line a span in the order of their start, children under their parent, and calls
// whose parent is a span of the agent's own in a part of their own.
std::vector<std::string> run_tree(const RunRecord& run, const TreeStyle& style);

}  // namespace sidespan::app
