#include "sidespan/wire/second_proxy.h"

#include <doctest/doctest.h>

namespace sidespan::wire {
namespace {

TEST_CASE("which origins are reached through the second proxy") {
  struct Row {
    const char* name;
    std::vector<std::string> except;
    const char* origin;
    bool leads;
    uint16_t port = 443;
  };
  const Row rows[] = {
      {"any", {}, "example.com", true},
      {"this machine by address", {}, "127.0.0.1", false},
      {"and in the other family", {}, "::1", false},
      {"and by name", {}, "localhost", false},
      {"and below it", {}, "api.localhost", false},
      {"the name itself", {"example.com"}, "example.com", false},
      {"a name below", {"example.com"}, "api.example.com", false},
      {"only at a dot", {"example.com"}, "notexample.com", true},
      {"a dot in front", {".example.com"}, "api.example.com", false},
      {"a star in front", {"*.example.com"}, "api.example.com", false},
      {"in any case", {"Example.COM"}, "API.example.com", false},
      {"the root's dot", {"example.com"}, "example.com.", false},
      {"a port", {"example.com:8080"}, "example.com", false, 8080},
      {"another port", {"example.com:8080"}, "example.com", true},
      {"a port that is none", {"example.com:x"}, "example.com", true},
      {"the second of two", {"a", "b"}, "b", false},
      {"an address", {"10.1.2.3"}, "10.1.2.3", false},
      {"and a port", {"10.1.2.3:8080"}, "10.1.2.3", false, 8080},
      {"of another one", {"10.1.2.3:8080"}, "10.1.2.3", true},
      {"in brackets", {"[2001:db8::1]"}, "2001:db8::1", false},
      {"and the port", {"[2001:db8::1]:443"}, "2001:db8::1", false},
      {"and another port", {"[2001:db8::1]:80"}, "2001:db8::1", true},
      {"a network in brackets", {"[2001:db8::]/32"}, "2001:db8::", true},
      {"without brackets", {"2001:db8::1"}, "2001:db8::1", false},
      {"a bracket alone", {"["}, "2001:db8::1", true},
      {"a network", {"10.0.0.0/8"}, "10.1.2.3", false},
      {"another network", {"10.0.0.0/8"}, "11.1.2.3", true},
      {"a name is in no network", {"10.0.0.0/8"}, "example.com", true},
      {"an address has no end", {"2.3"}, "10.1.2.3", true},
      {"everything", {"*"}, "example.com", false},
      {"nothing", {""}, "example.com", true},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    CHECK(SecondProxy{"corp", 3128, "", row.except}.leads_to(row.origin, row.port) == row.leads);
  }
  CHECK_FALSE(SecondProxy{}.leads_to("example.com", 443));
}

}  // namespace
}  // namespace sidespan::wire
