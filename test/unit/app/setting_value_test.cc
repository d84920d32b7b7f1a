#include "app/setting_value.h"

#include <doctest/doctest.h>

namespace sidespan::app {
namespace {

TEST_CASE("durations are a whole number and a unit") {
  struct Row {
    const char* name;
    const char* text;
    std::optional<int64_t> milliseconds;
  };
  const Row rows[] = {
      {"milliseconds", "500ms", 500},
      {"seconds", "2s", 2000},
      {"minutes", "1m", 60'000},
      {"hours", "3h", 10'800'000},
      {"days", "7d", 604'800'000},
      {"nothing at all needs no unit", "0", 0},
      {"a unit for nothing", "0s", 0},
      {"no unit", "10", std::nullopt},
      {"no number", "ms", std::nullopt},
      {"empty", "", std::nullopt},
      {"a fraction", "1.5s", std::nullopt},
      {"two units", "1m30s", std::nullopt},
      {"a sign", "-1s", std::nullopt},
      {"a space", "1 s", std::nullopt},
      {"an unknown unit", "1w", std::nullopt},
      {"upper case", "1S", std::nullopt},
      {"more than there is", "999999999999999999d", std::nullopt},
      {"more digits than a number has", "99999999999999999999999s", std::nullopt},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    const auto duration = parse_duration(row.text);
    CHECK(duration.has_value() == row.milliseconds.has_value());
    if (duration && row.milliseconds) CHECK(duration->count() == *row.milliseconds);
  }
}

TEST_CASE("sizes are bytes or a binary unit of them") {
  struct Row {
    const char* name;
    const char* text;
    std::optional<size_t> bytes;
  };
  const Row rows[] = {
      {"bytes", "512", 512},
      {"bytes with their unit", "512B", 512},
      {"KiB", "64KiB", 65'536},
      {"MiB", "1MiB", 1'048'576},
      {"GiB", "2GiB", 2'147'483'648},
      {"nothing", "0", 0},
      {"a decimal unit", "1MB", std::nullopt},
      {"a short unit", "1M", std::nullopt},
      {"lower case", "1mib", std::nullopt},
      {"a fraction", "1.5MiB", std::nullopt},
      {"empty", "", std::nullopt},
      {"a unit alone", "KiB", std::nullopt},
      {"a sign", "-1", std::nullopt},
      {"more than there is", "99999999999GiB", std::nullopt},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    CHECK(parse_size(row.text) == row.bytes);
  }
}

TEST_CASE("values are written in the largest unit that fits") {
  CHECK(write_duration(Milliseconds{0}) == "0");
  CHECK(write_duration(Milliseconds{1}) == "1ms");
  CHECK(write_duration(Milliseconds{1500}) == "1500ms");
  CHECK(write_duration(Milliseconds{90'000}) == "90s");
  CHECK(write_duration(Milliseconds{86'400'000}) == "1d");
  CHECK(write_size(0) == "0");
  CHECK(write_size(1000) == "1000");
  CHECK(write_size(65'536) == "64KiB");
  CHECK(write_size(1'048'577) == "1048577B");
}

TEST_CASE("switches and decimals") {
  for (const char* on : {"on", "true", "yes"}) CHECK(parse_switch(on) == true);
  for (const char* off : {"off", "false", "no"}) CHECK(parse_switch(off) == false);
  for (const char* neither : {"", "1", "On", "TRUE", "maybe"}) CHECK_FALSE(parse_switch(neither));
  CHECK(parse_decimal("0.25") == 0.25);
  CHECK(parse_decimal("1") == 1.0);
  CHECK(parse_decimal("-0.5") == -0.5);
  CHECK(parse_decimal("1e-3") == 0.001);
  CHECK(parse_decimal("2.5E+2") == 250.0);
  for (const char* bad : {"", "x", "0.5x", "nan", "inf", "1e", "1e3x", "1e400", "0x1", " 1"}) {
    CAPTURE(bad);
    CHECK_FALSE(parse_decimal(bad));
  }
}

}  // namespace
}  // namespace sidespan::app
