#include "app/setting_standard.h"

#include <algorithm>
#include <expected>
#include <utility>
#include <vector>

#include "app/setting_reader.h"
#include "sidespan/base/text.h"
#include "sidespan/trace/propagator.h"

namespace sidespan::app::standard {
namespace {

StandardValue given(Node node) {
  return {std::move(node), ""};
}
StandardValue given(std::string text) {
  return given(Node::of_text(std::move(text)));
}
StandardValue refused(const std::string& what) {
  return {std::nullopt, what + "; it is ignored"};
}

Node list_of_texts(const std::vector<std::string>& texts) {
  Node list;
  list.kind = Node::Kind::kList;
  for (const std::string& text : texts) list.items.push_back(Node::of_text(text));
  return list;
}

bool is_well_encoded(std::string_view text) {
  for (size_t i = text.find('%'); i < text.size(); i = text.find('%', i + 1)) {
    if (i + 2 >= text.size() || !text::parse_hex(text.substr(i + 1, 2), true)) return false;
  }
  return text::is_valid_utf8(text::percent_decode(text));
}

// key=value,key=value with percent-encoding; one mistake spoils the whole. Nothing is quoted in
// what it says: headers are read by it too.
std::expected<Node, std::string> parse_map(std::string_view text) {
  Node map;
  map.kind = Node::Kind::kMap;
  for (const std::string_view pair : text::list_members(text)) {
    const size_t equals = pair.find('=');
    const std::string_view key = text::trim(pair.substr(0, equals));
    if (equals == std::string_view::npos || key.empty()) {
      return std::unexpected("is no list of key=value");
    }
    const std::string_view value = text::trim(pair.substr(equals + 1));
    if (!is_well_encoded(key) || !is_well_encoded(value)) {
      return std::unexpected("is not well percent-encoded");
    }
    const std::string name = text::percent_decode(key);
    std::erase_if(map.members, [&](const Node::Member& member) { return member.key == name; });
    map.members.push_back({name, 0, Node::of_text(text::percent_decode(value))});
  }
  return map;
}

constexpr std::string_view kServiceName = "service.name";

}  // namespace

StandardValue as_written(std::string_view text) {
  return given(std::string(text::trim(text)));
}

StandardValue word(std::string_view text) {
  return given(text::lower(text::trim(text)));
}

StandardValue words(std::string_view text) {
  const std::vector<std::string_view> members = text::list_members(text);
  return given(list_of_texts({members.begin(), members.end()}));
}

StandardValue milliseconds(std::string_view text) {
  const std::string_view number = text::trim(text);
  if (!text::parse_unsigned(number)) return refused(quote(text) + " is no number of milliseconds");
  return given(std::string(number) + "ms");
}

StandardValue resource_name(std::string_view text) {
  const std::expected<Node, std::string> map = parse_map(text);
  if (!map) return refused(map.error());
  const Node* name = map->find(kServiceName);
  return name == nullptr || name->text.empty() ? StandardValue{} : given(*name);
}

StandardValue resource(std::string_view text) {
  std::expected<Node, std::string> map = parse_map(text);
  if (!map) return refused(map.error());
  std::erase_if(map->members,
                [](const Node::Member& member) { return member.key == kServiceName; });
  return map->members.empty() ? StandardValue{} : given(*std::move(map));
}

StandardValue headers(std::string_view text) {
  std::expected<Node, std::string> map = parse_map(text);
  if (map) return given(*std::move(map));
  return {std::nullopt, map.error() + "; it is ignored, and exports go out without its headers"};
}

StandardValue base_endpoint(std::string_view text) {
  std::string url(text::trim(text));
  if (!url.ends_with('/')) url.push_back('/');
  return given(url + "v1/traces");
}

StandardValue traces_endpoint(std::string_view text) {
  std::string url(text::trim(text));
  const size_t authority = url.find("://");
  const size_t path = authority == std::string::npos ? 0 : url.find('/', authority + 3);
  if (path != std::string::npos && path + 1 != url.size()) return given(std::move(url));
  Node whole;
  whole.kind = Node::Kind::kMap;
  whole.members.push_back({"url", 0, Node::of_text(std::move(url))});
  whole.members.push_back({"path", 0, Node::of_text("/")});
  return given(std::move(whole));
}

StandardValue exporter_off(std::string_view text) {
  std::string unknown;
  bool none = false;
  bool otlp = false;
  for (const std::string_view name : text::list_members(text)) {
    if (text::equal_ignoring_case(name, "none")) {
      none = true;
    } else if (text::equal_ignoring_case(name, "otlp")) {
      otlp = true;
    } else {
      if (!unknown.empty()) unknown += ", ";
      unknown += quote(name);
    }
  }
  const bool off = none || (!otlp && !unknown.empty());
  StandardValue value = off ? given("off") : StandardValue{};
  if (!unknown.empty()) {
    value.warning = unknown + " is not in this version, only otlp and none; " +
                    (off ? "nothing is exported" : "it is left out");
  }
  return value;
}

StandardValue exporter_default(std::string_view text) {
  const auto is_otlp = [](std::string_view name) {
    return text::equal_ignoring_case(name, "otlp");
  };
  if (!std::ranges::any_of(text::list_members(text), is_otlp)) return {};
  return given(std::string(kDefaultEndpoint));
}

StandardValue propagators(std::string_view text) {
  const trace::PropagatorRegistry registry;
  std::vector<std::string> known;
  std::string unknown;
  for (const std::string_view name : text::list_members(text)) {
    const std::string lower = text::lower(name);
    if (lower == "none") return given(list_of_texts({lower}));
    if (registry.find(lower) != nullptr) {
      known.push_back(lower);
    } else {
      unknown += (unknown.empty() ? "" : ", ") + quote(name);
    }
  }
  StandardValue value;
  if (!known.empty()) value.value = list_of_texts(known);
  if (!unknown.empty()) value.warning = unknown + " is not in this version and left out";
  return value;
}

}  // namespace sidespan::app::standard
