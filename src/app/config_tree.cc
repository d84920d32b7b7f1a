#include "app/config_tree.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <cstdlib>
#include <exception>
#include <new>
#include <sstream>
#include <utility>

#include "sidespan/base/text.h"
#include "sidespan/json/writer.h"

namespace sidespan::app {
namespace {

int line_of(const YAML::Mark& mark) {
  return mark.line + 1;
}

// Builds the tree from yaml-cpp's events. These never expand an alias, unlike its own nodes. After
// the first complaint that leaves the tree without a meaning, events are let pass.
class TreeBuilder final : public YAML::EventHandler {
 public:
  Tree take() { return std::move(tree_); }
  bool stopped() const { return stopped_; }

  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    if (admit(mark, "", anchor)) add(leaf(Node::Kind::kNull, mark, ""));
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
    stop(line_of(mark), "aliases (*name) are not supported");
  }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    if (admit(mark, tag, anchor)) add(leaf(Node::Kind::kText, mark, value));
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    open(Node::Kind::kList, mark, tag, anchor);
  }
  void OnSequenceEnd() override { close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    open(Node::Kind::kMap, mark, tag, anchor);
  }
  void OnMapEnd() override { close(); }

 private:
  struct Level {
    Node node;
    bool has_key = false;
    std::string key;  // of the member that comes next
    int key_line = 0;
  };

  static Node leaf(Node::Kind kind, const YAML::Mark& mark, const std::string& value) {
    Node node;
    node.kind = kind;
    node.line = line_of(mark);
    node.text = value;
    return node;
  }

  void stop(int line, std::string what) {
    if (stopped_) return;
    stopped_ = true;
    tree_.complaints.push_back({line, "", std::move(what)});
  }

  bool admit(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor) {
    if (stopped_) return false;
    // "?" and "!" are yaml-cpp's own words for a plain and a quoted text.
    if (!tag.empty() && tag != "?" && tag != "!")
      stop(line_of(mark), "tags (!name) are not supported");
    if (anchor != 0) stop(line_of(mark), "anchors (&name) are not supported");
    if (++nodes_ > kConfigNodesMax) stop(line_of(mark), "there are too many values");
    return !stopped_;
  }

  void open(Node::Kind kind, const YAML::Mark& mark, const std::string& tag,
            YAML::anchor_t anchor) {
    if (!admit(mark, tag, anchor)) return;
    if (levels_.size() == kConfigDepthMax) return stop(line_of(mark), "it is nested too deeply");
    if (expects_key()) return stop(line_of(mark), "a key must be a single word");
    Level level;
    level.node = leaf(kind, mark, "");
    levels_.push_back(std::move(level));
  }

  void close() {
    if (stopped_) return;
    Node node = std::move(levels_.back().node);
    levels_.pop_back();
    add(std::move(node));
  }

  bool expects_key() const {
    return !levels_.empty() && levels_.back().node.kind == Node::Kind::kMap &&
           !levels_.back().has_key;
  }

  void add(Node node) {
    if (levels_.empty()) {
      tree_.root = std::move(node);
      return;
    }
    Level& level = levels_.back();
    if (level.node.kind == Node::Kind::kList) {
      level.node.items.push_back(std::move(node));
    } else if (level.has_key) {
      level.has_key = false;
      level.node.members.push_back({std::move(level.key), level.key_line, std::move(node)});
    } else if (node.kind != Node::Kind::kText) {
      stop(node.line, "a key must be a single word");
    } else {
      take_key(level, std::move(node));
    }
  }

  void take_key(Level& level, Node node) {
    if (const Node* first = level.node.find(node.text)) {
      tree_.complaints.push_back(
          {node.line, path_to(node.text),
           "is written twice; the first is in line " + std::to_string(first->line)});
    }
    level.has_key = true;
    level.key = std::move(node.text);
    level.key_line = node.line;
  }

  // Deeper than settings are it may be a user's secret that stands as a name.
  std::string path_to(std::string_view key) const {
    constexpr size_t kSettingsDepth = 3;
    std::string path;
    for (size_t i = 0; i + 1 < levels_.size(); ++i) {
      if (levels_[i].node.kind == Node::Kind::kMap) path += levels_[i].key + ".";
    }
    return path.append(levels_.size() <= kSettingsDepth ? key : "*");
  }

  Tree tree_;
  std::vector<Level> levels_;
  size_t nodes_ = 0;
  bool stopped_ = false;
};

// Plain where nobody could take it for something else; otherwise as a JSON string, which is YAML.
bool is_plain(std::string_view text) {
  constexpr std::string_view kInside = "_./:+-@*()%~";
  if (text.empty() || !(text::is_alpha(text.front()) || text::is_digit(text.front()) ||
                        text.front() == '/' || text.front() == '_')) {
    return false;
  }
  if (text.back() == ':' || text::equal_ignoring_case(text, "null")) return false;
  return std::ranges::all_of(text, [&](char c) {
    return text::is_alpha(c) || text::is_digit(c) || kInside.find(c) != std::string_view::npos;
  });
}

void append_yaml(std::string& out, const Node& node) {
  switch (node.kind) {
    case Node::Kind::kNull:
      out += "null";
      return;
    case Node::Kind::kText:
      out += is_plain(node.text) ? node.text : json::quoted(node.text);
      return;
    case Node::Kind::kList:
      out += "[";
      for (const Node& item : node.items) {
        if (&item != &node.items.front()) out += ", ";
        append_yaml(out, item);
      }
      out += "]";
      return;
    case Node::Kind::kMap:
      out += "{";
      for (const Node::Member& member : node.members) {
        if (&member != &node.members.front()) out += ", ";
        out += (is_plain(member.key) ? member.key : json::quoted(member.key)) + ": ";
        append_yaml(out, member.value);
      }
      out += "}";
      return;
  }
}

Tree broken(int line, std::string what) {
  Tree tree;
  tree.complaints.push_back({line, "", std::move(what)});
  return tree;
}

}  // namespace

Node Node::of_text(std::string text) {
  Node node;
  node.kind = Kind::kText;
  node.text = std::move(text);
  return node;
}

const Node* Node::find(std::string_view key) const {
  const auto member = std::ranges::find(members, key, &Member::key);
  return member == members.end() ? nullptr : &member->value;
}

Tree parse_yaml(std::string_view text) {
  if (text.size() > kConfigBytesMax) return broken(0, "it is longer than 1MiB");
  if (text.find('\0') != std::string_view::npos) return broken(0, "it is not a text: it has a NUL");
  TreeBuilder builder;
  try {
    std::istringstream in{std::string(text)};
    YAML::Parser parser(in);
    parser.HandleNextDocument(builder);
    TreeBuilder second;
    if (!builder.stopped() && parser.HandleNextDocument(second)) {
      return broken(0, "it holds more than one document");
    }
  } catch (const YAML::Exception& error) {
    if (!builder.stopped()) return broken(line_of(error.mark), "is not YAML: " + error.msg);
  } catch (const std::bad_alloc&) {
    std::abort();  // nobody can go on from here
  } catch (const std::exception& error) {
    return broken(0, std::string("is not YAML: ") + error.what());
  }
  return builder.take();
}

std::string to_yaml(const Node& node) {
  std::string out;
  append_yaml(out, node);
  return out;
}

}  // namespace sidespan::app
