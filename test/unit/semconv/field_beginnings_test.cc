#include "sidespan/semconv/field_beginnings.h"

#include <doctest/doctest.h>

namespace sidespan::semconv {
namespace {

TEST_CASE("field beginnings: what was seen, in any case") {
  FieldBeginnings seen;
  CHECK_FALSE(seen.may_have("mc"));
  seen.see("");
  seen.see("m");
  CHECK_FALSE(seen.may_have("mc"));
  seen.see("MCP-Session-Id");
  CHECK(seen.may_have("mc"));
  CHECK_FALSE(seen.may_have("a2"));
  seen.see("a2a-version");
  CHECK(seen.may_have("a2"));
  CHECK(FieldBeginnings::any().may_have("x-"));
}

TEST_CASE("field beginnings: frequent names are none of those that are looked for") {
  FieldBeginnings frequent;
  for (const char* name : {"User-Agent", "Accept", "Accept-Encoding", "Cookie", "Cache-Control",
                           "Origin", "Referer", "Date", "Via", "If-None-Match"}) {
    frequent.see(name);
  }
  for (const char* beginning : {"mc", "a2", "x-", "b3", "ub", "ja", "ot", "gr"}) {
    CAPTURE(beginning);
    CHECK_FALSE(frequent.may_have(beginning));
  }
}

}  // namespace
}  // namespace sidespan::semconv
