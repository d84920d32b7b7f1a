#include "proxy/origin_book.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

namespace sidespan::proxy {
namespace {

http::Authority authority(std::string host, std::optional<uint16_t> port = {}) {
  http::Authority out;
  out.host = std::move(host);
  out.port = port;
  return out;
}

TEST_CASE("origin book: one entry for a name and a port, written one way") {
  const Options options;
  OriginBook book(options);
  const OriginBook::Use plain = book.find(authority("example.com"), 80, false);
  CHECK(plain->authority() == "example.com");
  CHECK(plain->key() == wire::PoolKey{"example.com", 80, 0});
  const OriginBook::Use with_port = book.find(authority("example.com", 80), 80, false);
  CHECK(with_port->authority() == "example.com:80");
  // They differ in Host, and share connections.
  CHECK(with_port->key() == plain->key());
  CHECK(book.find(authority("example.com"), 443, false)->key().port == 443);
  CHECK(book.find(authority("::1", 8080), 8080, false)->authority() == "[::1]:8080");
  CHECK(book.size() == 4);
  CHECK(&*book.find(authority("example.com"), 80, false).operator->() == plain.operator->());
  CHECK(book.size() == 4);
}

TEST_CASE("origin book: what options say about a name, and about the address it has now") {
  Options options;
  options.deny.push_back(*HostPattern::parse("*.evil.example"));
  OriginBook book(options);
  CHECK(book.find(authority("a.evil.example"), 80, false)->denied());
  CHECK(book.find(authority("169.254.169.254"), 80, false)->denied());
  const OriginBook::Use origin = book.find(authority("api.example.com"), 80, false);
  CHECK_FALSE(origin->denied());
  const net::Address far = *net::Address::parse("203.0.113.7", 80);
  const net::Address near = *net::Address::parse("10.1.2.3", 80);
  CHECK_FALSE(origin->rule(far).baggage);
  const auto ip = [&](const net::Address& peer) {
    const trace::Attributes::Packed* const told = origin->peer(peer);
    return told == nullptr
               ? ""
               : std::string(trace::Attributes::unpack(*told).text("network.peer.address"));
  };
  CHECK(ip(far) == "203.0.113.7");
  CHECK(origin->rule(near).baggage);
  CHECK(ip(near) == "10.1.2.3");
  CHECK_FALSE(origin->rule(far).baggage);
  CHECK(ip({}).empty());
}

TEST_CASE("origin book: what spans say alike goes with the address, and with the scheme") {
  const Options options;
  OriginBook book(options);
  http::Url url = *http::parse_url("http://api.example.com/a");
  const OriginBook::Use origin = book.find(url.authority, 80, false);
  http::Head request;
  request.set_method("GET");
  const trace::SpanContext context;
  const auto span = [&](std::string_view ip) {
    semconv::HttpFacts facts;
    facts.context = &context;
    facts.request = &request;
    facts.url = &url;
    facts.parent_source = "root";
    facts.target = &origin->target(url);
    facts.peer = origin->peer(*net::Address::parse(ip, 80));
    facts.alike = &origin->alike();
    return semconv::make_http_span(facts, options.spans);
  };
  for (const char* ip : {"203.0.113.7", "10.1.2.3", "203.0.113.7"}) {
    // Often enough to be known.
    for (int time = 0; time < 10; ++time) {
      CHECK(span(ip).attributes.text("network.peer.address") == ip);
    }
  }
  const auto port = [&] {
    for (const auto& [key, value] : span("10.1.2.3").attributes) {
      if (key == "server.port") return std::get<int64_t>(value);
    }
    return int64_t{0};
  };
  for (int time = 0; time < 10; ++time) CHECK(port() == 80);
  url.scheme = "https";
  for (int time = 0; time < 10; ++time) CHECK(port() == 443);
}

TEST_CASE("origin book: what spans say of an origin goes by the URL's scheme, too") {
  const Options options;
  OriginBook book(options);
  const OriginBook::Use origin = book.find(authority("h", 8080), 8080, false);
  const auto begin = [&](std::string_view url) {
    return origin->target(http::parse_url(url).value()).url_begin;
  };
  CHECK(begin("http://h:8080/a") == "http://h:8080");
  CHECK(begin("ws://h:8080/") == "ws://h:8080");
  CHECK(begin("http://h:8080/") == "http://h:8080");
}

TEST_CASE("origin book: the agent's server is reached by the ingress, all others by the egress") {
  Options options;
  options.ingress = {"10.1.2.3", 80};
  options.destinations[0].listener = Door::kIngress;
  OriginBook book(options);
  const net::Address peer = *net::Address::parse("10.1.2.3", 80);
  CHECK(book.agents_server()->rule(peer).baggage);
  CHECK_FALSE(book.find(authority("10.1.2.3"), 80, false)->rule(peer).baggage);
}

TEST_CASE("origin book: durations go where their method and outcome say") {
  const Options options;
  OriginBook book(options);
  ProxyMetrics metrics(100);
  const OriginBook::Use origin = book.find(authority("h"), 80, false);
  const std::vector<ProxyMetrics::Attempt> attempts = {
      {"GET", "h", 200},  {"GET", "h", 200},           {"POST", "h", 200},
      {"POST", "h", 404}, {"POST", "h", 0, "timeout"}, {"GET", "h", 200}};
  for (const ProxyMetrics::Attempt& attempt : attempts) {
    origin->record_duration(metrics, attempt, 0.1);
  }
  CHECK(metrics.durations_of({"GET", "h", 200}).snapshot().count == 3);
  CHECK(metrics.durations_of({"POST", "h", 200}).snapshot().count == 1);
  CHECK(metrics.durations_of({"POST", "h", 404}).snapshot().count == 1);
  CHECK(metrics.durations_of({"POST", "h", 0, "timeout"}).snapshot().count == 1);
}

TEST_CASE("origin book: targets are read as parse_url reads them, met before or not") {
  const Options options;
  OriginBook book(options);
  const std::vector<std::string> targets = {"http://h.example/a",
                                            "http://h.example/b?c=/d",
                                            "http://h.example",
                                            "http://h.example?x=/y",
                                            "HTTP://H.Example:80/a",
                                            "http://u:p@h.example/a",
                                            "http://h.example:8080/",
                                            "http://[::1]:80/x",
                                            "https://h.example/a",
                                            "http://h.example:8080/b/",
                                            "http:///x",
                                            "http://h.example:0/",
                                            "http:/",
                                            "h.example/a",
                                            "",
                                            "http://",
                                            "http://h.example/",
                                            "ws://h/a/b"};
  for (int round = 0; round < 3; ++round) {
    for (const std::string& target : targets) {
      CAPTURE(target);
      const Result<http::Url> read = http::parse_url(target);
      http::Url url;
      const Result<OriginBook::Use> found = book.find(target, url);
      REQUIRE(found.has_value() == read.has_value());
      if (!read) continue;
      CHECK(url.scheme == read->scheme);
      CHECK(url.userinfo == read->userinfo);
      CHECK(url.authority.host == read->authority.host);
      CHECK(url.authority.port == read->authority.port);
      CHECK(url.path == read->path);
      CHECK(url.path_given == read->path_given);
      const bool secure = read->scheme == "https";
      CHECK((*found)->key() == wire::PoolKey{.host = read->authority.host,
                                             .port = read->port(),
                                             .secure = secure,
                                             .h2 = secure});
      CHECK((*found)->authority() == read->authority.to_string());
    }
  }
}

TEST_CASE("origin book: bounded, and what is used stays") {
  const Options options;
  OriginBook book(options);
  const OriginBook::Use used = book.find(authority("used"), 80, false);
  for (size_t i = 0; i < 3 * OriginBook::kOriginsMax; ++i) {
    book.find(authority("h" + std::to_string(i)), 80, false);
    CHECK(book.size() <= OriginBook::kOriginsMax);
    http::Url url;
    CHECK(book.find("http://H" + std::to_string(i) + "/x", url).has_value());
    CHECK(url.authority.host == "h" + std::to_string(i));
  }
  CHECK(used->authority() == "used");
  CHECK(book.find(authority("used"), 80, false).operator->() == used.operator->());
}

TEST_CASE("origin book: the agent's own server, which nothing denies") {
  Options options;
  options.ingress = {.host = "localhost", .port = 8080};
  options.deny.push_back(*HostPattern::parse("localhost"));
  options.second_proxy.host = "proxy.example";
  OriginBook book(options);
  const OriginBook::Use server = book.agents_server();
  CHECK_FALSE(server->denied());
  CHECK_FALSE(server->absolute());
  CHECK(server->authority() == "localhost:8080");
  CHECK(server->rule(*net::Address::parse("127.0.0.1", 8080)).baggage);
  CHECK(&*book.agents_server() == &*server);
  // A call of the agent's to the same place is another matter, on connections of its own.
  const OriginBook::Use call = book.find(authority("localhost", 8080), 8080, false);
  CHECK(call->denied());
  CHECK(call->key() != server->key());
}

}  // namespace
}  // namespace sidespan::proxy
