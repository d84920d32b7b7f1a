#include "app/config_variables.h"

#include <algorithm>
#include <utility>

#include "sidespan/base/text.h"

namespace sidespan::app {
namespace {

bool is_variable_name(std::string_view name) {
  return !name.empty() && !text::is_digit(name.front()) && std::ranges::all_of(name, [](char c) {
    return text::is_alpha(c) || text::is_digit(c) || c == '_';
  });
}

// What stands between the braces.
std::expected<std::string, std::string> expand(std::string_view inside,
                                               const Environment& environment) {
  if (inside.starts_with("env:")) inside.remove_prefix(4);
  const size_t bar = inside.find(":-");
  const std::string_view name = inside.substr(0, bar);
  if (!is_variable_name(name)) {
    // Not quoted: it may have come to be one within a secret.
    return std::unexpected("has a ${...} that names no variable");
  }
  const auto variable = environment.find(name);
  const bool has_default = bar != std::string_view::npos;
  if (variable != environment.end() && !(has_default && variable->second.empty())) {
    return variable->second;
  }
  if (has_default) return std::string(inside.substr(bar + 2));
  return std::unexpected("the variable " + std::string(name) + " is not set; ${" +
                         std::string(name) + ":-} would allow that");
}

struct Substitution {
  const Environment& environment;
  size_t& bytes_left;
  std::vector<Complaint>& complaints;

  void visit(Node& node, const std::string& path) {
    if (node.kind == Node::Kind::kText) visit_text(node, path);
    for (size_t i = 0; i < node.items.size(); ++i) {
      visit(node.items[i], path + "[" + std::to_string(i) + "]");
    }
    for (Node::Member& member : node.members) visit(member.value, path + "." + member.key);
  }

  void visit_text(Node& node, const std::string& path) {
    if (node.text.find('$') == std::string::npos) return;
    std::expected<std::string, std::string> text = substitute(node.text, environment);
    if (!text) {
      complaints.push_back({node.line, path, text.error()});
    } else if (text->size() > bytes_left) {
      complaints.push_back({node.line, path, "variables make the configuration longer than 1MiB"});
    } else {
      bytes_left -= text->size();
      node.text = *std::move(text);
    }
  }
};

}  // namespace

std::expected<std::string, std::string> substitute(std::string_view text,
                                                   const Environment& environment) {
  std::string out;
  while (!text.empty()) {
    const size_t dollar = std::min(text.find('$'), text.size());
    out.append(text.substr(0, dollar));
    text.remove_prefix(dollar);
    if (text.starts_with("${")) {
      const size_t end = text.find('}');
      if (end == std::string_view::npos) return std::unexpected("'${' has no '}'");
      const auto value = expand(text.substr(2, end - 2), environment);
      if (!value) return value;
      out += *value;
      if (out.size() > kConfigBytesMax)
        return std::unexpected("its variables are longer than 1MiB");
      text.remove_prefix(end + 1);
    } else if (!text.empty()) {
      out.push_back('$');
      text.remove_prefix(text.starts_with("$$") ? 2 : 1);
    }
  }
  return out;
}

void substitute_all(Node& node, const Environment& environment, size_t& bytes_left,
                    std::vector<Complaint>& complaints) {
  Substitution{environment, bytes_left, complaints}.visit(node, "");
}

}  // namespace sidespan::app
