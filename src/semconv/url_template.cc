#include "semconv/url_template.h"

#include <algorithm>
#include <optional>

#include "sidespan/base/text.h"

namespace sidespan::semconv {

bool matches_template(std::string_view pattern, std::string_view path) {
  std::optional<std::string_view> patterns = pattern;
  std::optional<std::string_view> segments = path;
  while (patterns && segments) {
    const std::string_view expected = text::split_first(patterns, '/');
    const std::string_view segment = text::split_first(segments, '/');
    const bool variable = expected.starts_with('{') && expected.ends_with('}');
    if (variable ? segment.empty() : segment != expected) return false;
  }
  return !patterns && !segments;
}

std::string_view template_of(std::span<const std::string> templates, std::string_view path) {
  const auto found = std::ranges::find_if(
      templates, [&](const std::string& pattern) { return matches_template(pattern, path); });
  return found == templates.end() ? std::string_view() : std::string_view(*found);
}

}  // namespace sidespan::semconv
