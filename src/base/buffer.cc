#include "sidespan/base/buffer.h"

#include <algorithm>
#include <cassert>
#include <cstring>

namespace sidespan {
namespace {

// Small appends (heads, chunk framing) share a block; a big one gets a block of its own size.
constexpr size_t kSmallBlock = 1024;
// Up to so many bytes a copy into the last block is cheaper than a block more.
constexpr size_t kCopiedMax = 256;

}  // namespace

Chunk::Chunk(size_t capacity)
    : data_(std::make_unique_for_overwrite<char[]>(capacity)),
      capacity_(static_cast<uint32_t>(capacity)) {
  assert(capacity <= UINT32_MAX);
  memory::charge(capacity_);
}

Chunk Chunk::copy_of(std::string_view bytes) {
  Chunk chunk(bytes.size());
  chunk.append(bytes);
  return chunk;
}

void Chunk::swap(Chunk& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(begin_, other.begin_);
  std::swap(end_, other.end_);
  std::swap(capacity_, other.capacity_);
}

size_t Chunk::append(std::string_view bytes) {
  const size_t n = std::min(bytes.size(), room());
  if (n > 0) std::memcpy(data_.get() + end_, bytes.data(), n);
  end_ += static_cast<uint32_t>(n);
  return n;
}

void Chunk::consume(size_t n) {
  assert(n <= size());
  begin_ += static_cast<uint32_t>(n);
}

void Chain::append(std::string_view bytes) {
  if (bytes.empty()) return;
  const size_t placed = empty() ? 0 : last().append(bytes);
  size_ += placed;
  bytes.remove_prefix(placed);
  if (bytes.empty()) return;
  Chunk chunk(std::max(bytes.size(), kSmallBlock));
  chunk.append(bytes);
  append(std::move(chunk));
}

void Chain::append(Chunk chunk) {
  if (chunk.size() == 0) return;
  const bool first = empty();
  size_ += chunk.size();
  if (first) {
    first_ = std::move(chunk);
  } else if (chunk.size() <= kCopiedMax && chunk.size() <= last().room()) {
    last().append(chunk.view());
  } else {
    more_.push_back(std::move(chunk));
  }
}

void Chain::append(Chain&& other) {
  if (empty()) return swap(other);
  append(std::move(other.first_));
  for (size_t i = other.head_; i < other.more_.size(); ++i) append(std::move(other.more_[i]));
  other.clear();
}

std::string_view Chain::front() const {
  return first_.view();
}

void Chain::advance() {
  first_ = std::move(more_[head_++]);
  // Used-up slots are given back once they outnumber the live ones: amortised O(1).
  if (head_ == more_.size() || (head_ > 16 && head_ * 2 > more_.size())) {
    more_.erase(more_.begin(), more_.begin() + static_cast<ptrdiff_t>(head_));
    head_ = 0;
  }
}

void Chain::consume(size_t n) {
  assert(n <= size_);
  size_ -= n;
  if (size_ == 0) return clear();
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
    out.append(first_.view().substr(0, n));
    consume(n);
  }
  return out;
}

Chain Chain::copy() const {
  Chain out;
  visit([&](std::string_view block) { out.append(block); });
  return out;
}

void Chain::clear() {
  *this = Chain();
}

void Chain::swap(Chain& other) noexcept {
  first_.swap(other.first_);
  std::swap(more_, other.more_);
  std::swap(head_, other.head_);
  std::swap(size_, other.size_);
}

size_t Chain::fill(std::span<std::string_view> views) const {
  if (empty() || views.empty()) return 0;
  views[0] = first_.view();
  const size_t n = std::min(views.size() - 1, more_.size() - head_);
  for (size_t i = 0; i < n; ++i) views[i + 1] = more_[head_ + i].view();
  return n + 1;
}

std::string Chain::to_string() const {
  std::string out;
  out.reserve(size_);
  visit([&](std::string_view block) { out.append(block); });
  return out;
}

}  // namespace sidespan
