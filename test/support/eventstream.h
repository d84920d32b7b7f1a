// Messages of an AWS event stream as a service writes them. Strings only: services send no others.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sidespan::testing {

inline std::string big_endian(uint32_t number, size_t bytes) {
  std::string out;
  while (bytes-- > 0) out += static_cast<char>(number >> (8 * bytes));
  return out;
}

// CRC-32 of gzip, bit by bit.
inline uint32_t crc_of(std::string_view bytes) {
  uint32_t crc = ~uint32_t{0};
  for (const char c : bytes) {
    crc ^= static_cast<uint8_t>(c);
    for (int i = 0; i < 8; ++i) crc = crc >> 1U ^ (0xedb88320U & (~(crc & 1U) + 1U));
  }
  return ~crc;
}

inline std::string eventstream_header(std::string_view name, std::string_view value) {
  std::string out(1, static_cast<char>(name.size()));
  out.append(name).append("\x07").append(big_endian(static_cast<uint32_t>(value.size()), 2));
  return out.append(value);
}

inline std::string eventstream_frame(std::string_view headers, std::string_view payload) {
  const auto size = static_cast<uint32_t>(headers.size());
  std::string out = big_endian(16 + size + static_cast<uint32_t>(payload.size()), 4);
  out += big_endian(size, 4);
  out += big_endian(crc_of(out), 4);
  out.append(headers).append(payload);
  return out += big_endian(crc_of(out), 4);
}

inline std::string eventstream_event(std::string_view name, std::string_view payload) {
  return eventstream_frame(eventstream_header(":event-type", name) +
                               eventstream_header(":content-type", "application/json") +
                               eventstream_header(":message-type", "event"),
                           payload);
}

inline std::string eventstream_exception(std::string_view name, std::string_view payload) {
  return eventstream_frame(eventstream_header(":exception-type", name) +
                               eventstream_header(":content-type", "application/json") +
                               eventstream_header(":message-type", "exception"),
                           payload);
}

}  // namespace sidespan::testing
