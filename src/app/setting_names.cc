#include "app/setting_names.h"

#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include "app/setting_reader.h"
#include "app/setting_table.h"

namespace sidespan::app {
namespace {

constexpr size_t kKeyBytesMax =
    100;  // longer ones resemble nothing, and comparing costs their square

constexpr size_t kShortWord = 3;  // many names end in one

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
std::vector<std::string> known_names() {
  std::vector<std::string> names;
  for (const Setting& setting : setting_table()) {
    for (size_t dot = setting.key.find('.'); dot != std::string_view::npos;
         dot = setting.key.find('.', dot + 1)) {
      names.emplace_back(setting.key.substr(0, dot));
    }
    names.emplace_back(setting.key);
  }
  return names;
}

std::vector<std::string> known_variables() {
  std::vector<std::string> names(kPlaceVariables.begin(), kPlaceVariables.end());
  for (const Setting& setting : setting_table()) names.push_back(setting.variable());
  return names;
}

// The one of `known` that `name` resembles most, by less than a third of the letters of its last
// part, which follows `separator`; null: it resembles none.
const std::string* nearest(std::string_view name, char separator,
                           const std::vector<std::string>& known) {
  const size_t last_size = name.size() - (name.rfind(separator) + 1);
  const std::string* best = nullptr;
  size_t best_distance = std::max<size_t>(1, last_size / 3) + 1;
  for (const std::string& one : known) {
    const size_t distance = edit_distance(name, one);
    if (distance >= best_distance) continue;
    best = &one;
    best_distance = distance;
  }
  return best;
}

// The first whose last parts are `ending`; null: there is none.
const std::string* ending_in(std::string_view ending, char separator,
                             const std::vector<std::string>& known) {
  const auto ends_so = [&](const std::string& one) {
    return (separator + one).ends_with(separator + std::string(ending));
  };
  const auto found = std::ranges::find_if(known, ends_so);
  return found == known.end() ? nullptr : &*found;
}

std::string question(const std::string* meant) {
  return meant == nullptr ? "" : "; is " + quote(*meant) + " meant?";
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
  if (key.size() > kKeyBytesMax) return "is not a setting";
  const std::vector<std::string> known = known_names();
  const std::string* meant = nearest(key, '.', known);
  const std::string_view last = key.substr(key.rfind('.') + 1);
  // Right word, wrong section.
  if (meant == nullptr && last.size() > kShortWord) meant = ending_in(last, '.', known);
  return "is not a setting" + question(meant);
}

std::string unknown_variable_sentence(std::string_view name) {
  if (name.size() > kKeyBytesMax) return "names no setting";
  const std::vector<std::string> known = known_variables();
  const std::string* meant = nearest(name, '_', known);
  const std::string_view rest = name.substr(name.find('_') + 1);
  // Its section was left out.
  if (meant == nullptr && rest.size() > kShortWord) meant = ending_in(rest, '_', known);
  return "names no setting" + question(meant);
}

}  // namespace sidespan::app
