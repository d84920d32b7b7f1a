#include "sidespan/base/slot_map.h"

#include <doctest/doctest.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace sidespan {
namespace {

using Names = SlotMap<std::string>;

SlotId add(Names& map, const char* name) {
  return map.emplace([&](SlotId) { return std::make_unique<std::string>(name); });
}

TEST_CASE("slot map: an id finds its object until it is erased") {
  Names map;
  const SlotId a = add(map, "a");
  const SlotId b = add(map, "b");
  CHECK(map.size() == 2);
  CHECK(*map.find(a) == "a");
  CHECK(*map.find(b) == "b");
  map.erase(a);
  CHECK(map.find(a) == nullptr);
  CHECK(*map.find(b) == "b");
  CHECK(map.size() == 1);
}

TEST_CASE("slot map: a stale id never names the next object in its place") {
  Names map;
  const SlotId first = add(map, "first");
  map.erase(first);
  const SlotId second = add(map, "second");
  CHECK(second.index == first.index);
  CHECK(second != first);
  CHECK(map.find(first) == nullptr);
  map.erase(first);
  CHECK(*map.find(second) == "second");
  CHECK(map.size() == 1);
}

TEST_CASE("slot map: ids that name nothing") {
  Names map;
  const SlotId one = add(map, "one");
  struct Row {
    const char* name;
    SlotId id;
  };
  const std::vector<Row> rows = {
      {"the empty id", {}},
      {"an index past the end", {one.index + 1, one.generation}},
      {"a generation to come", {one.index, one.generation + 1}},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    CHECK(map.find(row.id) == nullptr);
    map.erase(row.id);
    CHECK(map.size() == 1);
  }
  CHECK(!SlotId());
  CHECK(one);
}

TEST_CASE("slot map: pointers stay while others come and go") {
  Names map;
  const SlotId kept = add(map, "kept");
  const std::string* place = map.find(kept);
  std::vector<SlotId> others;
  for (int i = 0; i < 1000; ++i) others.push_back(add(map, "other"));
  for (const SlotId id : others) map.erase(id);
  CHECK(map.find(kept) == place);
  CHECK(map.size() == 1);
}

TEST_CASE("slot map: an object may be made while another is being made") {
  Names map;
  SlotId inner;
  SlotId told;
  const SlotId outer = map.emplace([&](SlotId id) {
    told = id;
    CHECK(map.find(id) == nullptr);
    inner = add(map, "inner");
    return std::make_unique<std::string>("outer");
  });
  CHECK(told == outer);
  CHECK(*map.find(inner) == "inner");
  CHECK(*map.find(outer) == "outer");
  CHECK(map.size() == 2);
}

TEST_CASE("slot map: visitors see each object once and may erase it") {
  Names map;
  for (const char* name : {"a", "b", "c", "d"}) add(map, name);
  std::string seen;
  map.for_each([&](SlotId id, const std::string& name) {
    seen += name;
    if (name == "b" || name == "d") map.erase(id);
  });
  CHECK(seen == "abcd");
  seen.clear();
  map.for_each([&](SlotId, const std::string& name) { seen += name; });
  CHECK(seen == "ac");
}

struct Dying {
  std::function<void()> last;
  ~Dying() { last(); }
};

TEST_CASE("slot map: an object that dies is no longer found") {
  SlotMap<Dying> map;
  SlotId own;
  const Dying* found = nullptr;
  size_t left = 99;
  own = map.emplace([&](SlotId) {
    return std::make_unique<Dying>(Dying{[&] {
      found = map.find(own);
      left = map.size();
    }});
  });
  found = map.find(own);
  REQUIRE(found != nullptr);
  map.erase(own);
  CHECK(found == nullptr);
  CHECK(left == 0);
}

}  // namespace
}  // namespace sidespan
