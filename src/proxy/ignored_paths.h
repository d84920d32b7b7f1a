// `spans.ignore`: calls by whose paths they get no span and no context of ours. Asked about every
// call; nearly all part from every pattern with the character behind the slash.
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

namespace sidespan::proxy {

class IgnoredPaths {
 public:
  // Path wildcards; they outlive this.
  explicit IgnoredPaths(const std::vector<std::string>& patterns);

  // `path` with its query, which does not count.
  bool names(std::string_view path) const {
    const bool begins = path.size() > 1 && path[0] == '/';
    return (!begins || may_begin_[static_cast<unsigned char>(path[1])]) && any_matches(path);
  }

 private:
  bool any_matches(std::string_view path) const;

  const std::vector<std::string>& patterns_;
  std::array<bool, 256> may_begin_{};  // behind the slash
};

}  // namespace sidespan::proxy
