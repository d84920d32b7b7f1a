// A configuration as it was written: texts, lists and maps with their lines, before any of it means
// something. YAML 1.2 comes in and goes out here, and yaml-cpp is known to config_tree.cc alone.
// Bounded: size, nodes and nesting have limits; anchors, aliases and tags are refused, so a short
// file cannot become a long one. Pure.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace sidespan::app {

inline constexpr size_t kConfigBytesMax =
    size_t{1024} * 1024;  // of a file, and of what its variables put in
inline constexpr size_t kConfigNodesMax = 20'000;
inline constexpr size_t kConfigDepthMax = 16;

struct Node {
  enum class Kind : unsigned char { kNull, kText, kList, kMap };
  struct Member;

  Kind kind = Kind::kNull;
  int line = 0;  // from 1; 0: not from a file
  std::string text;
  std::vector<Node> items;
  std::vector<Member> members;  // in the order written, keys unique

  static Node of_text(std::string text);
  // nullptr when this is no map or has no such key.
  const Node* find(std::string_view key) const;
};

struct Node::Member {
  std::string key;
  int line = 0;
  Node value;
};

// Something that is wrong with what was written.
struct Complaint {
  int line = 0;      // 0: no line to point at
  std::string at;    // where below the setting or the file: "[1].to", "listen.egress"; may be empty
  std::string what;  // one plain clause
};

struct Tree {
  Node root;
  std::vector<Complaint> complaints;
};

// One document; an empty one is a null. Syntax errors and broken bounds end it: one complaint, and
// the root is a null. Keys written twice are all told, and all in the tree.
Tree parse_yaml(std::string_view text);

// On one line, as YAML that parse_yaml reads back as the same.
std::string to_yaml(const Node& node);

}  // namespace sidespan::app
