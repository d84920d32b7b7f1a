// gzip (RFC 1952) of a whole body in memory, for exports. Packing is libdeflate's, a third of
// zlib's cost and no larger; zlib reads, since only it can stop at a limit on the way.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace sidespan::http {

// `level` 1 (fast) to 12.
std::string gzip(std::string_view plain, int level);
// Nothing when it is not gzip or would be longer than `plain_bytes_max`.
std::optional<std::string> gunzip(std::string_view packed, size_t plain_bytes_max);

}  // namespace sidespan::http
