// HTTP/2 as bytes, for tests that say what no client would: frames, and header blocks without
// Huffman codes or a table (RFC 9113 section 4, RFC 7541 section 6.2).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sidespan/http/h2_codec.h"

namespace sidespan::http::h2 {

enum Type : uint8_t {
  kData = 0,
  kHeaders = 1,
  kPriority = 2,
  kRstStream = 3,
  kSettings = 4,
  kPushPromise = 5,
  kPing = 6,
  kGoaway = 7,
  kWindowUpdate = 8,
  kContinuation = 9,
};
constexpr uint8_t kEndStream = 1;
constexpr uint8_t kAck = 1;
constexpr uint8_t kEndHeaders = 4;

inline std::string number(uint64_t value, int bytes) {
  std::string out;
  for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8) {
    out.push_back(static_cast<char>(value >> static_cast<unsigned>(shift)));
  }
  return out;
}

inline std::string frame(Type type, uint8_t flags, uint32_t stream, std::string_view payload = {}) {
  std::string out = number(static_cast<uint32_t>(payload.size()), 3);
  out.push_back(static_cast<char>(type));
  out.push_back(static_cast<char>(flags));
  return out.append(number(stream, 4)).append(payload);
}

inline std::string text(std::string_view value) {
  if (value.size() < 127) return std::string(1, static_cast<char>(value.size())).append(value);
  std::string out(1, '\x7f');
  size_t rest = value.size() - 127;
  for (; rest >= 128; rest >>= 7U) out.push_back(static_cast<char>((rest & 127U) | 128U));
  out.push_back(static_cast<char>(rest));
  return out.append(value);
}

using Fields = std::vector<std::pair<std::string_view, std::string_view>>;

inline std::string block(const Fields& fields) {
  std::string out;
  for (const auto& [name, value] : fields) out.append(1, '\0').append(text(name)) += text(value);
  return out;
}

inline std::string headers(uint32_t stream, const Fields& fields, bool ended = true) {
  const auto flags = static_cast<uint8_t>(kEndHeaders | (ended ? kEndStream : 0));
  return frame(kHeaders, flags, stream, block(fields));
}

inline std::string get(uint32_t stream, std::string_view path = "/") {
  return headers(stream,
                 {{":method", "GET"}, {":scheme", "http"}, {":authority", "o"}, {":path", path}});
}

inline std::string window_update(uint32_t stream, uint32_t bytes) {
  return frame(kWindowUpdate, 0, stream, number(bytes, 4));
}

// What each side begins with.
inline std::string client_start() {
  return std::string(kH2Preface) + frame(kSettings, 0, 0);
}
inline std::string server_start() {
  return frame(kSettings, 0, 0) + frame(kSettings, kAck, 0);
}

// "headers 1, data 1 +end, goaway 0": the frames that `bytes` are, without the acknowledgements and
// the SETTINGS and WINDOW_UPDATE of the beginning.
inline std::string show(std::string_view bytes) {
  constexpr std::string_view kNames[] = {"data", "headers", "priority", "rst",    "settings",
                                         "push", "ping",    "goaway",   "window", "continuation"};
  std::string out;
  if (bytes.starts_with(kH2Preface)) bytes.remove_prefix(kH2Preface.size());
  const auto at = [&](size_t i) { return static_cast<uint8_t>(bytes[i]); };
  while (bytes.size() >= 9) {
    const size_t size = (size_t{at(0)} << 16U) | (size_t{at(1)} << 8U) | at(2);
    const uint8_t type = at(3);
    const bool silent = type == kSettings || (type == kWindowUpdate && at(8) == 0);
    if (!silent && type < std::size(kNames)) {
      if (!out.empty()) out += ", ";
      out.append(kNames[type]).append(" ") += std::to_string(at(8));
      if (type == kRstStream || type == kGoaway) {
        out += " code " + std::to_string(at(9 + (type == kGoaway ? 7 : 3)));
      }
      if ((type == kData || type == kHeaders) && (at(4) & kEndStream) != 0) out += " +end";
    }
    bytes.remove_prefix(std::min(bytes.size(), 9 + size));
  }
  return out;
}

}  // namespace sidespan::http::h2
