// Owned bytes on their way through the house. A Chunk is one block, a Chain a queue of blocks.
// Bytes are copied once, when a codec decodes them out of the loop's read buffer; from there chunks
// only move, down to a vectored write. An empty Chain owns no memory, so idle connections cost
// nothing; one of a single block owns that block alone. Every block counts in the memory ledger.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sidespan/base/memory_ledger.h"

namespace sidespan {

class Chunk {
 public:
  Chunk() = default;
  Chunk(Chunk&& other) noexcept { swap(other); }
  Chunk& operator=(Chunk&& other) noexcept {
    Chunk(std::move(other)).swap(*this);
    return *this;
  }
  ~Chunk() {
    if (capacity_ > 0) memory::release(capacity_);
  }
  // Room for `capacity` bytes, none used yet.
  explicit Chunk(size_t capacity);
  static Chunk copy_of(std::string_view bytes);

  std::string_view view() const { return {data_.get() + begin_, end_ - begin_}; }
  size_t size() const { return end_ - begin_; }
  size_t room() const { return capacity_ - end_; }
  // Copies as much of `bytes` as there is room for; returns how much that was.
  size_t append(std::string_view bytes);
  // The unused room, to be written in place; then use() takes its first n bytes in.
  std::span<char> spare() { return {data_.get() + end_, room()}; }
  void use(size_t n) { end_ += static_cast<uint32_t>(n); }
  // Drops the first n bytes; n <= size().
  void consume(size_t n);
  void swap(Chunk& other) noexcept;

 private:
  std::unique_ptr<char[]> data_;
  uint32_t begin_ = 0;
  uint32_t end_ = 0;
  uint32_t capacity_ = 0;
};

class Chain {
 public:
  Chain() = default;
  // What was moved from is empty.
  Chain(Chain&& other) noexcept { swap(other); }
  Chain& operator=(Chain&& other) noexcept {
    Chain(std::move(other)).swap(*this);
    return *this;
  }
  explicit Chain(std::string_view bytes) { append(bytes); }

  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }

  // Copies.
  void append(std::string_view bytes);
  // Move; a few bytes are copied where the last block has room, since a block of a thousand for
  // each byte that comes alone would be a peer's way to make us hold a thousand times what it
  // sends.
  void append(Chunk chunk);
  void append(Chain&& other);

  // The first contiguous bytes; empty when the chain is.
  std::string_view front() const;
  // Drops the first n bytes; n <= size().
  void consume(size_t n);
  // The first n bytes as a chain of their own; n <= size().
  Chain take(size_t n);
  // The same bytes once more.
  Chain copy() const;
  void clear();
  void swap(Chain& other) noexcept;

  // Up to views.size() blocks in order, for a vectored write; returns how many were filled.
  size_t fill(std::span<std::string_view> views) const;
  // `see(view)` for every block in order.
  template <class See>
  void visit(See&& see) const {
    if (!empty()) see(first_.view());
    for (size_t i = head_; i < more_.size(); ++i) see(more_[i].view());
  }
  // Everything in one string: tests, small bodies.
  std::string to_string() const;

 private:
  Chunk& last() { return head_ < more_.size() ? more_.back() : first_; }
  // The block after first_ takes its place.
  void advance();

  Chunk first_;              // empty only when the chain is; most chains have no other
  std::vector<Chunk> more_;  // of which those before head_ are used up
  size_t head_ = 0;
  size_t size_ = 0;
};

}  // namespace sidespan
