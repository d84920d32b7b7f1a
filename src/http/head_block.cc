#include "sidespan/http/head_block.h"

#include <algorithm>
#include <cassert>
#include <cstring>
#include <new>

#include "sidespan/base/memory_ledger.h"
#include "sidespan/base/spares.h"

namespace sidespan::http {
namespace {

// What an SDK sends, with its lines and what a proxy adds.
constexpr size_t kUsualBytes = 2048;
constexpr size_t kUsualCapacity = kUsualBytes - sizeof(HeadBlock);
constexpr std::string_view kColon = ": ";
constexpr std::string_view kCrlf = "\r\n";

constinit thread_local Spares<kUsualBytes, 384> spares;

size_t aligned(size_t bytes) {
  return (bytes + alignof(HeadBlock) - 1) / alignof(HeadBlock) * alignof(HeadBlock);
}

}  // namespace

void FreeBlock::operator()(HeadBlock* block) const noexcept {
  const bool usual = block->capacity_ == kUsualCapacity;
  memory::release(block->capacity_);
  block->~HeadBlock();
  usual ? spares.give(block) : ::operator delete(block);
}

HeadBlockPtr HeadBlock::make(size_t bytes, size_t lines) {
  const size_t wanted = bytes + lines * sizeof(FieldLine);
  const size_t capacity = wanted <= kUsualCapacity ? kUsualCapacity : aligned(wanted);
  return make_of(capacity);
}

HeadBlockPtr HeadBlock::make_of(size_t capacity) {
  assert(capacity <= UINT32_MAX);
  void* const place =
      capacity == kUsualCapacity ? spares.take() : ::operator new(sizeof(HeadBlock) + capacity);
  memory::charge(capacity);
  return HeadBlockPtr(new (place) HeadBlock(static_cast<uint32_t>(capacity)));
}

HeadBlockPtr HeadBlock::copy() const {
  return grown(0, 0);
}

HeadBlockPtr HeadBlock::grown(size_t bytes, size_t lines) const {
  // Twice as big when it has to be bigger, so that many small additions cost no square.
  const size_t more = bytes + lines > 0 ? used_ + lines_ * sizeof(FieldLine) : 0;
  HeadBlockPtr to = make(used_ + bytes + more, lines_ + lines);
  copy_to(*to);
  return to;
}

HeadBlockPtr HeadBlock::fitted() const {
  HeadBlockPtr to = make_of(aligned(used_ + lines_ * sizeof(FieldLine)));
  copy_to(*to);
  return to;
}

void HeadBlock::copy_to(HeadBlock& to) const {
  std::memcpy(to.data(), data(), used_);
  std::memcpy(to.end() - lines_, end() - lines_, lines_ * sizeof(FieldLine));
  to.used_ = used_;
  to.lines_ = lines_;
  to.free_ = to.capacity_ - used_ - lines_ * static_cast<uint32_t>(sizeof(FieldLine));
  to.method = method;
  to.target = target;
  to.reason = reason;
  to.names = names;
}

Range HeadBlock::append(std::string_view bytes) {
  assert(has_room(bytes.size(), 0));
  const Range range{used_, static_cast<uint32_t>(bytes.size())};
  if (!bytes.empty()) std::memcpy(data() + used_, bytes.data(), bytes.size());
  used_ += range.size;
  free_ -= range.size;
  return range;
}

void HeadBlock::replace(Range& range, std::string_view text) {
  if (text.size() > range.size) {
    range = append(text);
    return;
  }
  // It may be a part of what it replaces.
  if (!text.empty()) std::memmove(data() + range.begin, text.data(), text.size());
  range.size = static_cast<uint32_t>(text.size());
}

FieldLine HeadBlock::store(std::string_view name, std::string_view value, FieldName known) {
  const size_t size = name.size() + kColon.size() + value.size() + kCrlf.size();
  assert(has_room(size, 0));
  FieldLine line{{used_, static_cast<uint32_t>(name.size())}, {}, known, true};
  line.value = {line.name.end() + static_cast<uint32_t>(kColon.size()),
                static_cast<uint32_t>(value.size())};
  char* const at = data() + used_;
  std::memcpy(at, name.data(), name.size());
  std::memcpy(at + name.size(), kColon.data(), kColon.size());
  if (!value.empty()) std::memcpy(data() + line.value.begin, value.data(), value.size());
  std::memcpy(data() + line.value.end(), kCrlf.data(), kCrlf.size());
  used_ += static_cast<uint32_t>(size);
  free_ -= static_cast<uint32_t>(size);
  return line;
}

void HeadBlock::shorten(FieldLine& line, std::string_view value) {
  replace(line.value, value);
  // What ends the line still is its own: a part of the old value, or what ended that.
  if (line.plain) std::memcpy(data() + line.value.end(), kCrlf.data(), kCrlf.size());
}

bool HeadBlock::is_plain(Range name, Range value) const {
  return value.begin == name.end() + kColon.size() &&
         bytes().substr(name.end()).starts_with(kColon) &&
         bytes().substr(value.end()).starts_with(kCrlf);
}

}  // namespace sidespan::http
