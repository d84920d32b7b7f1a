// What the first bytes in a tunnel are like: an agent's request in plain HTTP, the settings of an
// origin that speaks HTTP/2. Asked anew with all that was said each time something comes. Pure;
// Exchange asks.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace sidespan::proxy {

enum class Likeness : uint8_t { kHttp, kOther, kUnsure };

Likeness likeness_to_http(std::string_view bytes);

// What an origin may say before its agent does, and be waited with.
inline constexpr size_t kSettingsBytesMax = 4096;
// Whether it may be a frame of settings, or one and what follows it.
bool is_like_settings(std::string_view bytes);

}  // namespace sidespan::proxy
