// One step that every request pays for, ready to be repeated. The same steps are timed by
// Google Benchmark (timed.cc) and counted in instructions by callgrind (counted.cc).
#pragma once

#include <memory>
#include <string_view>
#include <vector>

namespace sidespan::bench {

class HotPath {
 public:
  virtual ~HotPath() = default;
  // Does the step once. What it needs was made before; a wrong outcome aborts, because a fast wrong
  // step is no figure.
  virtual void once() = 0;
};

struct HotPathRow {
  std::string_view name;  // also the row's name in budget.txt
  std::unique_ptr<HotPath> (*make)();
};

template <class Path>
HotPathRow row(std::string_view name) {
  return {name, [] { return std::unique_ptr<HotPath>(std::make_unique<Path>()); }};
}

void add_base_paths(std::vector<HotPathRow>& rows);
void add_body_paths(std::vector<HotPathRow>& rows);
void add_http_paths(std::vector<HotPathRow>& rows);
void add_lineage_paths(std::vector<HotPathRow>& rows);
void add_trace_paths(std::vector<HotPathRow>& rows);

inline std::vector<HotPathRow> hot_paths() {
  std::vector<HotPathRow> rows;
  add_base_paths(rows);
  add_body_paths(rows);
  add_http_paths(rows);
  add_lineage_paths(rows);
  add_trace_paths(rows);
  return rows;
}

// The compiler must take `value` for used.
template <class Value>
void keep(const Value& value) {
  asm volatile("" : : "g"(&value) : "memory");
}

}  // namespace sidespan::bench
