// gzip (RFC 1952) of a whole body in memory, for exports. Packing is ISA-L's, a fraction of zlib's
// cost and hardly larger; zlib reads, since only it can stop at a limit on the way.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace sidespan::http {

// What the parts are one behind the other, at the quickest level that still looks for what repeats.
// Not empty; each part under 4 GiB.
std::string gzip(std::span<const std::string_view> parts);
inline std::string gzip(std::string_view plain) {
  return gzip({&plain, 1});
}
// Nothing when it is not gzip or would be longer than `plain_bytes_max`.
std::optional<std::string> gunzip(std::string_view packed, size_t plain_bytes_max);

}  // namespace sidespan::http
