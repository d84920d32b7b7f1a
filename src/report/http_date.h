// The date of HTTP fields (RFC 9110 section 5.6.7) in its three forms: IMF-fixdate and the obsolete
// ones of RFC 850 and asctime. For Retry-After and Date of a collector's answer, so for retry
// alone; the input is untrusted.
#pragma once

#include <chrono>
#include <optional>
#include <string_view>

namespace sidespan::report {

// Nothing when `text` is none of the forms, or no date of any calendar. The name of the day is not
// compared with the date.
std::optional<std::chrono::sys_seconds> parse_http_date(std::string_view text);

}  // namespace sidespan::report
