#include "app/config_print.h"

#include <algorithm>
#include <optional>
#include <string_view>
#include <vector>

#include "app/setting_table.h"
#include "sidespan/base/text.h"

namespace sidespan::app {
namespace {

constexpr size_t kColumns = 100;
constexpr size_t kCommentColumn = 48;

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  for (std::optional<std::string_view> rest = text; rest;) {
    parts.push_back(text::split_first(rest, separator));
  }
  return parts;
}

// Turns keys in order into nested YAML: says which sections begin before a key.
class Nesting {
 public:
  struct Line {
    size_t depth;
    std::string_view name;
  };

  // The section lines to write before `key`'s own, which is the last.
  std::vector<Line> enter(std::string_view key) {
    const std::vector<std::string_view> parts = split(key, '.');
    size_t same = 0;
    while (same + 1 < parts.size() && same < open_.size() && open_[same] == parts[same]) ++same;
    std::vector<Line> lines;
    for (size_t depth = same; depth < parts.size(); ++depth) lines.push_back({depth, parts[depth]});
    open_.assign(parts.begin(), parts.end() - 1);
    return lines;
  }

 private:
  std::vector<std::string_view> open_;
};

std::string indent(size_t depth) {
  return std::string(2 * depth, ' ');
}

// Words broken into lines that begin with `prefix`.
void append_wrapped(std::string& out, const std::string& prefix, std::string_view words) {
  std::string line = prefix;
  for (const std::string_view word : split(words, ' ')) {
    if (line.size() > prefix.size() && line.size() + 1 + word.size() > kColumns) {
      out += line + "\n";
      line = prefix;
    }
    line.append(" ").append(word);
  }
  out += line + "\n";
}

// So that reading it again substitutes nothing.
Node with_dollars_doubled(Node node) {
  std::string doubled;
  for (const char c : node.text) doubled.append(c == '$' ? 2 : 1, c);
  node.text = std::move(doubled);
  for (Node& item : node.items) item = with_dollars_doubled(std::move(item));
  for (Node::Member& member : node.members) {
    member.value = with_dollars_doubled(std::move(member.value));
  }
  return node;
}

Node redacted(Node node) {
  const bool says_something = !node.text.empty() && node.text != "off";
  if (node.kind == Node::Kind::kText && says_something) return Node::of_text("REDACTED");
  for (Node::Member& member : node.members) member.value = Node::of_text("REDACTED");
  return node;
}

std::string provenance(const EffectiveValue& value) {
  std::string out;
  for (const Candidate& winner : value.winners) {
    out += (out.empty() ? "" : " + ") + winner.place();
  }
  for (const std::string& loser : value.losers) {
    out += (&loser == &value.losers.front() ? ", not " : ", ") + loser;
  }
  return out;
}

// The variables beside SIDESPAN_'s own, whose names follow from the key.
std::string standard_names(const Setting& setting) {
  std::vector<std::string_view> seen;
  std::string out;
  for (const StandardVariable& standard : setting.standard) {
    if (standard.name.empty() || std::ranges::find(seen, standard.name) != seen.end()) continue;
    seen.push_back(standard.name);
    out.append(out.empty() ? "" : ", ").append(standard.name);
  }
  return out;
}

constexpr std::string_view kReferenceHead =
    R"(## Every setting of sidespan, with its default. Found by --config, by SIDESPAN_CONFIG, or as
## /etc/sidespan/sidespan.yaml. Each is a variable too: log.level is SIDESPAN_LOG_LEVEL, with lists
## like "a, b", maps like "a=b, c=d", and YAML for what is more. Variables of OpenTelemetry stand
## beside what they set. What counts is, in this order: a flag, a SIDESPAN_ variable, a key set
## here, OpenTelemetry's variable, the default. ${NAME} and ${NAME:-default} take values from
## variables, $$ is a dollar. Durations are written like 500ms, 2s, 1m, sizes like 64KiB, 1MiB.
## `sidespan check` tells every fault, and with --print what is in effect and why.
##
## This file is written by `sidespan check --reference`.
)";

}  // namespace

std::string print_effective(const Configuration& configuration) {
  std::string out;
  if (!configuration.settings.tracing) {
    out += "# OTEL_SDK_DISABLED is true: no span is made, whatever follows.\n";
  }
  Nesting nesting;
  for (const EffectiveValue& value : configuration.values) {
    const std::vector<Nesting::Line> lines = nesting.enter(value.setting->key);
    for (const Nesting::Line& line : lines) {
      std::string text = indent(line.depth).append(line.name) + ":";
      if (&line == &lines.back()) {
        const Node shown = value.setting->secret ? redacted(value.value) : value.value;
        text += " " + to_yaml(with_dollars_doubled(shown));
        text.resize(std::max(text.size() + 2, kCommentColumn), ' ');
        text += "# " + provenance(value);
      }
      out += text + "\n";
    }
  }
  return out;
}

std::string print_reference() {
  std::string out(kReferenceHead);
  Nesting nesting;
  for (const Setting& setting : setting_table()) {
    const std::vector<Nesting::Line> lines = nesting.enter(setting.key);
    if (lines.front().depth == 0) out += "\n";
    for (const Nesting::Line& line : lines) {
      const bool is_section = &line != &lines.back();
      if (!is_section) {
        append_wrapped(out, "##" + indent(line.depth), setting.sentence);
        const std::string names = standard_names(setting);
        if (!names.empty()) append_wrapped(out, "##" + indent(line.depth), names);
      }
      out += "#" + indent(line.depth).append(line.name) + ":";
      out += is_section ? "\n" : " " + std::string(setting.value) + "\n";
    }
  }
  return out;
}

}  // namespace sidespan::app
