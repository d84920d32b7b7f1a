#include "app/setting_table.h"

#include <algorithm>
#include <cassert>
#include <vector>

#include "sidespan/base/text.h"
#include "sidespan/net/address.h"

namespace sidespan::app {
namespace {

Node list_from(std::string_view text) {
  Node list;
  list.kind = Node::Kind::kList;
  for (const std::string_view member : text::list_members(text)) {
    list.items.push_back(Node::of_text(std::string(member)));
  }
  return list;
}

Node map_from(std::string_view text, Complaints& complaints) {
  Node map;
  map.kind = Node::Kind::kMap;
  for (const std::string_view pair : text::list_members(text)) {
    const size_t equals = pair.find('=');
    if (equals == std::string_view::npos) {
      // The text is not quoted: a map may hold secrets.
      complaints.push_back({0, "", "takes a map, like name=value,name=value"});
      return {};
    }
    std::string key(text::trim(pair.substr(0, equals)));
    if (map.find(key) != nullptr) {
      complaints.push_back({0, "", "has a name in it that is written twice"});
      return {};
    }
    map.members.push_back(
        {std::move(key), 0, Node::of_text(std::string(text::trim(pair.substr(equals + 1))))});
  }
  return map;
}

void set_lines(Node& node, int line) {
  node.line = line;
  for (Node& item : node.items) set_lines(item, line);
  for (Node::Member& member : node.members) {
    member.line = line;
    set_lines(member.value, line);
  }
}

// Not `[::1],localhost`, a list of hosts as NO_PROXY has it.
bool is_flow(std::string_view text) {
  if (!text.starts_with('[')) return text.starts_with('{');
  const size_t end = text.find(']');
  if (end == std::string_view::npos || end + 1 == text.size()) return true;
  const std::string_view host = text.substr(1, end - 1);
  return !host.contains(':') || !net::Address::parse(host.substr(0, host.find('%')), 0);
}

}  // namespace

std::string Setting::variable() const {
  std::string name = "SIDESPAN_";
  for (const char c : key) {
    name.push_back(text::is_lower(c) ? static_cast<char>(c - 'a' + 'A') : c == '.' ? '_' : c);
  }
  return name;
}

std::span<const Setting> setting_table() {
  static const std::vector<Setting> kTable = [] {
    const std::span<const Setting> main = main_settings();
    const std::span<const Setting> context = context_settings();
    const std::span<const Setting> exports = export_settings();
    const std::span<const Setting> limits = limit_settings();
    // Limits come before the sections an operator touches last: log, drain, workers.
    const auto log = std::ranges::find(main, "log.level", &Setting::key);
    const auto sampling = std::ranges::find(main, "sampling.head.sampler", &Setting::key);
    std::vector<Setting> table(main.begin(), sampling);
    table.insert(table.end(), context.begin(), context.end());
    table.insert(table.end(), sampling, log);
    table.insert(table.end(), exports.begin(), exports.end());
    table.insert(table.end(), limits.begin(), limits.end());
    table.insert(table.end(), log, main.end());
    return table;
  }();
  return kTable;
}

const Setting* find_setting(std::string_view key) {
  const std::span<const Setting> table = setting_table();
  const auto setting = std::ranges::find(table, key, &Setting::key);
  return setting == table.end() ? nullptr : &*setting;
}

Node shape_text(const Setting& setting, std::string_view text, Complaints& complaints) {
  if (setting.shape == Shape::kOne) return Node::of_text(std::string(text));
  const std::string_view trimmed = text::trim(text);
  if (is_flow(trimmed) || setting.shape == Shape::kRules) {
    Tree tree = parse_yaml(trimmed);
    for (Complaint& complaint : tree.complaints) {
      complaints.push_back({0, complaint.at, std::move(complaint.what)});
    }
    set_lines(tree.root, 0);
    return std::move(tree.root);
  }
  if (setting.shape == Shape::kList) return list_from(trimmed);
  return map_from(trimmed, complaints);
}

Node shape_node(const Setting& setting, const Node& node, Complaints& complaints) {
  if (node.kind != Node::Kind::kText || setting.shape == Shape::kOne) return node;
  const size_t before = complaints.size();
  Node shaped = shape_text(setting, node.text, complaints);
  for (size_t i = before; i < complaints.size(); ++i) complaints[i].line = node.line;
  set_lines(shaped, node.line);
  return shaped;
}

Node default_of(const Setting& setting) {
  Tree tree = parse_yaml(setting.value);
  assert(tree.complaints.empty());
  set_lines(tree.root, 0);
  return std::move(tree.root);
}

}  // namespace sidespan::app
