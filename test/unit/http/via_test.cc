#include "sidespan/http/via.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

namespace sidespan::http {
namespace {

TEST_CASE("the sidespans in Via are counted, whatever is between them") {
  struct Row {
    std::vector<std::string> lines;
    size_t passed;
  };
  const std::vector<Row> rows = {
      {{}, 0},
      {{"1.1 sidespan"}, 1},
      {{"2 sidespan"}, 1},
      {{"HTTP/1.1 SideSpan (a comment)"}, 1},
      {{" 1.1\tsidespan "}, 1},
      {{"1.1 sidespan, 1.1 squid.example:3128 (squid/5.7), 2 sidespan"}, 2},
      {{"1.1 sidespan", "1.0 fred", "1.1 sidespan,2 sidespan"}, 3},
      {{"1.1 sidespan:17001"}, 0},
      {{"1.1 sidespan-2"}, 0},
      {{"sidespan"}, 0},
      {{"1.1 not (1.1 sidespan)"}, 0},
      {{""}, 0},
      {{",, ,1.1 sidespan,"}, 1},
  };
  for (const Row& row : rows) {
    Headers headers;
    for (const std::string& line : row.lines) {
      CAPTURE(line);
      REQUIRE(headers.add("Via", line));
    }
    CHECK(sidespans_passed(headers) == row.passed);
  }
}

TEST_CASE("what goes on for a request that has passed some says one more") {
  for (const size_t passed : {size_t{0}, size_t{1}, kSidespansMax}) {
    Headers headers;
    REQUIRE(headers.add("Via", via_after(passed)));
    CHECK(sidespans_passed(headers) == passed + 1);
  }
  CHECK(via_entry(false) == "1.1 sidespan");
  CHECK(via_entry(true) == "2 sidespan");
}

}  // namespace
}  // namespace sidespan::http
