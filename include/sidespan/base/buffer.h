// Owned bytes on their way through the house. A Block is memory, a Chunk a part of one block, a
// Chain a queue of chunks. Bytes are copied at most once, when a codec decodes them out of the
// block they were read into, and not even then where much of that block is one body: the chunk then
// shares it. From there chunks only move, down to a vectored write. An empty Chain owns no memory,
// so idle connections cost nothing. What shares a block stays on one thread. Every block counts in
// the memory ledger.
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
  // What a loop reads into: the 64 KiB of which senders like to make bodies and their pieces, and a
  // head before them, so that an answer comes by one read.
  static constexpr size_t kReadBytes = size_t{66} * 1024;
  // The part of it that is for a head.
  static constexpr size_t kReadHeadBytes = size_t{2} * 1024;

  Chunk() = default;
  Chunk(Chunk&& other) noexcept
      : block_(std::exchange(other.block_, nullptr)),
        begin_(std::exchange(other.begin_, 0)),
        end_(std::exchange(other.end_, 0)) {}
  Chunk& operator=(Chunk&& other) noexcept {
    Chunk(std::move(other)).swap(*this);
    return *this;
  }
  ~Chunk() {
    if (block_ != nullptr) release();
  }
  // Room for `capacity` bytes or some more, none used yet.
  explicit Chunk(size_t capacity);
  static Chunk copy_of(std::string_view bytes);

  std::string_view view() const {
    return block_ == nullptr ? std::string_view() : std::string_view(bytes() + begin_, size());
  }
  size_t size() const { return end_ - begin_; }
  // None in a block that others share: what they hold would not stay as it is.
  size_t room() const { return block_ == nullptr || shared() ? 0 : block_->capacity - end_; }
  bool shared() const { return block_ != nullptr && block_->users > 1; }
  // Copies as much of `bytes` as there is room for; returns how much that was.
  size_t append(std::string_view bytes);
  // The unused room, to be written in place; then use() takes its first n bytes in.
  std::span<char> spare() {
    return block_ == nullptr ? std::span<char>() : std::span<char>(bytes() + end_, room());
  }
  void use(size_t n) { end_ += static_cast<uint32_t>(n); }
  // Drops the first n bytes; n <= size().
  void consume(size_t n) { begin_ += static_cast<uint32_t>(n); }
  // Drops all of them; what it has alone is room again, what others share is theirs.
  void clear() {
    if (shared()) *this = Chunk();
    begin_ = end_ = 0;
  }
  // `part` of view() once more, without a copy.
  Chunk share(std::string_view part) const;
  void swap(Chunk& other) noexcept {
    std::swap(block_, other.block_);
    std::swap(begin_, other.begin_);
    std::swap(end_, other.end_);
  }

 private:
  struct Block {
    uint32_t users;
    uint32_t capacity;
  };
  // The bytes stand behind the Block.
  char* bytes() const { return reinterpret_cast<char*>(block_ + 1); }
  void release();

  Block* block_ = nullptr;
  uint32_t begin_ = 0;
  uint32_t end_ = 0;
};

class Chain {
 public:
  Chain() = default;
  // What was moved from is empty.
  Chain(Chain&& other) noexcept
      : first_(std::move(other.first_)),
        more_(std::move(other.more_)),
        size_(std::exchange(other.size_, 0)) {}
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
  void append(Chunk chunk) {
    if (!empty() || chunk.size() == 0) return append_behind(std::move(chunk));
    size_ = chunk.size();
    first_.swap(chunk);
  }
  void append(Chain&& other) {
    if (!empty()) return append_behind(std::move(other));
    swap(other);
  }

  // The first contiguous bytes; empty when the chain is.
  std::string_view front() const { return empty() ? std::string_view() : first_.view(); }
  // Drops the first n bytes; n <= size().
  void consume(size_t n) {
    if (n == size_) return clear();
    consume_some(n);
  }
  // The first n bytes as a chain of their own; n <= size().
  Chain take(size_t n);
  // The same bytes once more, in the same blocks.
  Chain share() const;
  void clear() { *this = Chain(); }
  void swap(Chain& other) noexcept {
    first_.swap(other.first_);
    more_.swap(other.more_);
    std::swap(size_, other.size_);
  }

  // `see(view)` for every chunk in order.
  template <class See>
  void visit(See&& see) const {
    if (!empty()) see(first_.view());
    if (!more_) return;
    for (size_t i = more_->head; i < more_->chunks.size(); ++i) see(more_->chunks[i].view());
  }
  // Everything in one string: tests, small bodies.
  std::string to_string() const;

 private:
  // What stands behind the first chunk; most chains have nothing there.
  struct More {
    std::vector<Chunk> chunks;  // of which those before `head` are used up
    size_t head = 0;
  };
  // Out of line: chains end in many places, and few have more than one chunk.
  struct FreeMore {
    void operator()(More* more) const noexcept;
  };
  void append_behind(Chunk chunk);
  void append_behind(Chain&& other);
  // Not all of them.
  void consume_some(size_t n);
  Chunk& last() { return more_ ? more_->chunks.back() : first_; }
  // The chunk after first_ takes its place.
  void advance();

  Chunk first_;                           // empty only when the chain is
  std::unique_ptr<More, FreeMore> more_;  // never without a chunk that is not used up
  size_t size_ = 0;
};

}  // namespace sidespan
