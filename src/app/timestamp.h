// A moment as RFC 3339 writes it, in UTC: "2026-11-20T10:50:01.123Z". For log lines and JSON
// output.
#pragma once

#include <string>

#include "sidespan/base/clock.h"

namespace sidespan::app {

// `fraction_digits` from 0 to 9; what is beyond them is cut, not rounded.
std::string timestamp(WallTime time, int fraction_digits);

}  // namespace sidespan::app
