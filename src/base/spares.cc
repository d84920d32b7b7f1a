#include "sidespan/base/spares.h"

#include <utility>

namespace sidespan {
namespace {

constinit thread_local OpenSpares* first = nullptr;
// Other thread_locals may end later than this, and give then.
constinit thread_local bool ended = false;

}  // namespace

struct ThreadEnd {
  ~ThreadEnd() {
    ended = true;
    for (; first != nullptr; first = first->next_) first->close_(*first);
  }
};

bool OpenSpares::close_at_thread_end(Close close) {
  if (ended) return false;
  thread_local ThreadEnd thread_end;
  close_ = close;
  next_ = std::exchange(first, this);
  return true;
}

}  // namespace sidespan
