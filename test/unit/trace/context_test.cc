#include "sidespan/trace/context.h"

#include <doctest/doctest.h>

#include <set>

namespace sidespan::trace {
namespace {

using Lines = std::vector<std::string_view>;

std::string repeat(std::string_view text, size_t times) {
  std::string out;
  for (size_t i = 0; i < times; ++i) out += text;
  return out;
}

// "k0=v0,k1=v1,…"
std::string list_of(int members) {
  std::string list;
  for (int i = 0; i < members; ++i) {
    if (i > 0) list += ",";
    list += "k" + std::to_string(i) + "=v" + std::to_string(i);
  }
  return list;
}

TEST_CASE("context: ids as text") {
  struct Row {
    const char* name;
    std::string text;
    bool trace_id;
    bool span_id;
  };
  const Row rows[] = {
      {"trace id", "4bf92f3577b34da6a3ce929d0e0e4736", true, false},
      {"span id", "00f067aa0ba902b7", false, true},
      {"smallest trace id", repeat("0", 31) + "1", true, false},
      {"smallest span id", repeat("0", 15) + "1", false, true},
      {"highest trace id", repeat("f", 32), true, false},
      {"only the high half", "1" + repeat("0", 31), true, false},
      {"zero trace id", repeat("0", 32), false, false},
      {"zero span id", repeat("0", 16), false, false},
      {"upper case", "4BF92F3577B34DA6A3CE929D0E0E4736", false, false},
      {"one digit short", repeat("1", 31), false, false},
      {"one digit long", repeat("1", 33), false, false},
      {"no hex at the end", repeat("1", 31) + "g", false, false},
      {"no hex at the start", "x" + repeat("1", 15), false, false},
      {"high bit", "\xe9" + repeat("1", 15), false, false},
      {"empty", "", false, false},
  };
  for (const Row& row : rows) {
    INFO(row.name);
    const auto trace_id = TraceId::parse(row.text);
    const auto span_id = SpanId::parse(row.text);
    CHECK(trace_id.has_value() == row.trace_id);
    CHECK(span_id.has_value() == row.span_id);
    if (trace_id) CHECK(trace_id->to_string() == row.text);
    if (span_id) CHECK(span_id->to_string() == row.text);
  }
  const auto id = TraceId::parse("4bf92f3577b34da6a3ce929d0e0e4736");
  REQUIRE(id.has_value());
  CHECK(id->high == 0x4bf92f3577b34da6U);
  CHECK(id->low == 0xa3ce929d0e0e4736U);
}

TEST_CASE("context: made ids are valid and differ") {
  Random random(1);
  std::set<std::string> seen;
  for (int i = 0; i < 1000; ++i) {
    const TraceId trace_id = TraceId::make(random);
    const SpanId span_id = SpanId::make(random);
    CHECK(TraceId::parse(trace_id.to_string()) == trace_id);
    CHECK(SpanId::parse(span_id.to_string()) == span_id);
    seen.insert(trace_id.to_string());
    seen.insert(span_id.to_string());
  }
  CHECK(seen.size() == 2000);
}

TEST_CASE("context: what makes a span context valid") {
  CHECK_FALSE(SpanContext{}.valid());
  CHECK_FALSE(SpanContext{{1, 0}, {}, 1, {}}.valid());
  CHECK_FALSE(SpanContext{{}, {1}, 1, {}}.valid());
  const SpanContext context{{0, 1}, {1}, kSampledFlag, {}};
  CHECK(context.valid());
  CHECK(context.sampled());
  CHECK_FALSE(context.random());
}

TEST_CASE("tracestate: parse") {
  struct Row {
    const char* name;
    Lines lines;
    std::string text;
  };
  const std::string key256 = repeat("k", 256);
  const std::string value256 = repeat("v", 256);
  const std::string longest = key256 + "=" + value256;
  const std::string long_key = key256 + "k=v";
  const std::string long_value = "k=" + value256 + "v";
  const std::string full = list_of(TraceState::kMembersMax);
  const std::string over = list_of(TraceState::kMembersMax + 1);
  const std::string over_by_duplicate = full + ",k0=again";
  const Row rows[] = {
      {"nothing", {}, ""},
      {"a view of nothing", {std::string_view(), "a=1"}, "a=1"},
      {"one member", {"a=1"}, "a=1"},
      {"lines in order", {"a=1,b=2", "c=3"}, "a=1,b=2,c=3"},
      {"blanks around members", {" a=1\t,\t b=2 "}, "a=1,b=2"},
      {"empty members", {",a=1,, ,b=2,"}, "a=1,b=2"},
      {"leading blank of a value is data", {"a= 1"}, "a= 1"},
      {"first duplicate stays", {"a=1,b=2,a=3", "b=4"}, "a=1,b=2"},
      {"key may start with a digit", {"0a=1"}, "0a=1"},
      {"longest member", {longest}, longest},
      {"longest list", {full}, full},
      {"one member too many", {over}, ""},
      {"one too many, though a duplicate", {over_by_duplicate}, ""},
      {"one too many over lines", {full, "x=1"}, ""},
      {"key too long", {long_key}, ""},
      {"value too long", {long_value}, ""},
      {"two equals signs", {"a=1=2"}, ""},
      {"no equals sign", {"a=1,b"}, ""},
      {"no value", {"a="}, ""},
      {"no key", {"=1"}, ""},
      {"upper-case key", {"A=1"}, ""},
      {"control character", {"a=1\x01"}, ""},
      {"carriage return", {"a=1\r"}, ""},
      {"a later line is bad", {"a=1", "B=1"}, ""},
  };
  for (const Row& row : rows) {
    INFO(row.name);
    CHECK(TraceState::parse(row.lines).to_string() == row.text);
  }
}

TEST_CASE("tracestate: get and members") {
  const TraceState state = TraceState::parse({"a=1,ab= 2,b=x:y"});
  CHECK(state.get("a") == "1");
  CHECK(state.get("ab") == " 2");
  CHECK(state.get("b") == "x:y");
  CHECK_FALSE(state.get("").has_value());
  CHECK_FALSE(state.get("1").has_value());
  CHECK_FALSE(TraceState().get("a").has_value());
  CHECK(TraceState().members().empty());
  const auto members = state.members();
  REQUIRE(members.size() == 3);
  CHECK(members[1] == std::pair<std::string_view, std::string_view>("ab", " 2"));
}

TEST_CASE("tracestate: set") {
  struct Row {
    const char* name;
    std::string before, key, value;
    bool done;
    std::string after;
  };
  const std::string full = list_of(TraceState::kMembersMax);
  const std::string all_but_last = full.substr(0, full.rfind(','));
  const Row rows[] = {
      {"into nothing", "", "a", "1", true, "a=1"},
      {"new stands left", "b=2", "a", "1", true, "a=1,b=2"},
      {"update moves left", "b=2,a=1,c=3", "a", "9", true, "a=9,b=2,c=3"},
      {"right-most is evicted", full, "a", "1", true, "a=1," + all_but_last},
      {"update evicts nobody", full, "k31", "x", true, "k31=x," + all_but_last},
      {"blank at the end", "b=2", "a", "1 ", false, "b=2"},
      {"comma in the value", "b=2", "a", "1,c=3", false, "b=2"},
      {"line feed in the value", "b=2", "a", "1\n", false, "b=2"},
      {"empty value", "b=2", "b", "", false, "b=2"},
      {"bad key", "b=2", "A", "1", false, "b=2"},
      {"value too long", "b=2", "a", repeat("v", 257), false, "b=2"},
  };
  for (const Row& row : rows) {
    INFO(row.name);
    TraceState state = TraceState::parse({row.before});
    CHECK(state.set(row.key, row.value) == row.done);
    CHECK(state.to_string() == row.after);
  }
}

TEST_CASE("tracestate: erase") {
  TraceState state = TraceState::parse({"a=1,b=2,c=3"});
  state.erase("b");
  CHECK(state.to_string() == "a=1,c=3");
  state.erase("nobody");
  CHECK(state.to_string() == "a=1,c=3");
  state.erase("a");
  state.erase("c");
  CHECK(state.empty());
}

TEST_CASE("tracestate: header of at most 512 bytes, by whole members") {
  const auto member = [](char key, size_t size) {
    return std::string(1, key) + "=" + repeat("v", size - 2);
  };
  struct Row {
    const char* name;
    std::string list, header;
  };
  const std::string fits = member('a', 255) + "," + member('b', 256);
  const std::string short_ones = member('a', 128) + "," + member('b', 128);
  const Row rows[] = {
      {"empty", "", ""},
      {"512 bytes", fits, fits},
      {"the long one goes first",
       member('l', 129) + "," + short_ones + "," + member('c', 128) + "," + member('d', 2 + 1),
       short_ones + "," + member('c', 128) + "," + member('d', 2 + 1)},
      {"long ones from the right, only as many as needed", fits + "," + member('c', 129), fits},
      {"then from the right",
       short_ones + "," + member('c', 128) + "," + member('d', 128) + "," + member('e', 3),
       short_ones + "," + member('c', 128)},
      {"one that never fits", "a=" + repeat("v", 256) + ",b=" + repeat("v", 256),
       "a=" + repeat("v", 256)},
  };
  for (const Row& row : rows) {
    INFO(row.name);
    const TraceState state = TraceState::parse({row.list});
    CHECK(state.to_string() == row.list);
    CHECK(state.to_header() == row.header);
  }
  const std::string only = repeat("k", 256) + "=" + repeat("v", 256);
  CHECK(TraceState::parse({only}).to_header().empty());
}

}  // namespace
}  // namespace sidespan::trace
