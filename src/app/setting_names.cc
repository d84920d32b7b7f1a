#include "app/setting_names.h"

#include <algorithm>
#include <array>
#include <optional>
#include <vector>

#include "app/setting_reader.h"
#include "app/setting_table.h"

namespace sidespan::app {
namespace {

constexpr size_t kKeyBytesMax =
    100;  // longer ones resemble nothing, and comparing costs their square

// Keys and sections that documentation of later versions names.
constexpr auto kLater = std::to_array<std::string_view>({
    "capture.query",
    "export.file",
    "export.spool",
    "export.zipkin",
    "listen.otlp",
    "listen.otlp_grpc",
    "listen.transparent",
    "store",
});

bool is_within(std::string_view key, std::string_view section) {
  return key.starts_with(section) && (key.size() == section.size() || key[section.size()] == '.');
}

// Every key, and every section on the way to it.
std::vector<std::string_view> known_names() {
  std::vector<std::string_view> names;
  for (const Setting& setting : setting_table()) {
    for (size_t dot = setting.key.find('.'); dot != std::string_view::npos;
         dot = setting.key.find('.', dot + 1)) {
      names.push_back(setting.key.substr(0, dot));
    }
    names.push_back(setting.key);
  }
  return names;
}

// The known name that `key` resembles most, if it resembles one at all.
std::optional<std::string_view> nearest(std::string_view key) {
  if (key.size() > kKeyBytesMax) return std::nullopt;
  const std::string_view last = key.substr(key.rfind('.') + 1);
  std::optional<std::string_view> best;
  size_t best_distance = std::max<size_t>(1, last.size() / 3) + 1;
  for (const std::string_view name : known_names()) {
    const size_t distance = edit_distance(key, name);
    if (distance >= best_distance) continue;
    best = name;
    best_distance = distance;
  }
  if (best) return best;
  // Right word, wrong section.
  for (const std::string_view name : known_names()) {
    if (last.size() > 3 && name.substr(name.rfind('.') + 1) == last) return name;
  }
  return std::nullopt;
}

}  // namespace

size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j < row.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t changed = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({changed, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row[b.size()];
}

bool is_section(std::string_view key) {
  return std::ranges::any_of(setting_table(), [&](const Setting& setting) {
    return setting.key.size() > key.size() && is_within(setting.key, key);
  });
}

std::string unknown_key_sentence(std::string_view key) {
  const auto later = std::ranges::find_if(
      kLater, [&](std::string_view section) { return is_within(key, section); });
  if (later != kLater.end()) return "is not in this version";
  const std::optional<std::string_view> meant = nearest(key);
  return "is not a setting" + (meant ? "; is " + quote(*meant) + " meant?" : std::string());
}

}  // namespace sidespan::app
