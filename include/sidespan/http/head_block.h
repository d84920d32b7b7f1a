// The memory of one head or trailer section: the bytes as they came in front, the table of its
// lines at the back, growing towards each other. Headers and Head are what others see of it.
// Blocks of the usual size are kept for the next head, a few a thread. Every block counts in the
// memory ledger.
#pragma once

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <memory>
#include <string_view>

#include "sidespan/http/field_name.h"

namespace sidespan::http {

// Bytes of a block, by offset, so that a copy of the block needs no other.
struct Range {
  uint32_t begin = 0;
  uint32_t size = 0;

  uint32_t end() const { return begin + size; }
  bool operator==(const Range&) const = default;
};

struct FieldLine {
  Range name;
  Range value;
  FieldName known = FieldName::kOther;
  // Between them stands ": ", behind the value CRLF: the line's bytes are what a writer would
  // write.
  bool plain = false;
  // Its sender wants it in nobody's table (RFC 7541 section 7.1.3).
  bool unindexed = false;
};

// Lines in order, of which the first has the highest address.
class LineTable {
 public:
  using Iterator = std::reverse_iterator<const FieldLine*>;

  LineTable() = default;
  LineTable(const FieldLine* end, size_t count) : end_(end), count_(count) {}
  Iterator begin() const { return Iterator(end_); }
  Iterator end() const { return Iterator(end_ - count_); }
  size_t size() const { return count_; }

 private:
  const FieldLine* end_ = nullptr;
  size_t count_ = 0;
};

struct FreeBlock {
  void operator()(class HeadBlock* block) const noexcept;
};
using HeadBlockPtr = std::unique_ptr<HeadBlock, FreeBlock>;

class HeadBlock {
 public:
  // Room for `bytes` and `lines` at least.
  static HeadBlockPtr make(size_t bytes, size_t lines);
  HeadBlockPtr copy() const;
  // A copy without room for more.
  HeadBlockPtr fitted() const;
  HeadBlock(const HeadBlock&) = delete;
  HeadBlock& operator=(const HeadBlock&) = delete;

  bool has_room(size_t bytes, size_t lines) const {
    return bytes + lines * sizeof(FieldLine) <= free_;
  }
  // All of it in a bigger one, with room for so much more.
  HeadBlockPtr grown(size_t bytes, size_t lines) const;

  size_t capacity() const { return capacity_; }
  std::string_view bytes() const { return {data(), used_}; }
  std::string_view view(Range range) const { return {data() + range.begin, range.size}; }
  // What is appended has room.
  Range append(std::string_view bytes);
  // In its place, or where it is longer, in new room, which there must be.
  void replace(Range& range, std::string_view text);
  // Appends a line as a writer would write it; it is not in the table yet.
  FieldLine store(std::string_view name, std::string_view value, FieldName known);
  // Gives the line a value no longer than its own.
  void shorten(FieldLine& line, std::string_view value);
  // Whether such a line stands in the bytes as a writer would write it.
  bool is_plain(Range name, Range value) const;

  size_t lines() const { return lines_; }
  const FieldLine& line(size_t index) const { return end()[-1 - static_cast<ptrdiff_t>(index)]; }
  FieldLine& line(size_t index) { return end()[-1 - static_cast<ptrdiff_t>(index)]; }
  LineTable table() const { return {end(), lines_}; }
  // There must be room.
  FieldLine& new_line() {
    free_ -= static_cast<uint32_t>(sizeof(FieldLine));
    ++lines_;
    return *reinterpret_cast<FieldLine*>(data() + used_ + free_);  // the lowest of the table
  }
  void add_line(const FieldLine& line) {
    new_line() = line;
    names |= bit_of(line.known);
  }
  void keep_lines(size_t count) {
    free_ += static_cast<uint32_t>((lines_ - count) * sizeof(FieldLine));
    lines_ = static_cast<uint32_t>(count);
  }

  // Of a head.
  Range method;
  Range target;
  Range reason;
  // Which names there may be among the lines.
  FieldNames names = 0;

 private:
  friend FreeBlock;
  static HeadBlockPtr make_of(size_t capacity);
  void copy_to(HeadBlock& to) const;
  explicit HeadBlock(uint32_t capacity) : capacity_(capacity), free_(capacity) {}

  const char* data() const { return reinterpret_cast<const char*>(this + 1); }
  char* data() { return reinterpret_cast<char*>(this + 1); }
  // Of the block, and of the table.
  const FieldLine* end() const { return reinterpret_cast<const FieldLine*>(data() + capacity_); }
  FieldLine* end() { return reinterpret_cast<FieldLine*>(data() + capacity_); }

  uint32_t capacity_;  // behind this object, a multiple of a line's alignment
  uint32_t used_ = 0;
  uint32_t lines_ = 0;
  uint32_t free_;  // between the bytes and the lines
};

}  // namespace sidespan::http
