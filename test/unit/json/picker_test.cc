#include "sidespan/json/picker.h"

#include <doctest/doctest.h>

#include <string>
#include <string_view>
#include <vector>

namespace sidespan::json {
namespace {

// "ID@places=value" of each, one after another.
class Record final : public PickSink {
 public:
  void on_pick(const Picked& picked) override {
    line += std::to_string(picked.id);
    for (const uint32_t place : picked.places) line += "@" + std::to_string(place);
    line += "=" + text_of(picked) + (picked.cut ? ".. " : " ");
  }
  std::string line;

 private:
  static std::string text_of(const Picked& picked) {
    switch (picked.kind) {
      case Picked::Kind::kText:
      case Picked::Kind::kJson:
        return std::string(picked.text);
      case Picked::Kind::kInteger:
        return std::to_string(picked.integer);
      case Picked::Kind::kNumber:
        return "~" + std::to_string(picked.number);
      case Picked::Kind::kBool:
        return picked.truth ? "true" : "false";
      case Picked::Kind::kNull:
        return "null";
      case Picked::Kind::kObject:
        return "{";
      case Picked::Kind::kEnd:
        return "}";
    }
    return "";
  }
};

std::string picked(const PickTable& table, std::string_view text, size_t piece = 0,
                   const PickerLimits& limits = {}) {
  Record record;
  Picker picker(table, record, limits);
  Reader reader(picker);
  const size_t step = piece == 0 ? text.size() : piece;
  for (size_t at = 0; at < text.size(); at += step) {
    const std::string part(text.substr(at, step));
    reader.feed(part);
  }
  reader.finish();
  return record.line;
}

TEST_CASE("picker: what paths lead to, in any pieces") {
  struct Row {
    std::string name;
    PickTable table;
    std::string text;
    std::string line;
  };
  const std::vector<Row> rows = {
      {"members",
       {{"a", 1}, {"b.c", 2}, {"b.d.e", 3}, {"f", 4}},
       R"({"x":{"a":0},"a":"one","b":{"d":{"e":2.5,"c":9},"c":true,"a":7},"f":null,"c":1})",
       "1=one 3=~2.500000 2=true 4=null "},
      {"elements",
       {{"a[].b", 1}, {"c[]", 2}},
       R"({"a":[{"b":1},{"c":2},{"x":[1,2],"b":3},4],"c":["x",["y"],"z",{}]})",
       "1@0=1 1@2=3 2@0=x 2@2=z "},
      {"arrays in arrays",
       {{"[].a[][].b", 1}},
       R"([{"a":[[{"b":1},{"b":2}],[],[{"b":3}]]},{"a":[[{"b":4}]]}])",
       "1@0@0@0=1 1@0@0@1=2 1@0@2@0=3 1@1@0@0=4 "},
      {"an array or object where a value was meant",
       {{"a", 1}, {"b", 2}},
       R"({"a":[1,{"a":2}],"b":{"b":3},"a":4})",
       "1=4 "},
      {"a value where an object was meant",
       {{"a.b", 1}, {"c[].d", 2}},
       R"({"a":"b","c":{"d":1},"a":{"b":2},"c":[{"d":3}]})",
       "1=2 2@0=3 "},
      {"a path beside a longer one",
       {{"a", 1}, {"a.b", 2}, {"a[]", 3}},
       R"({"a":1,"a":{"b":2},"a":[3]})",
       "1=1 2=2 3@0=3 "},
      {"objects",
       {{"a[]{}", 1}, {"a[].b", 2}, {"{}", 3}},
       R"({"a":[{"b":1},2,{}]})",
       "3={ 1@0={ 2@0=1 1@0=} 1@2={ 1@2=} 3=} "},
      {"json",
       {{"a*", 1}, {"b[].c*", 2}},
       R"({"a": {"x": [1, 2.5, "q\"\u00e9", {"a": null}], "y": {}} , "b": [{"c": "t"}, {"c": 1},)"
       R"({"c": true}, {"c": null}, {"c": []}, {"d": {"c": 1}}]})",
       "1={\"x\":[1,2.5,\"q\\\"\xc3\xa9\",{\"a\":null}],\"y\":{}} 2@0=\"t\" 2@1=1 2@2=true "
       "2@3=null 2@4=[] "},
      {"the whole", {{"*", 1}}, " [1, {}] ", "1=[1,{}] "},
      {"a text at the top", {{"", 1}}, "\"x\"", "1=x "},
      {"keys with dots",
       {{"a.'b.c/d'", 1}, {"'e.f'.g", 2}, {"'[]'[]", 3}},
       R"({"a":{"b.c/d":1,"b":{"c/d":2}},"e.f":{"g":3},"[]":[4]})",
       "1=1 2=3 3@0=4 "},
      {"escapes in keys", {{"key", 1}}, R"({"k\u0065y":1})", "1=1 "},
      {"nothing", {{"a", 1}}, "[[[{\"a\":1}]]]", ""},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    for (const size_t piece : {0, 1, 2, 5}) {
      CAPTURE(piece);
      CHECK(picked(row.table, row.text, piece) == row.line);
    }
  }
}

