#include "app/config_tree.h"

#include <doctest/doctest.h>

#include <string>

namespace sidespan::app {
namespace {

std::string repeat(std::string_view text, size_t times) {
  std::string out;
  for (size_t i = 0; i < times; ++i) out += text;
  return out;
}

TEST_CASE("YAML becomes texts, lists and maps with their lines") {
  const Tree tree = parse_yaml(
      "service:\n"
      "  name: my agent\n"
      "  port: 017\n"
      "# a comment\n"
      "list:\n"
      "  - a\n"
      "  - {b: 'c'}\n"
      "nothing:\n");
  REQUIRE(tree.complaints.empty());
  const Node* service = tree.root.find("service");
  REQUIRE(service != nullptr);
  CHECK(service->find("name")->text == "my agent");
  CHECK(service->find("name")->line == 2);
  CHECK(service->find("port")->text == "017");
  const Node* list = tree.root.find("list");
  REQUIRE(list->items.size() == 2);
  CHECK(list->items[0].text == "a");
  CHECK(list->items[1].find("b")->text == "c");
  CHECK(list->items[1].line == 7);
  CHECK(tree.root.find("nothing")->kind == Node::Kind::kNull);
  CHECK(tree.root.find("other") == nullptr);
  CHECK(tree.root.members[1].line == 5);
}

TEST_CASE("JSON is YAML, and empty files are nothing") {
  const Tree json = parse_yaml(R"({"a": {"b": ["1", 2, true]}})");
  REQUIRE(json.complaints.empty());
  CHECK(to_yaml(json.root) == "{a: {b: [1, 2, true]}}");
  for (const char* empty : {"", "\n", "# only words\n", "---\n", "~"}) {
    CAPTURE(empty);
    const Tree tree = parse_yaml(empty);
    CHECK(tree.complaints.empty());
    CHECK(tree.root.kind == Node::Kind::kNull);
  }
}

TEST_CASE("what is refused, and in which line") {
  struct Row {
    const char* name;
    std::string text;
    int line;
    const char* what;  // a part of it
  };
  const Row rows[] = {
      {"a bracket left open", "a: [1, 2\nb: 3", 2, "is not YAML"},
      {"a tab as indentation", "a:\n\tb: 1", 2, "is not YAML"},
      {"an alias", "a: &x 1\nb: *x", 1, "anchors"},
      {"an alias to nothing", "a: *x", 1, "is not YAML"},
      {"a bomb", "a: &a [x]\nb: &b [*a, *a, *a]\nc: [*b, *b, *b]", 1, "anchors"},
      {"a tag", "a: 1\nb: !!int 2", 2, "tags"},
      {"a tag of one's own", "a: !secret x", 1, "tags"},
      {"a list as key", "a: 1\n? [b]\n: c", 2, "single word"},
      {"a map as key", "{a: b}: c", 1, "single word"},
      {"nothing as key", "~: c", 1, "single word"},
      {"two documents", "a: 1\n---\nb: 2\n", 0, "more than one document"},
      {"nested too deeply", repeat("[", 17) + repeat("]", 17), 1, "too deeply"},
      {"nested beyond reason", repeat("[", 5000), 1, ""},
      {"nested maps beyond reason", repeat("{a: ", 5000), 1, ""},
      {"too many values", "[" + repeat("a,", 20'001) + "]", 1, "too many"},
      {"too long", std::string(kConfigBytesMax + 1, '#'), 0, "1MiB"},
      {"not a text", std::string("a: \0", 4), 0, "NUL"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    const Tree tree = parse_yaml(row.text);
    REQUIRE(tree.complaints.size() == 1);
    CHECK(tree.complaints[0].line == row.line);
    CHECK(tree.complaints[0].what.find(row.what) != std::string::npos);
    CHECK(tree.root.kind == Node::Kind::kNull);
  }
}

TEST_CASE("sixteen levels are enough, and allowed") {
  CHECK(parse_yaml(repeat("[", 16) + repeat("]", 16)).complaints.empty());
}

TEST_CASE("every key written twice is told, and the tree is there") {
  const Tree tree = parse_yaml("a: {b: 1, c: 2, b: 3}\nd: 4\nd: 5\n");
  REQUIRE(tree.complaints.size() == 2);
  CHECK(tree.complaints[0].at == "a.b");
  CHECK(tree.complaints[0].what == "is written twice; the first is in line 1");
  CHECK(tree.complaints[1].line == 3);
  CHECK(tree.complaints[1].at == "d");
  CHECK(tree.root.find("a")->members.size() == 3);
}

TEST_CASE("what is written reads back as the same") {
  const std::string texts[] = {"",
                               "plain",
                               "null",
                               "Null",
                               "~",
                               "a b",
                               "@local",
                               "*",
                               "*.svc",
                               "[::1]:80",
                               ":80",
                               "a: b",
                               "a #b",
                               "#",
                               "a:",
                               "-",
                               "- a",
                               "!x",
                               "&x",
                               "'",
                               "\"",
                               "a,b",
                               "{",
                               "}",
                               "%",
                               "\\",
                               "a\nb",
                               "\t",
                               "true",
                               "1.0",
                               "0x1f",
                               "?",
                               "? a",
                               "|",
                               ">",
                               "${X}",
                               "gr\xc3\xbc\xc3\x9f",
                               "localhost:17001",
                               "\x7f",
                               "..."};
  for (const std::string& text : texts) {
    CAPTURE(text);
    Node list;
    list.kind = Node::Kind::kList;
    list.items.push_back(Node::of_text(text));
    Node map;
    map.kind = Node::Kind::kMap;
    map.members.push_back({"key", 0, list});
    map.members.push_back({text, 0, Node::of_text(text)});
    const Tree tree = parse_yaml(to_yaml(map));
    REQUIRE(tree.complaints.empty());
    CHECK(tree.root.find("key")->items.at(0).text == text);
    CHECK(tree.root.find("key")->items.at(0).kind == Node::Kind::kText);
    REQUIRE(tree.root.members.size() == 2);
    CHECK(tree.root.members[1].key == text);
    CHECK(tree.root.members[1].value.text == text);
  }
}

}  // namespace
}  // namespace sidespan::app
