// Single values as people write them: durations, sizes, counts, switches. Pure. Who uses it: the
// readers of setting_reader.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "sidespan/base/clock.h"

namespace sidespan::app {

// "500ms", "2s", "1m", "1h", "7d": a whole number and its unit. "0" needs none.
std::optional<Milliseconds> parse_duration(std::string_view text);
// The largest unit that leaves a whole number.
std::string write_duration(Milliseconds duration);

// "64KiB", "1MiB", "1GiB", "512B", "512".
std::optional<size_t> parse_size(std::string_view text);
std::string write_size(size_t bytes);

// on, off, true, false, yes, no.
std::optional<bool> parse_switch(std::string_view text);

// A plain decimal number, finite.
std::optional<double> parse_decimal(std::string_view text);

}  // namespace sidespan::app
