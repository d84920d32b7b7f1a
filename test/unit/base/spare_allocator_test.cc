#include "sidespan/base/spare_allocator.h"

#include <doctest/doctest.h>

#include <functional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

using namespace sidespan;

TEST_CASE("spare allocator: a map's nodes come again, and hold what they are given") {
  using Map = std::unordered_map<int, std::string, std::hash<int>, std::equal_to<>,
                                 SpareAllocator<std::pair<const int, std::string>, 4>>;
  Map map;
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 100; ++i) map[i] = std::string(40, static_cast<char>('a' + round));
    CHECK(map.size() == 100);
    CHECK(map[99] == std::string(40, static_cast<char>('a' + round)));
    Map other = std::move(map);
    map = Map();
    CHECK(other.size() == 100);
  }
  if (!kKeepsSpares) return;
  map[1] = "one";
  const void* const before = &map[1];
  map.erase(1);
  map[2] = "two";
  CHECK(&map[2] == before);
}

TEST_CASE("spare allocator: arrays are of the usual memory") {
  std::vector<int, SpareAllocator<int, 4>> numbers;
  for (int i = 0; i < 1000; ++i) numbers.push_back(i);
  CHECK(numbers[999] == 999);
}
