#include "app/run_terminal.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <string>
#include <string_view>

#include "sidespan/base/text.h"

namespace sidespan::app {
namespace {

constexpr size_t kWidthUnknown = 100;
constexpr size_t kWidthMax = 400;

bool is_unicode(const Environment& own) {
  for (const std::string_view name : {"LC_ALL", "LC_CTYPE", "LANG"}) {
    const std::string locale = text::lower(value_of(own, name));
    if (locale.empty()) continue;
    return locale.find("utf-8") != std::string::npos || locale.find("utf8") != std::string::npos;
  }
  return false;
}

size_t width(const Environment& own, const Terminal& terminal) {
  const size_t asked = text::parse_unsigned(value_of(own, "COLUMNS"), kWidthMax).value_or(0);
  const size_t known = asked > 0 ? asked : terminal.columns;
  return known > 0 ? std::clamp(known, kTreeWidthMin, kWidthMax) : kWidthUnknown;
}

}  // namespace

Terminal terminal_of_stderr() {
  winsize size{};
  if (::isatty(STDERR_FILENO) == 0) return {};
  const bool known = ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0;
  return {.present = true, .columns = known ? size.ws_col : size_t{0}};
}

TreeStyle tree_style(const Environment& own, const Terminal& terminal) {
  const bool colors =
      terminal.present && value_of(own, "NO_COLOR").empty() && value_of(own, "TERM") != "dumb";
  return {.width = width(own, terminal), .color = colors, .unicode = is_unicode(own)};
}

}  // namespace sidespan::app
