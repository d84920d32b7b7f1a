#include "sidespan/wire/read_room.h"

#include <doctest/doctest.h>

#include <initializer_list>
#include <limits>

namespace sidespan::wire {
namespace {

TEST_CASE("read room: what could leave, and a little where nothing could") {
  constexpr size_t kMuch = std::numeric_limits<size_t>::max();
  constexpr size_t kFull = 65'536;
  struct Row {
    size_t queued, sendable, room;
  };
  for (const Row& row : {
           Row{0, kMuch, kFull},        // a socket
           Row{30'000, kMuch, 35'536},  //
           Row{40'000, kMuch, 0},       // less than half of it is left
           Row{kFull, kMuch, 0},        //
           Row{70'000, kMuch, 0},       //
           Row{0, 30'000, 30'000},      // a window
           Row{100, 30'000, 30'000},    //
           Row{40'000, 30'000, 0},      //
           Row{0, 0, 8192},             // none
           Row{4000, 0, 4192},          //
           Row{4100, 0, 0},             //
           Row{8192, 0, 0},             //
           Row{8000, 100, 0},           // one of a few bytes
           Row{8000, 9000, 9000},       //
       }) {
    CAPTURE(row.queued);
    CAPTURE(row.sendable);
    CHECK(read_room(row.queued, row.sendable, kFull) == row.room);
    CHECK(has_read_room(row.queued, [&] { return row.sendable; }, kFull) == (row.room > 0));
  }
  CHECK(read_room(1'000'000, kMuch, 1'032'768) == 32'768);
  CHECK(read_room(1'000'000, kMuch, 1'032'767) == 0);
  CHECK(read_room(0, 0, 1024) == 1024);
  CHECK(read_room(0, kMuch, 1024) == 1024);
}

TEST_CASE("read room: there is some exactly where one is told of it") {
  for (const size_t most :
       std::initializer_list<size_t>{1, 2, 1000, 8191, 8192, 8193, 20'000, 65'536, 1'000'000}) {
    for (const size_t queued : std::initializer_list<size_t>{0, 1, 499, 500, 501, 4095, 4096, 4097,
                                                             8192, 40'000, 900'000}) {
      for (const size_t sendable :
           std::initializer_list<size_t>{0, 1, 100, 4096, 8192, 9000, 30'000, 2'000'000}) {
        CAPTURE(most);
        CAPTURE(queued);
        CAPTURE(sendable);
        CHECK(has_read_room(
                  queued, [&] { return sendable; }, most) ==
              (read_room(queued, sendable, most) > 0));
      }
    }
  }
}

}  // namespace
}  // namespace sidespan::wire
