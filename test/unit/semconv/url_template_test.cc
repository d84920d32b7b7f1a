#include "semconv/url_template.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

using sidespan::semconv::matches_template;
using sidespan::semconv::template_of;

TEST_CASE("templates match segment by segment") {
  struct Row {
    const char* test;
    const char* pattern;
    const char* path;
    bool matches;
  };
  const std::vector<Row> rows = {
      {"no variable", "/v1/chat", "/v1/chat", true},
      {"one variable", "/v1/users/{id}", "/v1/users/42", true},
      {"variable in the middle", "/v1/users/{id}/posts", "/v1/users/42/posts", true},
      {"two variables", "/{a}/{b}", "/x/y", true},
      {"root", "/", "/", true},
      {"encoded segment", "/u/{id}", "/u/a%2Fb", true},
      {"trailing slash in both", "/u/{id}/", "/u/1/", true},
      {"unnamed variable", "/u/{}", "/u/1", true},

      {"empty segment", "/u/{id}", "/u/", false},
      {"path too short", "/u/{id}", "/u", false},
      {"path too long", "/u/{id}", "/u/1/x", false},
      {"trailing slash", "/u/{id}", "/u/1/", false},
      {"trailing slash in the template", "/u/{id}/", "/u/1", false},
      {"case counts", "/U/{id}", "/u/1", false},
      {"braces inside a segment are text", "/u/{id}.json", "/u/1.json", false},
      {"one brace is text", "/u/{", "/u/1", false},
      {"literal differs", "/v1/users/{id}", "/v2/users/1", false},
  };
  for (const Row& row : rows) {
    CAPTURE(row.test);
    CHECK(matches_template(row.pattern, row.path) == row.matches);
  }
}

TEST_CASE("the first template that matches counts") {
  const std::vector<std::string> templates = {"/v1/users/me", "/v1/users/{id}", "/v1/{any}/{id}"};
  CHECK(template_of(templates, "/v1/users/me") == "/v1/users/me");
  CHECK(template_of(templates, "/v1/users/7") == "/v1/users/{id}");
  CHECK(template_of(templates, "/v1/posts/7") == "/v1/{any}/{id}");
  CHECK(template_of(templates, "/v2/posts/7").empty());
  CHECK(template_of({}, "/").empty());
}
