// gzip (RFC 1952) of a whole body in memory, for exports. Packing is ISA-L's, a fraction of zlib's
// cost and hardly larger. Reading it back is inflate.h's.
#pragma once

#include <cstddef>
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

}  // namespace sidespan::http
