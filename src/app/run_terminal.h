// What stderr is like: whether a tree may be printed there, how wide, in which characters and
// colours. Used by run_command.
#pragma once

#include <cstddef>

#include "app/environment.h"
#include "app/run_tree.h"

namespace sidespan::app {

struct Terminal {
  bool present = false;
  size_t columns = 0;  // 0: not known
};
// Of standard error.
Terminal terminal_of_stderr();

// NO_COLOR (no-color.org) and TERM=dumb turn colours off, COLUMNS goes before the terminal's own
// width, and the locale (LC_ALL, LC_CTYPE, LANG) says whether it is Unicode.
TreeStyle tree_style(const Environment& own, const Terminal& terminal);

}  // namespace sidespan::app
