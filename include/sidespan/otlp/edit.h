// Reading and changing one thing of a span that append_span() has encoded already: its tracestate.
// For the tail sampler, which learns a span's sampling probability after that.
#pragma once

#include <string>
#include <string_view>

namespace sidespan::otlp {

// A view into `span`, what append_span() made of one; empty where it has none.
std::string_view tracestate_of(std::string_view span);
// The same span with another tracestate, empty: without one. One that has none stays as it is.
std::string with_tracestate(std::string_view span, std::string_view tracestate);

}  // namespace sidespan::otlp
