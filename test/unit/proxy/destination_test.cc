#include "sidespan/proxy/destination.h"

#include <doctest/doctest.h>

#include <array>

#include "sidespan/proxy/server.h"

namespace sidespan::proxy {
namespace {

net::Address address(std::string_view ip, uint16_t port = 80) {
  return *net::Address::parse(ip, port);
}

std::vector<HostPattern> patterns(std::initializer_list<std::string_view> texts) {
  std::vector<HostPattern> out;
  for (const std::string_view text : texts) out.push_back(*HostPattern::parse(text));
  return out;
}

TEST_CASE("a pattern matches names") {
  struct Row {
    std::string_view name;
    std::string_view pattern;
    std::string_view host;
    bool matches;
  };
  constexpr auto kRows = std::to_array<Row>({
      {"the name itself", "api.example.com", "api.example.com", true},
      {"case is ignored", "API.example.com", "api.example.com", true},
      {"another name", "api.example.com", "example.com", false},
      {"no suffix match without a star", "example.com", "api.example.com", false},
      {"a star", "*.example.com", "a.b.example.com", true},
      {"a star needs its dot", "*.example.com", "example.com", false},
      {"the root's dot in the host", "api.example.com", "api.example.com.", true},
      {"the root's dot in the pattern", "api.example.com.", "api.example.com", true},
      {"everything", "*", "anything", true},
      {"everything, addresses too", "*", "::1", true},
      {"an address", "10.1.2.3", "10.1.2.3", true},
      {"a network", "10.0.0.0/8", "10.200.0.1", true},
      {"outside the network", "10.0.0.0/8", "11.0.0.1", false},
      {"a mapped address in a network", "10.0.0.0/8", "::ffff:10.0.0.1", true},
      {"a network and a name", "10.0.0.0/8", "10.example", false},
      {"local: no dot", "@local", "redis", true},
      {"local: localhost", "@local", "localhost", true},
      {"local: a service", "@local", "api.default.svc", true},
      {"local: a service with its domain", "@local", "api.default.svc.cluster.local", true},
      {"local: mDNS", "@local", "printer.local", true},
      {"local: internal", "@local", "db.internal", true},
      {"local: with the root's dot", "@local", "db.internal.", true},
      {"local: an outside name", "@local", "example.com", false},
      {"local: only looks like it", "@local", "local.example.com", false},
      {"local: a loopback literal", "@local", "127.0.0.1", true},
      {"local: a private literal", "@local", "192.168.1.1", true},
      {"local: a public literal", "@local", "192.0.2.1", false},
      {"local: a public address as one number", "@local", "134744072", false},
      {"local: a public address in hex", "@local", "0x08080808", false},
      {"local: a public address in octal", "@local", "010.8.8.8", false},
      {"link-local", "link-local", "169.254.1.2", true},
      {"link-local, IPv6", "link-local", "fe80::1", true},
      {"link-local is about addresses", "link-local", "localhost", false},
      {"metadata", "metadata", "169.254.169.254", true},
      {"metadata, mapped", "metadata", "::ffff:169.254.169.254", true},
      {"metadata by name", "metadata", "Metadata.Google.Internal.", true},
      {"metadata, IPv6", "metadata", "fd00:ec2::254", true},
      {"no metadata", "metadata", "169.254.169.253", false},
      {"metadata behind NAT64", "metadata", "64:ff9b::169.254.169.254", true},
      {"metadata, v4-compatible", "metadata", "::169.254.169.254", true},
      {"no metadata behind NAT64", "metadata", "64:ff9b::169.254.169.253", false},
      {"link-local behind NAT64", "link-local", "64:ff9b::169.254.1.2", true},
      {"link-local, v4-compatible", "link-local", "::a9fe:102", true},
      {"a network behind NAT64", "10.0.0.0/8", "64:ff9b::10.0.0.1", true},
      {"local is never translated", "@local", "64:ff9b::10.0.0.1", false},
      {"IPv6 loopback is not v4-compatible", "0.0.0.0/8", "::1", false},
  });
  for (const Row& row : kRows) {
    CAPTURE(row.name);
    CHECK(HostPattern::parse(row.pattern)->matches_name(Host(row.host)) == row.matches);
  }
}

TEST_CASE("a pattern matches resolved addresses, unless it is about names") {
  const auto matches = [](std::string_view pattern, std::string_view ip) {
    return HostPattern::parse(pattern)->matches_address(address(ip));
  };
  CHECK(matches("10.0.0.0/8", "10.0.0.1"));
  CHECK(matches("@local", "127.8.8.8"));
  CHECK(matches("@local", "100.64.0.1"));
  CHECK(matches("@local", "fd12::1"));
  CHECK(matches("link-local", "fe80::2"));
  CHECK(matches("metadata", "100.100.100.200"));
  CHECK(matches("metadata", "64:ff9b::100.100.100.200"));
  CHECK_FALSE(matches("@local", "8.8.8.8"));
  CHECK_FALSE(matches("*", "8.8.8.8"));
}

TEST_CASE("what is no pattern is refused") {
  for (const std::string_view text : {"", "@remote", "a b", "10.0.0.0/33", "http://x", "host:80"}) {
    CAPTURE(text);
    const Result<HostPattern> parsed = HostPattern::parse(text);
    REQUIRE_FALSE(parsed);
    CHECK(parsed.error().code == Code::kInvalid);
  }
}

TEST_CASE("the first rule that matches decides, by name before address") {
  std::vector<DestinationRule> rules;
  rules.push_back({patterns({"api.example.com"}), true, false, false});
  rules.push_back({patterns({"10.0.0.0/8"}), true, true, false});
  rules.push_back({patterns({"*.example.com"}), true, true, true});
  const net::Address inside = address("10.0.0.1");
  const net::Address outside = address("192.0.2.1");
  CHECK_FALSE(rule_for(rules, Door::kEgress, "api.example.com", &inside).tracestate);
  CHECK_FALSE(rule_for(rules, Door::kEgress, "www.example.com", &inside).baggage);
  CHECK(rule_for(rules, Door::kEgress, "www.example.com", &outside).baggage);
  CHECK(rule_for(rules, Door::kEgress, "www.example.com", nullptr).baggage);
  CHECK_FALSE(rule_for(rules, Door::kEgress, "other.org", &outside).traceparent);
}

TEST_CASE("a rule may be for one listener alone") {
  std::vector<DestinationRule> rules;
  rules.push_back({patterns({"@local"}), true, true, true, {"*"}, false, Door::kIngress});
  rules.push_back({patterns({"*"}), true, false, false, {"*"}, false, Door::kEgress});
  CHECK(rule_for(rules, Door::kIngress, "localhost", nullptr).baggage);
  CHECK_FALSE(rule_for(rules, Door::kEgress, "localhost", nullptr).baggage);
  CHECK(rule_for(rules, Door::kEgress, "localhost", nullptr).traceparent);
  CHECK_FALSE(rule_for(rules, Door::kIngress, "www.example.com", nullptr).traceparent);
}

TEST_CASE("as shipped, local destinations get everything and the world traceparent alone") {
  const std::vector<DestinationRule> rules = default_destinations();
  const net::Address local = address("10.0.0.1");
  const net::Address world = address("192.0.2.1");
  CHECK(rule_for(rules, Door::kEgress, "example.com", &local).baggage);
  CHECK(rule_for(rules, Door::kEgress, "example.com", &world).traceparent);
  CHECK_FALSE(rule_for(rules, Door::kEgress, "example.com", &world).tracestate);
  CHECK_FALSE(rule_for(rules, Door::kEgress, "example.com", &world).baggage);
}

TEST_CASE("the longest route wins and the rest of the path follows") {
  const std::vector<Route> routes = {{"/a/", *http::parse_url("http://one.example/")},
                                     {"/a/b/", *http::parse_url("http://two.example:81/base/")}};
  CHECK(route_for(routes, "/a/x?q=1")->path == "/x?q=1");
  CHECK(route_for(routes, "/a/b/x")->path == "/base/x");
  CHECK(route_for(routes, "/a/b/x")->port() == 81);
  CHECK(route_for(routes, "/a/")->path == "/");
  CHECK_FALSE(route_for(routes, "/a"));
  CHECK_FALSE(route_for(routes, "/ab/"));
  CHECK_FALSE(route_for(routes, "/"));
}

TEST_CASE("a listener is known in every spelling") {
  struct Row {
    std::string_view name;
    std::string_view listening;
    std::string_view target;
    uint16_t port;
    bool self;
  };
  constexpr auto kRows = std::to_array<Row>({
      {"itself", "127.0.0.1", "127.0.0.1", 17001, true},
      {"another port", "127.0.0.1", "127.0.0.1", 17002, false},
      {"mapped", "127.0.0.1", "::ffff:127.0.0.1", 17001, true},
      {"any means this machine", "127.0.0.1", "0.0.0.0", 17001, true},
      {"any, IPv6", "::1", "::", 17001, true},
      {"another loopback address", "127.0.0.1", "127.0.0.2", 17001, false},
      {"every address listens", "0.0.0.0", "127.0.0.1", 17001, true},
      {"every address listens, any loopback", "0.0.0.0", "127.9.9.9", 17001, true},
      {"every address listens, any target", "0.0.0.0", "0.0.0.0", 17001, true},
      {"every address listens, not ours", "0.0.0.0", "198.51.100.7", 17001, false},
      {"an outside address", "127.0.0.1", "198.51.100.7", 17001, false},
  });
  for (const Row& row : kRows) {
    CAPTURE(row.name);
    SelfGuard guard;
    guard.add(address(row.listening, 17001));
    CHECK(guard.is_self(address(row.target, row.port)) == row.self);
  }
}

TEST_CASE("an address is checked against ourselves first, then against the deny list") {
  Options options;
  SelfGuard self;
  self.add(address("127.0.0.1", 17001));
  CHECK(check_address(options, self, "localhost", address("127.0.0.1", 17001))->code ==
        Code::kLoop);
  CHECK(check_address(options, self, "sly.example", address("169.254.169.254"))->code ==
        Code::kDenied);
  CHECK_FALSE(check_address(options, self, "localhost", address("127.0.0.1", 80)));
  CHECK(check_self(self, "localhost", address("127.0.0.1", 17001))->code == Code::kLoop);
  CHECK_FALSE(check_self(self, "sly.example", address("169.254.169.254")));
  options.deny = patterns({"*.example"});
  CHECK(check_address(options, self, "a.example", address("192.0.2.1"))->code == Code::kDenied);
}

}  // namespace
}  // namespace sidespan::proxy
