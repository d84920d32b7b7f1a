// Events that wait to be told, oldest first. Owns memory only from the first event on until
// release(), so that a connection at rest has none.
#pragma once

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
  size_t size() const { return static_cast<size_t>(last_ - first_); }
  // Of those that wait.
  Event& operator[](size_t index) { return first_[index]; }
  Event& back() { return last_[-1]; }

  template <class What>
  void push(StreamId stream, What&& what) {
    if (last_ == slots_ + capacity_) make_room();
    std::construct_at(last_, stream, std::forward<What>(what));
    ++last_;
  }
  // As an event of its own, or behind the body that was told last. `read` is what the bytes were
  // read into, where that may be shared.
  void push_body(StreamId stream, std::string_view bytes, const Chunk* read);
  std::optional<Event> pop() {
    std::optional<Event> event;  // the only one that is returned, or it would be moved once more
    if (empty()) return event;
    event.emplace(std::move(*first_));
    std::destroy_at(first_++);
    if (empty()) first_ = last_ = slots_;
    return event;
  }
  void clear() {
    std::destroy(first_, last_);
    first_ = last_ = slots_;
  }
  // Gives the memory back. The queue must be empty.
  void release() {
    if (capacity_ == kFirst) spares().give(slots_);
    if (capacity_ > kFirst) ::operator delete(slots_);
    slots_ = first_ = last_ = nullptr;
    capacity_ = 0;
  }

 private:
  static constexpr size_t kFirst = 4;  // of a small message, with room for one more

  using Slots = Spares<kFirst * sizeof(Event), 32>;
  static Slots& spares() {
    thread_local Slots slots;
    return slots;
  }
  void make_room() {
    if (capacity_ > 0) return grow();
    slots_ = first_ = last_ = static_cast<Event*>(spares().take());
    capacity_ = kFirst;
  }
  // All move on to more slots. Who needs more than the first has streams, and many.
  void grow();

  Event* slots_ = nullptr;
  Event* first_ = nullptr;
  Event* last_ = nullptr;
  size_t capacity_ = 0;
};

}  // namespace sidespan::http
