#include "sidespan/json/reader.h"

#include <doctest/doctest.h>

#include <cmath>
#include <string>
#include <string_view>
#include <vector>

namespace sidespan::json {
namespace {

// What was read, as one line.
class Record final : public Handler {
 public:
  void on_object() override { line += "{ "; }
  void on_object_end() override { line += "} "; }
  void on_array() override { line += "[ "; }
  void on_array_end() override { line += "] "; }
  void on_key(std::string_view key) override { line.append(key).append(": "); }
  void on_text(std::string_view part, bool last) override {
    if (!in_text_) line += '\'';
    line.append(part);
    if (last) line += "' ";
    in_text_ = !last;
  }
  void on_integer(int64_t number) override { line += std::to_string(number) + " "; }
  void on_number(double number) override { line += "~" + std::to_string(number) + " "; }
  void on_natural(uint64_t number) override { line += "+" + std::to_string(number) + " "; }
  void on_bool(bool truth) override { line += truth ? "true " : "false "; }
  void on_null() override { line += "null "; }

  std::string line;

 private:
  bool in_text_ = false;
};

struct Outcome {
  std::string line;
  Reader::State state;
  bool operator==(const Outcome&) const = default;
};

// In pieces of `piece` bytes; 0: whole.
Outcome read(std::string_view text, size_t piece, const ReaderLimits& limits = {}) {
  Record record;
  Reader reader(record, limits);
  const size_t step = piece == 0 ? text.size() : piece;
  for (size_t at = 0; at < text.size(); at += step) {
    // Boost reads a piece where it lies: behind its end there must be nothing it could read.
    const std::string part(text.substr(at, step));
    reader.feed(part);
  }
  const Reader::State state = reader.finish();
  return {record.line, state};
}

TEST_CASE("reader: what a text holds, in any pieces") {
  struct Row {
    std::string text;
    std::string line;
  };
  const std::vector<Row> rows = {
      {R"({"a":[1,-2,{"b":null}],"c":"x\ny\u00e9\ud83d\ude00","d":true,"e":false,"f":{}})",
       "{ a: [ 1 -2 { b: null } ] c: 'x\ny\xc3\xa9\xf0\x9f\x98\x80' d: true e: false f: { } } "},
      {" [ ] ", "[ ] "},
      {"12", "12 "},
      {"1.5", "~1.500000 "},
      {"\"\"", "'' "},
      {"18446744073709551615", "+18446744073709551615 "},
      {"18446744073709551616", "~18446744073709551616.000000 "},
      {"9223372036854775807", "9223372036854775807 "},
      {"{\"k\\u0065y\":\"\\\\\"}", "{ key: '\\' } "},
      {"\"\xff\"", "'\xff' "},
  };
  for (const Row& row : rows) {
    CAPTURE(row.text);
    for (const size_t piece : {0, 1, 2, 3, 7}) {
      CAPTURE(piece);
      CHECK(read(row.text, piece) == Outcome{row.line, Reader::State::kComplete});
    }
  }
}

TEST_CASE("reader: what is no JSON ends the reading, and what came before it was told") {
  struct Row {
    std::string text;
    std::string line;
  };
  const std::vector<Row> rows = {
      {"{\"a\":1,}", "{ a: 1 "},   {"{\"a\" 1}", "{ a: "},
      {"[1 2]", "[ 1 "},           {"nul", ""},
      {"{\"a\":[1,", "{ a: [ 1 "}, {"x", ""},
  };
  for (const Row& row : rows) {
    CAPTURE(row.text);
    for (const size_t piece : {0, 1}) {
      CHECK(read(row.text, piece) == Outcome{row.line, Reader::State::kBroken});
    }
  }
  Record record;
  Reader reader(record);
  reader.feed("]");
  CHECK(reader.state() == Reader::State::kBroken);
  CHECK(reader.feed("{}") == 0);
  CHECK(record.line.empty());
}

TEST_CASE("reader: a number that the end cuts off is no number") {
  CHECK(read(R"({"a":10)", 0) == Outcome{"{ a: ", Reader::State::kBroken});
  CHECK(read("[1,-2.5", 0) == Outcome{"[ 1 ", Reader::State::kBroken});
  CHECK(read("[[1],2", 3) == Outcome{"[ [ 1 ] ", Reader::State::kBroken});
  CHECK(read("[1] ", 1) == Outcome{"[ 1 ] ", Reader::State::kComplete});
}

TEST_CASE("reader: a fraction is the nearest number, however it comes") {
  struct Numbers final : Handler {
    void on_number(double number) override { all.push_back(number); }
    void on_null() override { all.push_back(-1); }
    std::vector<double> all;
  };
  const std::string long_one = "0." + std::string(126, '3');
  const std::string text =
      "[48219.125,800000000.910500000,0.1,2.2250738585072014e-308,0e20011,1e400,-0.0,"
      "123456789012345678901234567890,12345678901.234567890123e-5," +
      long_one + "," + long_one + "3,7]";
  for (size_t step = 1; step <= text.size(); ++step) {
    Numbers numbers;
    Reader reader(numbers);
    for (size_t at = 0; at < text.size(); at += step) reader.feed(text.substr(at, step));
    CAPTURE(step);
    REQUIRE(reader.state() == Reader::State::kComplete);
    CHECK(numbers.all == std::vector<double>{48219.125, 800000000.9105, 0.1,
                                             2.2250738585072014e-308, 0, HUGE_VAL, -0.0,
                                             123456789012345678901234567890.0,
                                             12345678901.234567890123e-5, 1.0 / 3, -1});
  }
}

TEST_CASE("reader: several texts one after another") {
  Record record;
  Reader reader(record);
  std::string_view rest = "{\"a\":1}\n{\"b\":2} \n 3 ";
  size_t texts = 0;
  while (!rest.empty()) {
    rest.remove_prefix(reader.feed(rest));
    if (reader.state() != Reader::State::kComplete) break;
    ++texts;
    reader.reset();
  }
  CHECK(texts == 3);
  CHECK(record.line == "{ a: 1 } { b: 2 } 3 ");
}

TEST_CASE("reader: limits") {
  const std::string deep = R"({"a":[[1,{"b":["c",2.5,true,null,-1]},[3]]],"d":4})";
  for (const size_t piece : {0, 1, 5}) {
    CHECK(read(deep, piece, {.depth_max = 3}) ==
          Outcome{"{ a: [ [ 1 null null ] ] d: 4 } ", Reader::State::kComplete});
  }
  struct Deep final : sidespan::json::Handler {
    Handler* deep() override { return &inside; }
    Record inside;
  } listener;
  Reader reader(listener, {.depth_max = 3});
  reader.feed(deep);
  CHECK(listener.inside.line == "'c' ~2.500000 -1 3 ");
  const size_t levels = Reader::kNestingMax;
  const std::string deepest = std::string(levels, '[') + std::string(levels, ']');
  for (const size_t piece : {0, 1}) {
    CHECK(read(deepest, piece).state == Reader::State::kComplete);
    CHECK(read("[" + deepest + "]", piece).state == Reader::State::kBroken);
  }
  const std::string key = "{\"" + std::string(1000, 'k') + "\":1}";
  for (const size_t piece : {0, 1, 400}) {
    CHECK(read(key, piece, {.key_bytes_max = 5}) ==
          Outcome{"{ kkkkk: 1 } ", Reader::State::kComplete});
  }
}

TEST_CASE("reader: half a surrogate pair is U+FFFD, in any pieces") {
  struct Row {
    std::string text;
    std::string line;
  };
  const std::string none = "\xef\xbf\xbd";
  const std::string smile = "\xf0\x9f\x98\x80";
  const std::vector<Row> rows = {
      {R"({"a":"cut \ud83d","id":7})", "{ a: 'cut " + none + "' id: 7 } "},
      {R"(["\uDE00","\uDbFf!"])", "[ '" + none + "' '" + none + "!' ] "},
      {R"(["\ud83d\ud83d\ude00\ude00"])", "[ '" + none + smile + none + "' ] "},
      {R"(["\ud83d\n\ud83d\u0041\ud83d\\"])", "[ '" + none + "\n" + none + "A" + none + "\\' ] "},
      {R"({"\ud83d\ud7ff":"\ud83dx"})", "{ " + none + "\xed\x9f\xbf: '" + none + "x' } "},
      // What is escaped there is a backslash.
      {R"(["\\ud83d","\\\ud83d","\\\\ud83d"])", "[ '\\ud83d' '\\" + none + "' '\\\\ud83d' ] "},
      {R"(["\ud83d" ] )", "[ '" + none + "' ] "},
  };
  for (const Row& row : rows) {
    CAPTURE(row.text);
    for (size_t piece = 0; piece < 16; ++piece) {
      CAPTURE(piece);
      CHECK(read(row.text, piece) == Outcome{row.line, Reader::State::kComplete});
    }
  }
  for (const std::string text :
       {R"(["\ud83"])", R"(["\ud83d\"])", R"(["\ud83z"])", R"(["\ud83d\ude0"])", R"("\ud83d")"}) {
    CAPTURE(text);
    for (size_t piece = 0; piece < 8; ++piece) {
      CHECK(read(text, piece).state == Reader::State::kBroken);
    }
  }
  Record record;
  Reader reader(record);
  CHECK(reader.feed(" 1") == 2);
  CHECK(reader.feed("2\\") == 1);
  CHECK(reader.state() == Reader::State::kComplete);
}

TEST_CASE("reader: a text that was left in the middle leaves nothing to the next") {
  Record record;
  Reader reader(record);
  reader.feed("{\"abc");
  reader.reset();
  record.line.clear();
  reader.feed("{\"d\":\"e");
  reader.reset();
  record = {};
  reader.feed("{\"f\":1}");
  CHECK(record.line == "{ f: 1 } ");
  CHECK(reader.state() == Reader::State::kComplete);
}

}  // namespace
}  // namespace sidespan::json
