#include "report/http_date.h"

#include <doctest/doctest.h>

#include <string>

namespace sidespan::report {

using std::chrono::seconds;
using std::chrono::sys_seconds;

TEST_CASE("http date: the three forms of RFC 9110") {
  const sys_seconds expected{seconds(784'111'777)};
  for (const std::string text : {"Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT",
                                 "Sun Nov  6 08:49:37 1994", " Sun, 06 Nov 1994 08:49:37 GMT "}) {
    CAPTURE(text);
    CHECK(parse_http_date(text) == expected);
  }
}

TEST_CASE("http date: edges of the calendar") {
  struct Row {
    std::string text;
    int64_t expected;
  };
  const Row rows[] = {
      {"Thu, 01 Jan 1970 00:00:00 GMT", 0},
      {"Thu, 29 Feb 2024 23:59:59 GMT", 1'709'251'199},
      {"Sat, 31 Dec 2016 23:59:60 GMT", 1'483'228'800},
      {"Thursday, 01-Jan-70 00:00:00 GMT", 0},
      {"Tuesday, 31-Dec-69 00:00:00 GMT", 3'155'673'600},
      {"Fri, 31 Dec 9999 23:59:59 GMT", 253'402'300'799},
  };
  for (const Row& row : rows) {
    CAPTURE(row.text);
    CHECK(parse_http_date(row.text) == sys_seconds(seconds(row.expected)));
  }
}

TEST_CASE("http date: what is none") {
  for (const std::string text : {"",
                                 "now",
                                 "120",
                                 "-1",
                                 "Sun, 06 Nov 1994",
                                 "Sun, 06 Nov 1994 08:49:37",
                                 "06 Nov 1994 08:49:37 GMT",
                                 "Sun, 06 Nov 1994 08:49:37 PST",
                                 "Sun, 06 Nov 1994 08:49:37 GMT more",
                                 "Sun, 31 Nov 1994 08:49:37 GMT",
                                 "Wed, 29 Feb 2023 00:00:00 GMT",
                                 "Sun, 00 Nov 1994 08:49:37 GMT",
                                 "Sun, 06 nov 1994 08:49:37 GMT",
                                 "Sun, 06 Nov 1994 24:00:00 GMT",
                                 "Sun, 06 Nov 1994 08:60:37 GMT",
                                 "Sun, 06 Nov 1994 08:49:61 GMT",
                                 "Sun, 06 Nov 1994 8:49:37 GMT",
                                 "Sun, 06 Nov 194 08:49:37 GMT",
                                 "Sun, 06 Nov 19940 08:49:37 GMT",
                                 "Sun, +6 Nov 1994 08:49:37 GMT",
                                 "Sun Nov 6 1994 08:49:37",
                                 "Sun, 06 Nov 1994 08:49:3x GMT",
                                 "2024-02-29T00:00:00Z",
                                 ",,,,,",
                                 "- - - - -"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_http_date(text).has_value());
  }
}

}  // namespace sidespan::report
