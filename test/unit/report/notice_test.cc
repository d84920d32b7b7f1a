#include "report/notice.h"

#include <doctest/doctest.h>

#include "rig.h"

namespace sidespan::report {

TEST_CASE("notice: the first at once, the rest together when the time is over") {
  net::Loop loop;
  RecordingLog log;
  Notice notice(loop, log, "dropped", Milliseconds(50));
  notice.add(1, "a");
  CHECK(log.lines == std::vector<std::string>{"dropped spans=1 cause=a"});
  notice.add(2, "b");
  notice.add(3, "c");
  CHECK(log.lines.size() == 1);
  CHECK(support::run_until(loop, [&] { return log.lines.size() == 2; }));
  CHECK(log.lines.back() == "dropped spans=5 cause=c");
  support::run_for(loop, Milliseconds(80));
  CHECK(log.lines.size() == 2);
  notice.add(4, "d");
  CHECK(log.lines.back() == "dropped spans=4 cause=d");
}

TEST_CASE("notice: what is held back is written at the end, and does not keep the loop going") {
  net::Loop loop;
  RecordingLog log;
  {
    Notice notice(loop, log, "dropped");
    notice.add(1, "a");
    notice.add(1, "b");
    loop.run();
    CHECK(log.lines.size() == 1);
  }
  CHECK(log.lines.size() == 2);
}

}  // namespace sidespan::report
