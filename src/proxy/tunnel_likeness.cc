#include "tunnel_likeness.h"

#include <algorithm>
#include <array>

#include "sidespan/http/h2_codec.h"

namespace sidespan::proxy {

Likeness likeness_to_http(std::string_view bytes) {
  constexpr std::array<std::string_view, 9> kStarts = {"GET /",     "HEAD /",  "POST /",
                                                       "PUT /",     "PATCH /", "DELETE /",
                                                       "OPTIONS /", "TRACE /", http::kH2Preface};
  for (const std::string_view start : kStarts) {
    if (bytes.starts_with(start)) return Likeness::kHttp;
    if (start.starts_with(bytes)) return Likeness::kUnsure;
  }
  return Likeness::kOther;
}

bool is_like_settings(std::string_view bytes) {
  constexpr size_t kFrameHeaderBytes = 9;
  constexpr char kSettings = 4;
  // RFC 9113 section 4.1: 24 bits of length, a type, flags, and 32 bits that name no stream.
  constexpr std::array<char, kFrameHeaderBytes> kExpected = {0, 0, 0, kSettings};
  bool alike = bytes.size() <= kSettingsBytesMax;
  for (size_t i = 0; i < std::min(bytes.size(), kFrameHeaderBytes); ++i) {
    const bool of_length = i == 1 || i == 2;
    alike = alike && (of_length || bytes[i] == kExpected[i]);
  }
  return alike;
}

}  // namespace sidespan::proxy
