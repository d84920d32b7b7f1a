#include "sidespan/proxy/sampling_rule.h"

#include <doctest/doctest.h>

namespace sidespan::proxy {
namespace {

SamplingMatch match_of(std::vector<const char*> hosts, std::vector<std::string> paths,
                       std::vector<std::string> methods) {
  SamplingMatch match{.hosts = {}, .paths = std::move(paths), .methods = std::move(methods)};
  for (const char* host : hosts) match.hosts.push_back(*HostPattern::parse(host));
  return match;
}

http::Url url(std::string_view text) {
  return *http::parse_url(text);
}

TEST_CASE("a sampling rule's match") {
  struct Row {
    const char* name;
    SamplingMatch match;
    const char* url;
    const char* method;
    bool matches;
  };
  const Row rows[] = {
      {"nothing asked", {}, "http://a.example/", "GET", true},
      {"a host", match_of({"a.example"}, {}, {}), "http://A.example:81/x", "GET", true},
      {"another", match_of({"a.example"}, {}, {}), "http://b.example/", "GET", false},
      {"a wildcard", match_of({"*.example"}, {}, {}), "http://b.example/", "GET", true},
      {"one of two", match_of({"x", "@local"}, {}, {}), "http://tools/", "GET", true},
      {"a network", match_of({"10.0.0.0/8"}, {}, {}), "http://10.1.2.3/", "GET", true},
      {"a name is in no network", match_of({"10.0.0.0/8"}, {}, {}), "http://ten/", "GET", false},
      {"a path", match_of({}, {"/v1/*"}, {}), "http://a/v1/models", "GET", true},
      {"without its query", match_of({}, {"/v1"}, {}), "http://a/v1?x=/v2", "GET", true},
      {"not in the query", match_of({}, {"*/v2"}, {}), "http://a/v1?x=/v2", "GET", false},
      {"a method", match_of({}, {}, {"GET", "HEAD"}), "http://a/", "HEAD", true},
      {"its case counts", match_of({}, {}, {"GET"}), "http://a/", "get", false},
      {"all three", match_of({"a"}, {"/x"}, {"GET"}), "http://a/x", "GET", true},
      {"not the method", match_of({"a"}, {"/x"}, {"GET"}), "http://a/x", "POST", false},
      {"not the path", match_of({"a"}, {"/x"}, {"GET"}), "http://a/y", "GET", false},
  };
  for (const Row& row : rows) {
    INFO(row.name);
    CHECK(row.match.matches(url(row.url), row.method) == row.matches);
  }
}

TEST_CASE("a tunnel has a host and no path") {
  http::Url target;
  target.authority = {"a.example", 443};
  CHECK(match_of({"a.example"}, {}, {"CONNECT"}).matches(target, "CONNECT"));
  CHECK_FALSE(match_of({"a.example"}, {"/x"}, {}).matches(target, "CONNECT"));
}

TEST_CASE("the first rule that matches has the sampler") {
  const auto made = [](const char* name) {
    return std::shared_ptr<const trace::Sampler>(*trace::make_sampler(name));
  };
  const std::vector<SamplingRule> rules = {
      {match_of({}, {"/health*"}, {}), made("always_off")},
      {match_of({"a"}, {}, {}), made("always_on")},
  };
  const auto otherwise = made("parentbased_always_on");
  CHECK(&sampler_for(rules, url("http://a/healthz"), "GET", *otherwise) == rules[0].sampler.get());
  CHECK(&sampler_for(rules, url("http://a/"), "GET", *otherwise) == rules[1].sampler.get());
  CHECK(&sampler_for(rules, url("http://b/"), "GET", *otherwise) == otherwise.get());
  CHECK(&sampler_for({}, url("http://a/"), "GET", *otherwise) == otherwise.get());
}

}  // namespace
}  // namespace sidespan::proxy
