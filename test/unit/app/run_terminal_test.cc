#include "app/run_terminal.h"

#include <doctest/doctest.h>

#include <vector>

namespace sidespan::app {
namespace {

TEST_CASE("what the environment and the terminal make of the tree") {
  struct Row {
    const char* name;
    Environment own;
    Terminal terminal;
    TreeStyle expected;
  };
  const Terminal none{};
  const Terminal wide{.present = true, .columns = 132};
  const std::vector<Row> rows = {
      {"nothing known", {}, none, {.width = 100, .color = false, .unicode = false}},
      {"a terminal", {{"LANG", "C.UTF-8"}}, wide, {.width = 132, .color = true, .unicode = true}},
      {"another spelling", {{"LANG", "de_DE.utf8"}}, none, {.width = 100, .unicode = true}},
      {"LC_ALL goes first",
       {{"LC_ALL", "C"}, {"LANG", "C.UTF-8"}},
       none,
       {.width = 100, .unicode = false}},
      {"an empty LC_ALL is none",
       {{"LC_ALL", ""}, {"LC_CTYPE", "C.UTF-8"}},
       none,
       {.width = 100, .unicode = true}},
      {"NO_COLOR", {{"NO_COLOR", "1"}}, wide, {.width = 132, .color = false, .unicode = false}},
      {"an empty NO_COLOR is none",
       {{"NO_COLOR", ""}},
       wide,
       {.width = 132, .color = true, .unicode = false}},
      {"a dumb terminal",
       {{"TERM", "dumb"}},
       wide,
       {.width = 132, .color = false, .unicode = false}},
      {"COLUMNS", {{"COLUMNS", "72"}}, wide, {.width = 72, .color = true, .unicode = false}},
      {"too narrow",
       {{"COLUMNS", "10"}},
       none,
       {.width = kTreeWidthMin, .color = false, .unicode = false}},
      {"no number", {{"COLUMNS", "wide"}}, none, {.width = 100, .color = false, .unicode = false}},
      {"beyond all measure",
       {{"COLUMNS", "100000"}},
       none,
       {.width = 100, .color = false, .unicode = false}},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    const TreeStyle style = tree_style(row.own, row.terminal);
    CHECK(style.width == row.expected.width);
    CHECK(style.color == row.expected.color);
    CHECK(style.unicode == row.expected.unicode);
  }
}

}  // namespace
}  // namespace sidespan::app
