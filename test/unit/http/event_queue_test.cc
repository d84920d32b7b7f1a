#include "http/event_queue.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

using namespace sidespan;
using namespace sidespan::http;

TEST_CASE("event queue: the oldest first, however many wait") {
  EventQueue queue;
  CHECK_FALSE(queue.pop().has_value());
  StreamId told = 0;
  StreamId pushed = 0;
  for (int round = 0; round < 50; ++round) {
    for (int i = 0; i < round % 7 + 1; ++i) {
      ++pushed;
      queue.push(pushed, Body{Chain(std::to_string(pushed))});
    }
    for (int i = 0; i < round % 5 + 1 && !queue.empty(); ++i) {
      std::optional<Event> event = queue.pop();
      REQUIRE(event.has_value());
      CHECK(event->stream == ++told);
      CHECK(std::get<Body>(event->what).data.to_string() == std::to_string(told));
    }
    if (!queue.empty()) CHECK(queue.back().stream == pushed);
    CHECK(queue.empty() == (pushed == told));
  }
  queue.clear();
  CHECK(queue.empty());
  std::vector<const Event*> places;
  for (StreamId stream = 1; stream <= 9; ++stream) {
    queue.push(stream, Body{Chain("a")});
    places.push_back(&queue.back());
    queue.push_body(stream, "b", nullptr);  // behind what was told last
    CHECK(&queue.back() == places.back());
  }
  queue.push_body(10, "c", nullptr);
  for (StreamId stream = 1; stream <= 9; ++stream) {
    CHECK(std::get<Body>(places[stream - 1]->what).data.to_string() == "ab");  // none has moved
    CHECK(queue.pop()->stream == stream);
  }
  CHECK(std::get<Body>(queue.pop()->what).data.to_string() == "c");
  CHECK(queue.empty());
  queue.release();
  queue.push(1, End{});
  CHECK(std::holds_alternative<End>(queue.pop()->what));
}
