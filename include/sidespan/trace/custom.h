// A format that a user describes in one line, a header and a pattern like
// "{trace_id}:{span_id}:{sampled}", read and written alike (`propagation.custom`). The app makes
// them and puts them into the registry.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "sidespan/base/error.h"
#include "sidespan/trace/propagator.h"

namespace sidespan::trace {

// In the pattern stand {trace_id} (32 hex digits), {trace_id_64} (the right-most 16),
// {trace_id_decimal} (those as a number); {span_id} (16 hex digits), {span_id_decimal}; {sampled}
// (1 or 0, without it the decision is left to whoever reads it). One of each kind at most, ids are
// needed, all else stands for itself and is printable ASCII. Error kInvalid.
Result<std::unique_ptr<const Propagator>> make_custom_propagator(std::string name,
                                                                 std::string header,
                                                                 std::string_view pattern);

}  // namespace sidespan::trace
