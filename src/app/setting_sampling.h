// Readers of `sampling`: rates, rules by host and path, policies of the tail. Like those of
// setting_types.h; used by the setting table.
#pragma once

#include <optional>

#include "app/setting_reader.h"
#include "app/settings.h"

namespace sidespan::app {

// So many a second, also less than one; 0 is no limit.
std::optional<double> read_rate(const Node& node, Complaints& complaints);
// {match: {host: ..., path: ..., method: ...}, ratio: 0.1} or with `sampler`.
std::optional<SamplerRule> read_sampler_rule(const Node& node, Complaints& complaints);

// {wait: 10s, max_wait: 150s, policies: [...]}, the first two may be left out; `off` is an empty
// optional within the result.
std::optional<std::optional<report::TailOptions>> read_tail(const Node& node,
                                                            Complaints& complaints);

}  // namespace sidespan::app
