// Readers of `propagation`: destinations and what they may see, formats by name, formats of the
// user's own. Whether a list names only formats that exist is seen when both are read, in
// setting_checks.h.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "app/setting_reader.h"
#include "app/settings.h"

namespace sidespan::app {

// {match: ["@local"], send: [traceparent]}, and perhaps baggage: [KEY], restart: on
std::optional<proxy::DestinationRule> read_destination(const Node& node, Complaints& complaints);

// A list of names, or `none` alone.
std::optional<std::vector<std::string>> read_propagators(const Node& node, Complaints& complaints);
// {name: acme, header: X-Acme-Trace, value: "{trace_id}:{span_id}:{sampled}"}
std::optional<CustomFormat> read_custom_format(const Node& node, Complaints& complaints);
// remove, rewrite, keep
std::optional<proxy::OtherFormats::Policy> read_other_formats(const Node& node,
                                                              Complaints& complaints);
std::optional<Pairs> read_baggage(const Node& node, Complaints& complaints);

}  // namespace sidespan::app
