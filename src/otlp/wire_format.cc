#include "otlp/wire_format.h"

namespace sidespan::otlp {

char* Room::grow(const char* at, size_t bytes) {
  const size_t used = offset(at);
  out_.resize(used);
  if (out_.capacity() < used + bytes) out_.reserve(used + bytes);
  // Nothing is cleared: what lies behind `used` is written before finish() or cut by it.
  out_.resize_and_overwrite(out_.capacity(), [](char*, size_t capacity) { return capacity; });
  end_ = out_.data() + out_.size();
  return out_.data() + used;
}

char* put_open_head(char* at, Tag tag) {
  return put_raw(at, static_cast<char>(tag_bits(tag, pbf_wire_type::length_delimited))) +
         kGuessedLengthBytes;
}

char* close_head(Room& room, size_t content, char* at) {
  const size_t size = room.offset(at) - content;
  const size_t needed = varint_bytes(size);
  if (needed != kGuessedLengthBytes) {
    at = room.make(at, kFieldHeadBytes);
    char* const begin = room.at(content);
    std::memmove(begin - kGuessedLengthBytes + needed, begin, size);
  }
  put_varint(room.at(content - kGuessedLengthBytes), size);
  return at - kGuessedLengthBytes + needed;
}

}  // namespace sidespan::otlp
