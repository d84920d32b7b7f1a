// Events that wait to be told, oldest first, in blocks of a few, so that none is ever moved. Owns
// memory only from the first event on until release(), so that a connection at rest has none.
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>

#include "sidespan/base/spares.h"
#include "sidespan/http/event.h"

namespace sidespan::http {

class EventQueue {
 public:
  EventQueue() = default;
  ~EventQueue() {
    clear();
    release();
  }
  EventQueue(const EventQueue&) = delete;
  EventQueue& operator=(const EventQueue&) = delete;

  bool empty() const { return first_ == last_; }
  // Of those that wait.
  Event& back() { return last_[-1]; }

  template <class What>
  void push(StreamId stream, What&& what) {
    if (newest_ == nullptr || last_ == newest_->end()) add_block();
    std::construct_at(last_, stream, std::forward<What>(what));
    ++last_;
  }
  // As an event of its own, or behind the body that was told last. `read` is what the bytes were
  // read into, where that may be shared.
  void push_body(StreamId stream, std::string_view bytes, const Chunk* read);
  std::optional<Event> pop() { return empty() ? std::nullopt : take_first(); }
  void clear() {
    while (!empty()) drop_first();
  }
  // Gives the memory back. The queue must be empty.
  void release() {
    if (oldest_ != nullptr) free_block();
  }

 private:
  // A small message, with room for one more.
  static constexpr size_t kEvents = 4;
  // Those of as many streams as a connection of HTTP/2 has at a time.
  static constexpr size_t kBlocksKept = 64;

  struct Block final : Recycled<Block, kBlocksKept> {
    Event* begin() { return reinterpret_cast<Event*>(room.data()); }
    Event* end() { return begin() + kEvents; }

    alignas(Event) std::array<std::byte, kEvents * sizeof(Event)> room;
    Block* next = nullptr;
  };

  // The last one.
  void free_block();
  void add_block() {
    auto* const block = new Block;
    (newest_ == nullptr ? oldest_ : newest_->next) = block;
    newest_ = block;
    last_ = block->begin();
    if (oldest_ == block) first_ = last_;
  }
  std::optional<Event> take_first() {
    std::optional<Event> event(std::in_place, std::move(*first_));
    step();  // what it was moved from owns nothing more, and needs no end
    return event;
  }
  void drop_first() {
    std::destroy_at(first_);
    step();
  }
  void step() {
    ++first_;
    if (empty()) {
      first_ = last_ = newest_->begin();
    } else if (first_ == oldest_->end()) {
      delete std::exchange(oldest_, oldest_->next);
      first_ = oldest_->begin();
    }
  }

  Block* oldest_ = nullptr;
  Block* newest_ = nullptr;
  Event* first_ = nullptr;
  Event* last_ = nullptr;
};

}  // namespace sidespan::http
