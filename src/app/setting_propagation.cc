#include "app/setting_propagation.h"

#include <algorithm>
#include <array>
#include <utility>

#include "app/setting_types.h"
#include "sidespan/base/text.h"
#include "sidespan/http/field_name.h"
#include "sidespan/trace/custom.h"
#include "sidespan/trace/formats.h"

namespace sidespan::app {
namespace {

constexpr std::string_view kNone = "none";

// As `listen` names them.
constexpr std::array<Word<proxy::Door>, 2> kListeners = {
    {{"egress", proxy::Door::kEgress}, {"ingress", proxy::Door::kIngress}}};

constexpr std::array<Word<bool proxy::DestinationRule::*>, 3> kFields = {
    {{"traceparent", &proxy::DestinationRule::traceparent},
     {"tracestate", &proxy::DestinationRule::tracestate},
     {"baggage", &proxy::DestinationRule::baggage}}};

// `match` and `send` are needed, `listener`, `baggage` and `restart` may be there.
bool has_destination_keys(const Node& node, Complaints& complaints) {
  if (node.kind != Node::Kind::kMap) return has_keys(node, {"match", "send"}, complaints);
  Node needed = node;
  std::erase_if(needed.members, [](const Node::Member& member) {
    return member.key == "listener" || member.key == "baggage" || member.key == "restart";
  });
  return has_keys(needed, {"match", "send"}, complaints);
}

std::string fault_of(const proxy::DestinationRule& rule, bool names_keys) {
  if (rule.tracestate && !rule.traceparent) return "tracestate means nothing without traceparent";
  if (rule.restart && !rule.traceparent) return "restart means nothing without traceparent";
  if (names_keys && !rule.baggage) return "keys of baggage mean nothing without baggage";
  return "";
}

}  // namespace

std::optional<proxy::DestinationRule> read_destination(const Node& node, Complaints& complaints) {
  if (!has_destination_keys(node, complaints)) return std::nullopt;
  const auto read_field = [&](const Node& item, Complaints& inner) {
    return read_word(item, kFields, inner);
  };
  const auto read_listener = [&](const Node& word, Complaints& inner) {
    return read_word(word, kListeners, inner);
  };
  auto match = read_part(*node.find("match"), ".match", complaints, list_of<read_host_pattern>);
  const Node& send_node = *node.find("send");
  const auto send = read_part(
      send_node, ".send", complaints,
      [&](const Node& list, Complaints& inner) { return read_list(list, inner, read_field); });
  proxy::DestinationRule rule;
  const bool read =
      read_optional(node, "listener", complaints, read_listener, rule.listener) &&
      read_optional(node, "baggage", complaints, list_of<read_name>, rule.baggage_keys) &&
      read_optional(node, "restart", complaints, read_switch, rule.restart);
  if (!match || !send || !read) return std::nullopt;
  rule.match = *std::move(match);
  for (const auto& field : kFields) {
    rule.*field.value = std::ranges::find(*send, field.value) != send->end();
  }
  std::string fault = fault_of(rule, node.find("baggage") != nullptr);
  if (!fault.empty()) {
    complaints.push_back({send_node.line, ".send", std::move(fault)});
    return std::nullopt;
  }
  return rule;
}

std::optional<std::vector<std::string>> read_propagators(const Node& node, Complaints& complaints) {
  auto names = list_of<read_name>(node, complaints);
  if (names && names->size() > 1 && std::ranges::find(*names, kNone) != names->end()) {
    return complain(node, "none stands alone", complaints);
  }
  if (names && names->empty()) return std::vector<std::string>{std::string(kNone)};
  return names;
}

std::optional<CustomFormat> read_custom_format(const Node& node, Complaints& complaints) {
  if (!has_keys(node, {"name", "header", "value"}, complaints)) return std::nullopt;
  auto name = read_part(*node.find("name"), ".name", complaints, read_name);
  const Node& header_node = *node.find("header");
  auto header = read_part(header_node, ".header", complaints, read_name);
  auto value = read_part(*node.find("value"), ".value", complaints, read_name);
  if (!name || !header || !value) return std::nullopt;
  // A field that HTTP or another format needs, or that AWS wants to be signed.
  if (http::field_name(*header) != http::FieldName::kOther || trace::vendor_field(*header) ||
      text::lower(*header).starts_with("x-amz-")) {
    complaints.push_back(
        {header_node.line, ".header", quote(*header) + " has a meaning of its own"});
    return std::nullopt;
  }
  const trace::PropagatorRegistry registry;
  if (*name == kNone || registry.find(*name) != nullptr) {
    return complain(node, quote(*name) + " is the name of another format", complaints);
  }
  const auto made = trace::make_custom_propagator(*name, *header, *value);
  if (!made) return complain(node, made.error().what, complaints);
  return CustomFormat{*std::move(name), *std::move(header), *std::move(value)};
}

std::optional<proxy::OtherFormats::Policy> read_other_formats(const Node& node,
                                                              Complaints& complaints) {
  using Policy = proxy::OtherFormats::Policy;
  constexpr std::array<Word<Policy>, 3> kPolicies = {
      {{"remove", Policy::kRemove}, {"rewrite", Policy::kRewrite}, {"keep", Policy::kKeep}}};
  return read_word(node, kPolicies, complaints);
}

std::optional<Pairs> read_baggage(const Node& node, Complaints& complaints) {
  std::optional<Pairs> pairs = read_pairs(node, complaints);
  if (!pairs) return pairs;
  for (const auto& [key, value] : *pairs) {
    if (!text::is_token(key)) return complain(node, quote(key) + " is no baggage key", complaints);
  }
  return pairs;
}

}  // namespace sidespan::app
