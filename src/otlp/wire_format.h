// Protobuf fields written through a plain pointer, into room that was made for all of them ahead.
// For encode, whose hot message is Span: protozero's writer pushes each byte to the back of a
// std::string. Varints and wire types stay protozero's (protobuf.dev/programming-guides/encoding).
#pragma once

#include <bit>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <protozero/types.hpp>
#include <protozero/varint.hpp>
#include <string>
#include <string_view>

namespace sidespan::otlp {

using Tag = protozero::pbf_tag_type;
using protozero::pbf_wire_type;

static_assert(std::endian::native == std::endian::little, "fixed fields are copied as they stand");

// One-byte lengths and small numbers are nearly all there is.
inline constexpr uint64_t kOneByteVarint = 0x80;
// What a tag and a length or number take at most.
inline constexpr size_t kFieldHeadBytes = 16;

inline size_t varint_bytes(uint64_t value) {
  return value < kOneByteVarint ? 1 : static_cast<size_t>(protozero::length_of_varint(value));
}

constexpr uint32_t tag_bits(Tag tag, pbf_wire_type type) {
  return (tag << 3U) | static_cast<uint32_t>(type);
}

// Of a field with a tag below 16 (one byte) around `content` bytes.
inline size_t field_bytes(size_t content) {
  return 1 + varint_bytes(content) + content;
}

// The put functions write at `at`, which has room, and return where they stopped. They take and
// return the pointer instead of keeping it: a char written could alias a member, and each byte
// would cost a load and a store more.

template <class T>
char* put_raw(char* at, T value) {
  std::memcpy(at, &value, sizeof value);
  return at + sizeof value;
}

inline char* put_raw(char* at, std::string_view bytes) {
  return at + bytes.copy(at, bytes.size());
}

inline char* put_varint(char* at, uint64_t value) {
  if (value < kOneByteVarint) return put_raw(at, static_cast<char>(value));
  return at + protozero::add_varint_to_buffer(at, value);
}

// The head of a length-delimited field; tag below 16.
inline char* put_head(char* at, Tag tag, size_t content) {
  const uint32_t bits = tag_bits(tag, pbf_wire_type::length_delimited);
  if (content < kOneByteVarint) return put_raw(at, static_cast<uint16_t>(bits | content << 8U));
  return put_varint(put_raw(at, static_cast<char>(bits)), content);
}

inline char* put_bytes(char* at, Tag tag, std::string_view bytes) {
  return put_raw(put_head(at, tag, bytes.size()), bytes);
}

inline char* put_number(char* at, Tag tag, uint64_t value) {
  return put_varint(put_varint(at, tag_bits(tag, pbf_wire_type::varint)), value);
}

// T is uint32_t, uint64_t or double.
template <class T>
char* put_fixed(char* at, Tag tag, T value) {
  constexpr auto kType = sizeof value == 4 ? pbf_wire_type::fixed32 : pbf_wire_type::fixed64;
  return put_raw(put_varint(at, tag_bits(tag, kType)), value);
}

// A message whose length is known only afterwards: two bytes are left for it, right for 128 to
// 16,383 bytes; another length moves the content, by a byte or two.
inline constexpr size_t kGuessedLengthBytes = 2;
inline char* put_open_head(char* at, Tag tag) {
  return put_raw(at, static_cast<char>(tag_bits(tag, pbf_wire_type::length_delimited))) +
         kGuessedLengthBytes;
}
// `content` is where the message's content begins, `at` where it ends.
inline char* close_head(char* content, char* at) {
  const auto size = static_cast<size_t>(at - content);
  const size_t needed = varint_bytes(size);
  char* const length = content - kGuessedLengthBytes;
  if (needed != kGuessedLengthBytes) std::memmove(length + needed, content, size);
  put_varint(length, size);
  return length + needed + size;
}

}  // namespace sidespan::otlp
