#include "sidespan/json/tee.h"

#include <doctest/doctest.h>

#include <string>

using namespace sidespan::json;

namespace {

// What it was told, in words.
struct Told final : Handler {
  void on_object() override { text += "{"; }
  void on_object_end() override { text += "}"; }
  void on_array() override { text += "["; }
  void on_array_end() override { text += "]"; }
  void on_key(std::string_view key) override { text.append(key).append(":"); }
  void on_text(std::string_view part, bool last) override {
    text.append(part).append(last ? "." : "-");
  }
  void on_integer(int64_t number) override { text += "i" + std::to_string(number); }
  void on_natural(uint64_t number) override { text += "n" + std::to_string(number); }
  void on_number(double) override { text += "d"; }
  void on_bool(bool truth) override { text += truth ? "t" : "f"; }
  void on_null() override { text += "0"; }

  std::string text = {};
};

void read(Handler& handler) {
  Reader reader(handler);
  reader.feed(R"({"a":[1,18446744073709551615,0.5,true,false,null,"x"]})");
  CHECK(reader.finish() == Reader::State::kComplete);
}

}  // namespace

TEST_CASE("two handlers are told the same") {
  Told alone;
  read(alone);
  CHECK(alone.text == "{a:[i1n18446744073709551615dtf0x.]}");
  Told first;
  Told second;
  Tee tee;
  tee.set(first, &second);
  read(tee);
  CHECK(first.text == alone.text);
  CHECK(second.text == alone.text);
  tee.forget_second();
  read(tee);
  CHECK(first.text == alone.text + alone.text);
  CHECK(second.text == alone.text);
}
