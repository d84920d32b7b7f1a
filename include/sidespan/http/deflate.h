// gzip (RFC 1952) of a whole body in memory, for exports. Packing is ISA-L's, a tenth of zlib's
// cost and hardly larger; zlib reads, since only it can stop at a limit on the way.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace sidespan::http {

// At the quickest level that still looks for what repeats. Under 4 GiB.
std::string gzip(std::string_view plain);
// Nothing when it is not gzip or would be longer than `plain_bytes_max`.
std::optional<std::string> gunzip(std::string_view packed, size_t plain_bytes_max);

}  // namespace sidespan::http
