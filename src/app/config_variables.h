// ${NAME} and ${NAME:-default} in a configuration file, after YAML has been read: what a variable
// holds can be a value, never a key or a structure. `$$` is a dollar; a dollar before anything else
// is one too. ${env:NAME} is the same as ${NAME}. Values are not looked at again. Pure.
#pragma once

#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "app/config_tree.h"
#include "app/environment.h"

namespace sidespan::app {

// The error is one plain clause. A variable that is not set and has no default is one: silence
// would make it an empty value. With `:-` an empty variable counts as not set.
std::expected<std::string, std::string> substitute(std::string_view text,
                                                   const Environment& environment);

// All texts below `node`, in place. What they become may be `bytes_left` long in all, which goes
// down.
void substitute_all(Node& node, const Environment& environment, size_t& bytes_left,
                    std::vector<Complaint>& complaints);

}  // namespace sidespan::app
