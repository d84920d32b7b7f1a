#include "sidespan/base/buffer.h"

#include <algorithm>
#include <cassert>
#include <cstring>
#include <new>

#include "sidespan/base/spares.h"

namespace sidespan {
namespace {

// Small appends (heads, chunk framing) share a block; a big one gets a block of its own size.
constexpr size_t kSmallBytes = 1008;

constexpr size_t kHeadBytes = 8;
constinit thread_local Spares<kHeadBytes + kSmallBytes, 256> small_spares;
constinit thread_local Spares<kHeadBytes + Chunk::kReadBytes, 4> read_spares;
// Up to so many bytes a copy into the last block is cheaper than a block more.
constexpr size_t kCopiedMax = 256;

}  // namespace

Chunk::Chunk(size_t capacity) {
  static_assert(sizeof(Block) == kHeadBytes);
  assert(capacity <= UINT32_MAX);
  void* place = nullptr;
  if (capacity <= kSmallBytes) {
    capacity = kSmallBytes;
    place = small_spares.take();
  } else if (capacity <= kReadBytes && capacity > kReadBytes / 2) {
    capacity = kReadBytes;
    place = read_spares.take();
  } else {
    place = ::operator new(kHeadBytes + capacity);
  }
  block_ = new (place) Block{1, static_cast<uint32_t>(capacity)};
  memory::charge(capacity);
}

void Chunk::release() {
  if (--block_->users > 0) return;
  memory::release(block_->capacity);
  switch (block_->capacity) {
    case kSmallBytes:
      return small_spares.give(block_);
    case kReadBytes:
      return read_spares.give(block_);
    default:
      ::operator delete(block_);
  }
}

Chunk Chunk::copy_of(std::string_view bytes) {
  Chunk chunk(bytes.size());
  chunk.append(bytes);
  return chunk;
}

size_t Chunk::append(std::string_view more) {
  const size_t n = std::min(more.size(), room());
  if (n == 0) return 0;
  std::memcpy(bytes() + end_, more.data(), n);
  end_ += static_cast<uint32_t>(n);
  return n;
}

Chunk Chunk::share(std::string_view part) const {
  Chunk other;
  if (part.empty()) return other;
  other.block_ = block_;
  other.begin_ = static_cast<uint32_t>(part.data() - bytes());
  other.end_ = other.begin_ + static_cast<uint32_t>(part.size());
  assert(begin_ <= other.begin_ && other.end_ <= end_);
  ++block_->users;
  return other;
}

// Wherever a chain ends this would be there, and ask for the registers that only it needs.
[[gnu::noinline]] void Chain::FreeMore::operator()(More* more) const noexcept {
  delete more;
}

void Chain::append(std::string_view bytes) {
  if (bytes.empty()) return;
  const size_t placed = empty() ? 0 : last().append(bytes);
  size_ += placed;
  bytes.remove_prefix(placed);
  if (!bytes.empty()) append(Chunk::copy_of(bytes));
}

void Chain::append_behind(Chunk chunk) {
  if (chunk.size() == 0) return;
  size_ += chunk.size();
  if (chunk.size() <= kCopiedMax && chunk.size() <= last().room()) {
    last().append(chunk.view());
    return;
  }
  if (!more_) more_.reset(new More);
  more_->chunks.push_back(std::move(chunk));
}

void Chain::append_behind(Chain&& other) {
  append(std::move(other.first_));
  if (other.more_) {
    More& behind = *other.more_;
    for (size_t i = behind.head; i < behind.chunks.size(); ++i) append(std::move(behind.chunks[i]));
  }
  other.clear();
}

void Chain::advance() {
  std::vector<Chunk>& chunks = more_->chunks;
  size_t& head = more_->head;
  first_ = std::move(chunks[head++]);
  if (head == chunks.size()) return more_.reset();
  // Used-up slots are given back once they outnumber the live ones: amortised O(1).
  if (head > 16 && head * 2 > chunks.size()) {
    chunks.erase(chunks.begin(), chunks.begin() + static_cast<ptrdiff_t>(head));
    head = 0;
  }
}

void Chain::consume_some(size_t n) {
  assert(n < size_);
  size_ -= n;
  while (n >= first_.size()) {
    n -= first_.size();
    advance();
  }
  first_.consume(n);
}

Chain Chain::take(size_t n) {
  assert(n <= size_);
  if (n == size_) return std::move(*this);
  Chain out;
  while (n >= first_.size()) {
    n -= first_.size();
    size_ -= first_.size();
    out.append(std::move(first_));
    advance();
  }
  if (n > 0) {
    out.append(first_.share(first_.view().substr(0, n)));
    consume(n);
  }
  return out;
}

Chain Chain::share() const {
  Chain out;
  if (empty()) return out;
  out.append(first_.share(first_.view()));
  if (!more_) return out;
  for (size_t i = more_->head; i < more_->chunks.size(); ++i) {
    out.append(more_->chunks[i].share(more_->chunks[i].view()));
  }
  return out;
}

std::string Chain::to_string() const {
  std::string out;
  out.reserve(size_);
  visit([&](std::string_view block) { out.append(block); });
  return out;
}

}  // namespace sidespan
