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
      {"half a character",
       R"({"id":1,"method":"m","params":{"_meta":{"k":"\ud83d"},"n":"\udc00"}})",
       R"({"id":1,"method":"m","params":{"_meta":{)" + ours + R"(,"k":"\ud83d"},"n":"\udc00"}})"},
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

TEST_CASE("meta: what is no request gets no context, and keeps no other") {
  struct Row {
    std::string name;
    std::string before;
    std::string after;  // where there is a context of ours; without it comes below
    std::string without;
  };
  const std::string note = R"({"jsonrpc":"2.0","method":"n","params":{"_meta":{"p":1}}})";
  const std::string answer =
      R"({"jsonrpc":"2.0","id":1,"result":{"_meta": {"traceparent" : "old"}}})";
  const std::string answer_ours =
      R"({"jsonrpc":"2.0","id":1,"result":{"_meta": {"traceparent":"00-1"}}})";
  const std::string answer_none = R"({"jsonrpc":"2.0","id":1,"result":{"_meta": {}}})";
  const std::vector<Row> rows = {
      {"a notification",
       R"( {"jsonrpc":"2.0","method":"n" ,"params":{"_meta":{"p":1,"traceparent":"old","baggage":"k=v"},"x":[1.0e2]}})",
       R"( {"jsonrpc":"2.0","method":"n" ,"params":{"_meta":{"p":1,"traceparent":"00-1"},"x":[1.0e2]}})",
       R"( {"jsonrpc":"2.0","method":"n" ,"params":{"_meta":{"p":1},"x":[1.0e2]}})"},
      {"an answer", answer, answer_ours, answer_none},
      {"a batch", "[" + note + ", " + answer + " ,7,[" + answer + "],{}, " + answer + "]\n",
       "[" + note + ", " + answer_ours + " ,7,[" + answer + "],{}, " + answer_ours + "]\n",
       "[" + note + ", " + answer_none + " ,7,[" + answer + "],{}, " + answer_none + "]\n"},
      {"both",
       R"({"jsonrpc":"2.0","result":{"_meta":{"tracestate":"a"}},"params":{"_meta":{"baggage":"b"}}})",
       R"({"jsonrpc":"2.0","result":{"_meta":{"tracestate":"a=\"b\""}},"params":{"_meta":{}}})",
       R"({"jsonrpc":"2.0","result":{"_meta":{}},"params":{"_meta":{}}})"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    CHECK(with_replaced_context(row.before, kOurs).value_or("nothing") == row.after);
    CHECK(with_replaced_context(row.before, {}).value_or("nothing") == row.without);
    CHECK_FALSE(with_replaced_context(row.after, kOurs));
  }
  for (const std::string& same :
       {note, "[" + note + "]", std::string("[]"), std::string("x"), answer + answer, "[" + answer,
        std::string(R"({"method":"n","params":{"_meta":{"traceparent":"old"}}})"),
        std::string(R"({"jsonrpc":"2.0","params":[{"_meta":{"traceparent":"old"}}]})")}) {
    CAPTURE(same);
    CHECK_FALSE(with_replaced_context(same, {}));
  }
}

}  // namespace
}  // namespace sidespan::semconv
