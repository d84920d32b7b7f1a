#include "event_queue.h"

#include <functional>

namespace sidespan::http {
namespace {

// Of a body in one piece: a quarter of what is read at once.
constexpr size_t kSharedBytesMin = size_t{16} * 1024;

bool stands_in(std::string_view bytes, std::string_view all) {
  const std::less_equal<> before;
  return before(all.data(), bytes.data()) &&
         before(bytes.data() + bytes.size(), all.data() + all.size());
}

// A share keeps the whole block, so it has to be a good part of it; else a copy.
Chunk chunk_of(std::string_view bytes, const Chunk* read) {
  const bool shared = bytes.size() >= kSharedBytesMin && read != nullptr;
  if (shared && stands_in(bytes, read->view())) return read->share(bytes);
  return Chunk::copy_of(bytes);
}

}  // namespace

void EventQueue::free_block() {
  delete std::exchange(oldest_, nullptr);
  newest_ = nullptr;
  first_ = last_ = nullptr;
}

void EventQueue::push_body(StreamId stream, std::string_view bytes, const Chunk* read) {
  if (!empty() && back().stream == stream) {
    if (Body* body = std::get_if<Body>(&back().what)) {
      if (bytes.size() < kSharedBytesMin) return body->data.append(bytes);
      return body->data.append(chunk_of(bytes, read));
    }
  }
  // Most have no more than this to be told at once.
  push(stream, Body());
  std::get<Body>(back().what).data.append(chunk_of(bytes, read));
}

}  // namespace sidespan::http
