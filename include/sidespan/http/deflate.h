// gzip (RFC 1952) of a whole body in memory, for exports.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace sidespan::http {

// `level` 1 (fast) to 9.
std::string gzip(std::string_view plain, int level);
// Nothing when it is not gzip or would be longer than `plain_bytes_max`.
std::optional<std::string> gunzip(std::string_view packed, size_t plain_bytes_max);

}  // namespace sidespan::http
