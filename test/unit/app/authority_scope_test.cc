#include "app/authority_scope.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

namespace sidespan::app {
namespace {

using Mode = proxy::Interception::Mode;

tls::Scope scope_of(std::vector<std::string> hosts, Mode mode = Mode::kListed,
                    const std::string& certificate = "") {
  TlsSettings settings;
  settings.interception.mode = mode;
  settings.intercept_hosts = std::move(hosts);
  settings.authority_certificate = certificate;
  return authority_scope(settings);
}

TEST_CASE("for whom the authority may sign") {
  struct Row {
    const char* name;
    std::vector<std::string> hosts;
    std::string text;
  };
  const Row rows[] = {
      {"a name", {"api.example.com"}, "api.example.com"},
      {"what is below one", {"*.example.com"}, "example.com"},
      {"case, order and repetition do not count", {"b.test", "A.test", "b.test."}, "a.test b.test"},
      {"a network", {"10.0.0.0/8"}, "10.0.0.0/8"},
      {"an address", {"::1"}, "::1"},
      {"a name may lead into a network", {"10.0.0.0/8", "a.test"}, "10.0.0.0/8"},
      {"everything", {"a.test", "*"}, "any host"},
      {"a word", {"@local"}, "any host"},
      {"another word", {"a.test", "metadata"}, "any host"},
      {"a star within", {"api-*.example.com"}, "any host"},
      {"a star further down", {"*.a.*.com"}, "any host"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    const tls::Scope scope = scope_of(row.hosts);
    CHECK(text_of(scope) == row.text);
    CHECK(scope.limited() == (row.text != "any host"));
    CHECK(directory_of(scope).empty() != scope.limited());
    CHECK(tls::Authority::make({.permitted = scope}, WallTime{}).has_value());
  }
  CHECK_FALSE(scope_of({"a.test"}, Mode::kAll).limited());
  CHECK_FALSE(scope_of({"a.test"}, Mode::kListed, "own.pem").limited());
}

TEST_CASE("each list has a directory of its own, the same in every build") {
  const std::string directory = directory_of(scope_of({"a.test", "b.test"}));
  CHECK(directory == directory_of(scope_of({"B.test", "a.test"})));
  CHECK(directory != directory_of(scope_of({"a.test"})));
  CHECK(directory_of(scope_of({"a.test"})) == "listed-cbd015231ca2c74e");
}

}  // namespace
}  // namespace sidespan::app
