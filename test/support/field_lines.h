// Fields of a message as a fuzzer writes them most easily: a line "name:value" each.
#pragma once

#include <optional>
#include <string_view>

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

}  // namespace sidespan::testing
