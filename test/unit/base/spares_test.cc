#include "sidespan/base/spares.h"

#include <doctest/doctest.h>

#include <array>
#include <thread>

using namespace sidespan;

namespace {

constinit thread_local Spares<48, 2> kept;
constinit thread_local Spares<48, 2> also_kept;  // of the same type

// Gives back when its thread ends, before or after what the thread keeps has gone.
struct Late {
  ~Late() {
    if (memory != nullptr) kept.give(memory);
  }
  void* memory = nullptr;
};

}  // namespace

TEST_CASE("spares: what was given comes again, the last first, and no more than fit") {
  std::array<void*, 3> places{kept.take(), kept.take(), kept.take()};
  for (void* const place : places) kept.give(place);
  if (kKeepsSpares) {
    CHECK(kept.take() == places[1]);
    CHECK(kept.take() == places[0]);
  } else {
    places = {kept.take(), kept.take(), nullptr};
  }
  void* const other = also_kept.take();
  CHECK(other != nullptr);
  also_kept.give(other);
  kept.give(places[0]);
  kept.give(places[1]);
}

TEST_CASE("spares: a thread that ends leaves nothing behind") {
  for (const bool late_is_first : {true, false}) {
    std::thread([&] {
      thread_local Late first;
      if (late_is_first) first.memory = kept.take();
      kept.give(kept.take());
      also_kept.give(also_kept.take());
      thread_local Late last;
      if (!late_is_first) last.memory = kept.take();
    }).join();
  }
}
