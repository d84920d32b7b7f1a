// The span of a turn that is over: no request stands behind it.
#pragma once

#include "sidespan/lineage/turn.h"
#include "sidespan/proxy/options.h"
#include "sidespan/trace/span.h"

namespace sidespan::proxy {

trace::Span make_turn_span(const lineage::ClosedTurn& turn, const Options& options);

}  // namespace sidespan::proxy
