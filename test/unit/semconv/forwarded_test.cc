#include "semconv/forwarded.h"

#include <doctest/doctest.h>

#include <string>
#include <utility>
#include <vector>

namespace sidespan::semconv {
namespace {

using Fields = std::vector<std::pair<std::string_view, std::string_view>>;

TEST_CASE("what proxies before us say, the first of them first") {
  struct Row {
    const char* test;
    Fields fields;
    std::string_view client;
    std::string_view host;
    std::string_view scheme;
  };
  const std::vector<Row> rows = {
      {"nothing", {}, "", "", ""},
      {"X-Forwarded-For", {{"X-Forwarded-For", "192.0.2.1"}}, "192.0.2.1", "", ""},
      {"the client first", {{"X-Forwarded-For", " 192.0.2.1 , 198.51.100.2"}}, "192.0.2.1", "", ""},
      {"with a port", {{"X-Forwarded-For", "192.0.2.1:4711"}}, "192.0.2.1", "", ""},
      {"IPv6", {{"X-Forwarded-For", "2001:db8::1"}}, "2001:db8::1", "", ""},
      {"IPv6 with a port", {{"X-Forwarded-For", "[2001:db8::1]:80"}}, "2001:db8::1", "", ""},
      {"a bracket that stays open", {{"X-Forwarded-For", "[2001:db8::1"}}, "", "", ""},
      {"unknown", {{"X-Forwarded-For", "unknown, 192.0.2.1"}}, "", "", ""},
      {"no address at all", {{"X-Forwarded-For", "<script>"}}, "", "", ""},
      {"host and scheme",
       {{"X-Forwarded-Host", "chat.example:8443"}, {"X-Forwarded-Proto", "https"}},
       "",
       "chat.example:8443",
       "https"},
      {"Forwarded",
       {{"Forwarded", "for=192.0.2.60; proto=https ;by=203.0.113.43;Host=chat.example"}},
       "192.0.2.60",
       "chat.example",
       "https"},
      {"quoted, and its first element",
       {{"Forwarded", "FOR=\"[2001:db8:cafe::17]:4711\", for=198.51.100.1"}},
       "2001:db8:cafe::17",
       "",
       ""},
      {"an obfuscated name", {{"Forwarded", "for=_gazonk"}}, "_gazonk", "", ""},
      {"an escape", {{"Forwarded", "for=\"a\\\"b\""}}, "", "", ""},
      {"pairs that are none", {{"Forwarded", ";;for;=x;for=;proto"}}, "", "", ""},
      {"Forwarded counts first, the others fill in",
       {{"X-Forwarded-For", "192.0.2.1"},
        {"Forwarded", "for=192.0.2.2"},
        {"X-Forwarded-Proto", "https"}},
       "192.0.2.2",
       "",
       "https"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.test);
    http::Headers headers;
    for (const auto& [name, value] : row.fields) headers.add(name, value);
    const Forwarded found = read_forwarded(headers);
    CHECK(found.client == row.client);
    CHECK(found.host == row.host);
    CHECK(found.scheme == row.scheme);
  }
}

TEST_CASE("a text longer than a name can be is none") {
  http::Headers headers;
  headers.add("X-Forwarded-For", std::string(256, 'a'));
  CHECK(read_forwarded(headers).client.empty());
}

}  // namespace
}  // namespace sidespan::semconv
