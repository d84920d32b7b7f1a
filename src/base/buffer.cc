#include "sidespan/base/buffer.h"

#include <algorithm>
#include <cassert>
#include <cstring>

namespace sidespan {
namespace {

// Small appends (heads, chunk framing) share a block; a big one gets a block of its own size.
constexpr size_t kSmallBlock = 1024;

}  // namespace

Chunk::Chunk(size_t capacity)
    : data_(std::make_unique_for_overwrite<char[]>(capacity)),
      capacity_(static_cast<uint32_t>(capacity)) {
  assert(capacity <= UINT32_MAX);
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
  size_ += bytes.size();
  if (head_ < chunks_.size()) bytes.remove_prefix(chunks_.back().append(bytes));
  if (bytes.empty()) return;
  Chunk chunk(std::max(bytes.size(), kSmallBlock));
  chunk.append(bytes);
  chunks_.push_back(std::move(chunk));
}

void Chain::append(Chunk chunk) {
  if (chunk.size() == 0) return;
  size_ += chunk.size();
  chunks_.push_back(std::move(chunk));
}

void Chain::append(Chain&& other) {
  if (empty()) return swap(other);
  for (size_t i = other.head_; i < other.chunks_.size(); ++i) append(std::move(other.chunks_[i]));
  other.clear();
}

std::string_view Chain::front() const {
  return head_ < chunks_.size() ? chunks_[head_].view() : std::string_view();
}

void Chain::consume(size_t n) {
  assert(n <= size_);
  size_ -= n;
  if (size_ == 0) return clear();
  while (n > 0) {
    Chunk& first = chunks_[head_];
    const size_t part = std::min(n, first.size());
    first.consume(part);
    n -= part;
    if (first.size() == 0) chunks_[head_++] = Chunk();
  }
  // Used-up slots are given back once they outnumber the live ones: amortised O(1).
  if (head_ > 16 && head_ * 2 > chunks_.size()) {
    chunks_.erase(chunks_.begin(), chunks_.begin() + static_cast<ptrdiff_t>(head_));
    head_ = 0;
  }
}

Chain Chain::take(size_t n) {
  assert(n <= size_);
  if (n == size_) return std::move(*this);
  Chain out;
  while (n > 0) {
    Chunk& first = chunks_[head_];
    if (first.size() <= n) {
      n -= first.size();
      size_ -= first.size();
      out.append(std::move(first));
      ++head_;
    } else {
      out.append(first.view().substr(0, n));
      consume(n);
      n = 0;
    }
  }
  return out;
}

Chain Chain::copy() const {
  Chain out;
  for (size_t i = head_; i < chunks_.size(); ++i) out.append(chunks_[i].view());
  return out;
}

void Chain::clear() { *this = Chain(); }

void Chain::swap(Chain& other) noexcept {
  std::swap(chunks_, other.chunks_);
  std::swap(head_, other.head_);
  std::swap(size_, other.size_);
}

size_t Chain::fill(std::span<std::string_view> views) const {
  const size_t n = std::min(views.size(), chunks_.size() - head_);
  for (size_t i = 0; i < n; ++i) views[i] = chunks_[head_ + i].view();
  return n;
}

std::string Chain::to_string() const {
  std::string out;
  out.reserve(size_);
  for (size_t i = head_; i < chunks_.size(); ++i) out.append(chunks_[i].view());
  return out;
}

}  // namespace sidespan
