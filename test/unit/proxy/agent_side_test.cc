#include "proxy/agent_side.h"

#include <doctest/doctest.h>

#include <limits>

using namespace sidespan::proxy;

TEST_CASE("answer room: what could leave, and a little where nothing could") {
  constexpr size_t kMuch = std::numeric_limits<size_t>::max();
  constexpr size_t kFull = 65'536;
  struct Row {
    size_t queued, sendable, room;
  };
  for (const Row& row : {
           Row{0, kMuch, kFull},                          // a socket
           Row{40'000, kMuch, 25'536},                    //
           Row{60'000, kMuch, 0},                         // too little of it is left
           Row{kFull, kMuch, 0},                          //
           Row{70'000, kMuch, 0},                         //
           Row{0, 30'000, 30'000},                        // a window
           Row{100, 30'000, 30'000},                      //
           Row{50'000, 30'000, 0},                        //
           Row{40'000, 30'000, 25'536}, Row{0, 0, 8192},  // none
           Row{6000, 0, 2192},                            //
           Row{6200, 0, 0},                               //
           Row{8192, 0, 0},                               //
           Row{8000, 100, 0},                             // one of a few bytes
           Row{8000, 3000, 3000},                         //
       }) {
    CAPTURE(row.queued);
    CAPTURE(row.sendable);
    CHECK(answer_room(row.queued, row.sendable, kFull) == row.room);
  }
  CHECK(answer_room(1'000'000, kMuch, 1'016'384) == 16'384);
  CHECK(answer_room(1'000'000, kMuch, 1'016'383) == 0);
  CHECK(answer_room(0, 0, 1024) == 1024);
  CHECK(answer_room(0, kMuch, 1024) == 1024);
}
