// The one table of settings: a row is a key, its variables, how it is read, its default and a
// sentence for people. It feeds the configuration reader (config.h), `check --print`, the reference
// in conf/sidespan.yaml (config_print.h) and the test that keeps that true. A new setting is a new
// row and a field in Settings.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "app/config_tree.h"
#include "app/setting_reader.h"
#include "app/setting_standard.h"
#include "app/settings.h"

namespace sidespan::app {

// How a bare text, from a variable or a flag, becomes a value.
enum class Shape : uint8_t {
  kOne,    // the text itself
  kList,   // a, b
  kMap,    // a=b, c=d
  kRules,  // YAML only
};

struct Setting {
  std::string_view key;    // "export.otlp.timeout"
  std::string_view value;  // the default, in YAML
  Shape shape = Shape::kOne;
  // Puts the value into `settings`; when it complains, nothing is changed.
  void (*read)(const Node& node, Settings& settings, Complaints& complaints) = nullptr;
  std::string_view sentence;  // with its full stop
  // First come, first served.
  std::array<StandardVariable, 4> standard{};
  bool secret = false;  // its values are never shown
  bool merges = false;  // a map whose sources add up, key by key, instead of replacing each other
  bool strict = false;  // a bad OTEL_ value is a fault where no other one counts

  // "SIDESPAN_EXPORT_OTLP_TIMEOUT"
  std::string variable() const;
};

// Writes what `Read` returns to where the member pointers in `Path` lead, one after the other.
template <auto Read, auto... Path>
void assign(const Node& node, Settings& settings, Complaints& complaints) {
  if (auto value = Read(node, complaints)) (settings.*....*Path) = *std::move(value);
}

// In the order of the reference; the keys of a section stand together.
std::span<const Setting> setting_table();
// nullptr when there is none of that key.
const Setting* find_setting(std::string_view key);

// `text` as `setting` takes it: see Shape. What begins with '[' or '{' is read as YAML for all but
// kOne.
Node shape_text(const Setting& setting, std::string_view text, Complaints& complaints);
// A value from the file: a bare text where a list or a map is wanted is taken apart as above, all
// else stays.
Node shape_node(const Setting& setting, const Node& node, Complaints& complaints);

// The default as a Node.
Node default_of(const Setting& setting);

// Parts of the table, each in its file.
std::span<const Setting> main_settings();
std::span<const Setting> context_settings();
std::span<const Setting> export_settings();
std::span<const Setting> limit_settings();

}  // namespace sidespan::app
