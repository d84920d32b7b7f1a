// Text on its way to a terminal: what it may contain and how wide it is. Names, hosts and paths
// come from outside, so nothing in them may move the cursor, colour the screen or turn the reading
// direction. Pure; used by run_tree, by doctor, and where complaints quote something.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace sidespan::app {

// `text` with control and direction characters as \x1b or \u202e, and bytes that are no UTF-8 as
// U+FFFD. `ascii`: everything beyond ASCII becomes '?'.
std::string printable(std::string_view text, bool ascii);

// The cells `text` takes; it must come from printable().
size_t columns(std::string_view text);

// At most `width` cells of `text`: where that cuts, the middle goes and `mark` stands for it,
// because a host begins and a path ends with what tells it from others.
std::string cut_middle(std::string_view text, size_t width, std::string_view mark);

// `text` with spaces behind (or in front) up to `width` cells; longer texts stay as they are.
std::string pad_right(std::string text, size_t width);
std::string pad_left(std::string text, size_t width);

}  // namespace sidespan::app
