#include "ignored_paths.h"

#include <algorithm>

#include "sidespan/base/text.h"

namespace sidespan::proxy {

IgnoredPaths::IgnoredPaths(const std::vector<std::string>& patterns) : patterns_(patterns) {
  for (const std::string& pattern : patterns) {
    const bool begins = pattern.size() > 1 && pattern[0] == '/' && pattern[1] != '*';
    for (size_t c = 0; c < may_begin_.size(); ++c) {
      may_begin_[c] |=
          !begins || text::to_lower(static_cast<char>(c)) == text::to_lower(pattern[1]);
    }
  }
}

bool IgnoredPaths::any_matches(std::string_view path) const {
  path = path.substr(0, path.find('?'));
  return std::ranges::any_of(
      patterns_, [&](const std::string& pattern) { return text::matches_wildcard(pattern, path); });
}

}  // namespace sidespan::proxy
