// Fields of a message as a fuzzer writes them most easily: a line "name:value" each.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sidespan/base/text.h"

namespace sidespan::testing {

// `see(name, value)` for each line of `rest`, if there is any.
template <class See>
void for_each_field(std::optional<std::string_view> rest, See&& see) {
  while (rest) {
    std::optional<std::string_view> value = text::split_first(rest, '\n');
    const std::string_view name = text::split_first(value, ':');
    see(name, value.value_or(""));
  }
}

// The same as pairs. A line without a colon is the value of `bare`; without a name for it, none.
inline std::vector<std::pair<std::string, std::string>> read_fields(std::string_view lines,
                                                                    std::string_view bare = {}) {
  std::vector<std::pair<std::string, std::string>> fields;
  std::optional<std::string_view> rest = lines;
  while (rest) {
    const std::string_view line = text::split_first(rest, '\n');
    const size_t colon = line.find(':');
    if (colon != line.npos) {
      fields.emplace_back(line.substr(0, colon), line.substr(colon + 1));
    } else if (!bare.empty()) {
      fields.emplace_back(bare, line);
    }
  }
  return fields;
}

}  // namespace sidespan::testing
