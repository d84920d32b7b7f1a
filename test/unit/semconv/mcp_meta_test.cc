#include "sidespan/semconv/mcp_meta.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

namespace sidespan::semconv {
namespace {

const std::vector<MetaEntry> kOurs = {{"traceparent", "00-1"}, {"tracestate", "a=\"b\""}};

TEST_CASE("meta: a request gets its context, and every other byte stays") {
  struct Row {
    std::string name;
    std::string before;
    std::string after;
  };
  const std::string ours = R"("traceparent":"00-1","tracestate":"a=\"b\"")";
  const std::vector<Row> rows = {
      {"no params", R"({"jsonrpc":"2.0","id":1,"method":"ping"})",
       R"({"params":{"_meta":{)" + ours + R"(}},"jsonrpc":"2.0","id":1,"method":"ping"})"},
      {"empty params", R"({"id":1,"method":"m","params":{}})",
       R"({"id":1,"method":"m","params":{"_meta":{)" + ours + "}}}"},
      {"params", " {\"id\":\"x\", \"method\":\"m\" ,\"params\": { \"n\": 1.0e2 } }\r\n",
       " {\"id\":\"x\", \"method\":\"m\" ,\"params\": {\"_meta\":{" + ours +
           "}, \"n\": 1.0e2 } }\r\n"},
      {"empty _meta", R"({"id":1,"method":"m","params":{"_meta":{},"n":1}})",
       R"({"id":1,"method":"m","params":{"_meta":{)" + ours + R"(},"n":1}})"},
      {"others in _meta",
       R"({"id":1,"method":"m","params":{"_meta":{"progressToken":7,"k":"\u00e9"}}})",
       R"({"id":1,"method":"m","params":{"_meta":{)" + ours +
           R"(,"progressToken":7,"k":"\u00e9"}}})"},
      {"context in _meta",
       R"({"id":1,"method":"m","params":{"_meta":{"baggage":"x=1","p":1,"traceparent":"old"}}})",
       R"({"id":1,"method":"m","params":{"_meta":{)" + ours + R"(,"p":1}}})"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    CHECK(with_meta_context(row.before, kOurs).value_or("nothing") == row.after);
  }
}

TEST_CASE("meta: nothing given takes away what there was") {
  CHECK(with_meta_context(R"({"id":1,"method":"m","params":{"_meta":{"traceparent":"old","p":1}}})",
                          {}) == R"({"id":1,"method":"m","params":{"_meta":{"p":1}}})");
  CHECK(!with_meta_context(R"({"id":1,"method":"m"})", {}));
  CHECK(!with_meta_context(R"({"id":1,"method":"m","params":{}})", {}));
}

TEST_CASE("meta: a name without a value keeps what the message has") {
  const std::vector<MetaEntry> entries = {{"traceparent", "00-1"}, {"baggage", std::nullopt}};
  CHECK(with_meta_context(
            R"({"id":1,"method":"m","params":{"_meta":{"baggage": "x=1","tracestate":"a=b"}}})",
            entries) ==
        R"({"id":1,"method":"m","params":{"_meta":{"traceparent":"00-1","baggage":"x=1"}}})");
  CHECK(with_meta_context(R"({"id":1,"method":"m","params":{"_meta":{}}})", entries) ==
        R"({"id":1,"method":"m","params":{"_meta":{"traceparent":"00-1"}}})");
}

TEST_CASE("meta: what is left alone") {
  const std::vector<std::string> rows = {
      R"({"method":"notifications/initialized"})",
      R"({"id":1,"result":{}})",
      R"([{"id":1,"method":"m"}])",
      R"({"id":1,"method":"m","params":[1]})",
      R"({"id":1,"method":"m","params":{"_meta":null}})",
      R"({"id":1,"method":"m","params":{"_meta":{},"_meta":{}}})",
      R"({"id":1,"method":"m","params":{"\u005fmeta":{}}})",
      R"({"id":1,"method":"m","params":{})",
      R"({"id":1,"method":"m"} x)",
      "",
  };
  for (const std::string& row : rows) {
    CAPTURE(row);
    CHECK(!with_meta_context(row, kOurs));
  }
}

}  // namespace
}  // namespace sidespan::semconv