TEST_CASE("picker: the same rows behind several prefixes") {
  const PickTable table({{"{}", 1}, {"a.b", 2}}, {"", "[]"});
  CHECK(picked(table, R"({"a":{"b":1}})") == "1={ 2=1 1=} ");
  CHECK(picked(table, R"([{"a":{"b":1}},{}])") == "1@0={ 2@0=1 1@0=} 1@1={ 1@1=} ");
}

TEST_CASE("picker: long values are cut") {
  const PickTable table = {{"a", 1}, {"b*", 2}, {"c", 3}};
  const std::string text = R"({"a":"0123456789","b":["0123456789"],"c":"0123"})";
  for (const size_t piece : {0, 1, 3}) {
    CHECK(picked(table, text, piece, {.value_bytes_max = 4}) == "1=0123.. 2=[\"01.. 3=0123 ");
  }
  const std::string much = R"({"b":{"k":[)" + std::string(100'000, '1') + R"(]},"a":"x"})";
  CHECK(picked(table, R"({"b":["x",{"y":[1,2,3]}],"a":"z"})", 0, {.value_bytes_max = 6}) ==
        "2=[\"x\",{.. 1=z ");
  CHECK(picked(table, much, 1000, {.value_bytes_max = 6}).starts_with("2={\"k\":["));
}

TEST_CASE("picker: a text that ends in the middle") {
  const PickTable table = {{"a[].b", 1}, {"c*", 2}};
  const std::string text = R"({"a":[{"b":"x"},{"b":"y"}],"c":{"d":[1]}})";
  std::string before;
  for (size_t n = 0; n <= text.size(); ++n) {
    const std::string line = picked(table, text.substr(0, n));
    CHECK(line.starts_with(before));
    before = line;
  }
  CHECK(before == "1@0=x 1@1=y 2={\"d\":[1]} ");
}

TEST_CASE("picker: a table of several lists, each behind prefixes of its own") {
  const std::vector<PickTable::Row> some = {{"a", 1}, {"b[].c", 2}};
  const std::vector<PickTable::Row> others = {{"{}", 3}, {".d", 4}};
  const std::vector<std::string_view> root = {"", "[]."};
  const std::vector<std::string_view> items = {"item", "items[]"};
  const std::vector<PickTable::Part> parts = {{some, root}, {others, items}};
  const PickTable table(parts);
  CHECK(picked(table, R"({"a":1,"b":[{"c":2}],"item":{"d":"x"},"items":[{"d":"y"}]})") ==
        "1=1 2@0=2 3={ 4=x 3=} 3@0={ 4@0=y 3@0=} ");
  CHECK(picked(table, R"([{"a":1},{"b":[{"c":2}],"item":{"d":3}}])") == "1@0=1 2@1@0=2 ");
}

TEST_CASE("picker: one text after another") {
  const PickTable table = {{"a[].b", 1}, {"c*", 2}};
  Record record;
  Picker picker(table, record);
  Reader reader(picker);
  for (const std::string text : {R"({"a":[{"b":"le)", R"({"c":[1,)", R"({"a":[{"b":2}]})"}) {
    reader.reset();
    picker.reset();
    reader.feed(text);
  }
  CHECK(record.line == "1@0=2 ");
}

}  // namespace
}  // namespace sidespan::json
