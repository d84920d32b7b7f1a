#include "app/setting_types.h"

#include <doctest/doctest.h>

#include <string>

namespace sidespan::app {
namespace {

Node node_of(const std::string& yaml) {
  Tree tree = parse_yaml(yaml);
  REQUIRE(tree.complaints.empty());
  return std::move(tree.root);
}

// What `read` complains about: "at: what", joined by "; ".
template <class Read>
std::string complaints_of(Read read, const std::string& yaml) {
  Complaints complaints;
  const auto value = read(node_of(yaml), complaints);
  CHECK(value.has_value() == complaints.empty());
  std::string out;
  for (const Complaint& complaint : complaints) {
    out += (out.empty() ? "" : "; ") + (complaint.at.empty() ? "" : complaint.at + ": ") +
           complaint.what;
  }
  return out;
}

template <class Read>
auto value_of(Read read, const std::string& yaml) {
  Complaints complaints;
  auto value = read(node_of(yaml), complaints);
  REQUIRE(complaints.empty());
  return *std::move(value);
}

TEST_CASE("listeners") {
  struct Row {
    const char* name;
    const char* yaml;
    std::vector<std::string> addresses;
  };
  const Row rows[] = {
      {"localhost is both families", "localhost:17001", {"127.0.0.1:17001", "[::1]:17001"}},
      {"localhost in any case", "LocalHost:0", {"127.0.0.1:0", "[::1]:0"}},
      {"no host is all addresses", ":17021", {"0.0.0.0:17021", "[::]:17021"}},
      {"IPv4", "127.0.0.1:80", {"127.0.0.1:80"}},
      {"IPv6", "'[fd00::1]:80'", {"[fd00::1]:80"}},
      {"off", "off", {}},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    const ListenAddress listen = value_of(read_listen, row.yaml);
    std::vector<std::string> addresses;
    for (const net::Address& address : listen.addresses) addresses.push_back(address.to_string());
    CHECK(addresses == row.addresses);
    CHECK(static_cast<bool>(listen) == !row.addresses.empty());
  }
  for (const char* bad : {"17001", "localhost", "host:80", "127.0.0.1:99999", "a:b:c", "''", "[]",
                          "127.1:80", "'unix:/x'", "http://localhost:1"}) {
    CAPTURE(bad);
    CHECK_FALSE(complaints_of(read_listen, bad).empty());
  }
}

TEST_CASE("routes") {
  const proxy::Route route = value_of(read_route, "{path: /a, to: 'http://H.example:81/b'}");
  CHECK(route.path == "/a/");
  CHECK(route.to.authority.host == "h.example");
  CHECK(route.to.port() == 81);
  CHECK(route.to.path == "/b/");
  CHECK(value_of(read_route, "{path: /, to: 'http://h'}").to.path == "/");

  struct Row {
    const char* name;
    const char* yaml;
    const char* complaints;
  };
  const Row rows[] = {
      {"no map", "[a]", "takes a map with path and to"},
      {"empty", "{}", "path is missing; to is missing"},
      {"one key and a wrong one", "{path: /a/, too: x}",
       ".too: is not known here, only path and to; to is missing"},
      {"both wrong, and a third", "{path: a, to: 'ftp://h', x: y}",
       ".x: is not known here, only path and to; .path: 'a' is no path that starts with /; "
       ".to: is no URL: the URL's scheme is not http or https"},
      {"websocket", "{path: /a/, to: 'ws://h/'}", ".to: starts with neither http:// nor https://"},
      {"no scheme", "{path: /a/, to: 'geheim@h:80'}",
       ".to: has no scheme: http:// or https:// must stand before the host"},
      {"a query", "{path: /a/, to: 'http://h/?a'}", ".to: holds a query"},
      {"a password is not repeated", "{path: /a/, to: 'http://u:geheim@h/'}",
       ".to: holds a user or a password"},
      {"no text", "{path: [], to: {}}",
       ".path: takes one value, not a list or a map; .to: takes one value, not a list or a map"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    Complaints complaints;
    (void)read_route(node_of(row.yaml), complaints);
    std::string all;
    for (const Complaint& complaint : complaints) {
      all += (all.empty() ? "" : "; ") + (complaint.at.empty() ? "" : complaint.at + ": ") +
             complaint.what;
    }
    CHECK(all == row.complaints);
  }
}

TEST_CASE("sources and samplers") {
  CHECK(value_of(read_sources, "[]") == 0);
  CHECK(value_of(read_sources, "[wire, environment]") ==
        ((1U << static_cast<unsigned>(lineage::Source::kWire)) |
         (1U << static_cast<unsigned>(lineage::Source::kEnvironment))));
  CHECK(value_of(read_sources, "[ingress]") == lineage::bit_of(lineage::Source::kIngress));
  CHECK_FALSE(complaints_of(read_sources, "[root]").empty());

  CHECK(value_of(read_sampler, "ParentBased_TraceIdRatio") == "parentbased_traceidratio");
  CHECK_FALSE(complaints_of(read_sampler, "jaeger_remote").empty());
  CHECK_FALSE(complaints_of(read_sampler, "sometimes").empty());
}

TEST_CASE("where the agent's own server is, and who asks only whether it is well") {
  const auto where = value_of(read_forward_to, "Localhost:8080");
  REQUIRE(where);
  CHECK(where->host == "localhost");
  CHECK(where->port == 8080);
  CHECK(value_of(read_forward_to, "'[::1]:80'")->host == "::1");
  CHECK_FALSE(value_of(read_forward_to, "off"));
  for (const char* wrong :
       {"localhost", "':8080'", "localhost:0", "http://localhost:8080", "a:b"}) {
    CAPTURE(wrong);
    CHECK_FALSE(complaints_of(read_forward_to, wrong).empty());
  }
  CHECK(value_of(read_ingress_ignore, "[probes]").probes);
  CHECK(value_of(read_ingress_ignore, "[probes, /static/*]").paths ==
        std::vector<std::string>{"/static/*"});
  CHECK_FALSE(value_of(read_ingress_ignore, "[]").probes);
  CHECK_FALSE(complaints_of(read_ingress_ignore, "[health]").empty());
}

TEST_CASE("what spans show and hide") {
  using Names = std::vector<std::string>;
  CHECK(value_of(read_ignore, "[/health*, otlp]").size() == 5);
  CHECK(value_of(read_ignore, "[]").empty());
  CHECK_FALSE(complaints_of(read_ignore, "[otlp, health]").empty());
  CHECK(value_of(list_of<read_capture_header>, "[X-Request-Id]") == Names{"x-request-id"});
  for (const char* secret : {"[Authorization]", "[cookie]", "[Set-Cookie]", "[X-Api-Key]",
                             "[Proxy-Authorization]", "[a b]", "['']"}) {
    CAPTURE(secret);
    CHECK_FALSE(complaints_of(list_of<read_capture_header>, secret).empty());
  }
  CHECK(value_of(read_url_template, "'/v1/{a}/b/{c}'") == "/v1/{a}/b/{c}");
  for (const char* bad : {"a", "'/{a'", "'/a}'", "'/{{a}}'", "'/a?b'", "'/a b'", "''"}) {
    CAPTURE(bad);
    CHECK_FALSE(complaints_of(read_url_template, bad).empty());
  }
  CHECK(value_of(read_peers, "{Api.Example.COM: shop}").at("api.example.com") == "shop");
  CHECK_FALSE(complaints_of(read_peers, "{a: ''}").empty());
  CHECK_FALSE(complaints_of(read_peers, "{a: [b]}").empty());
}

TEST_CASE("the exporter's endpoint") {
  struct Row {
    const char* name;
    const char* yaml;
    const char* url;
  };
  const Row rows[] = {
      {"no path", "http://c:4318", "c 4318 /v1/traces"},
      {"a slash is no path", "http://c:4318/", "c 4318 /v1/traces"},
      {"no port", "http://c", "c 80 /v1/traces"},
      {"a path is taken as it is", "http://c:4318/x", "c 4318 /x"},
      {"also the root, when it is said so", "{url: 'http://c:4318', path: /}", "c 4318 /"},
      {"by TLS", "https://c", "c 443 /v1/traces"},
      {"an address", "'http://[::1]:4318'", "::1 4318 /v1/traces"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    const std::optional<http::Url> url = value_of(read_endpoint, row.yaml);
    REQUIRE(url.has_value());
    CHECK(url->authority.host + " " + std::to_string(url->port()) + " " + url->path == row.url);
  }
  CHECK_FALSE(value_of(read_endpoint, "off").has_value());
  CHECK(complaints_of(read_endpoint, "http://u:geheim@c") == "holds a user or a password");
  for (const char* bad : {"c:4318", "''", "http://", "[a]", "{url: 'http://c'}", "http://c/?a=b",
                          "{url: 'http://c', path: x}"}) {
    CAPTURE(bad);
    const std::string complaints = complaints_of(read_endpoint, bad);
    CHECK_FALSE(complaints.empty());
  }
}

TEST_CASE("the exporter's headers, whose values nobody repeats") {
  const Pairs headers = value_of(read_export_headers, "{Authorization: Bearer x, a: ''}");
  CHECK(headers == Pairs{{"Authorization", "Bearer x"}, {"a", ""}});
  for (const char* bad : {"{a b: geheim}", "{Content-Type: geheim}", "{host: geheim}",
                          "{a: \"geheim\\r\\nb: c\"}", "{'': geheim}", "{a: [geheim]}", "geheim"}) {
    CAPTURE(bad);
    const std::string complaints = complaints_of(read_export_headers, bad);
    CHECK_FALSE(complaints.empty());
    CHECK(complaints.find("geheim") == std::string::npos);
  }
  CHECK(value_of(read_protocol, "http/protobuf") == report::OtlpProtocol::kHttp);
  CHECK(value_of(read_protocol, "grpc") == report::OtlpProtocol::kGrpc);
  CHECK(complaints_of(read_protocol, "http/json") ==
        "http/json is not in this version, only http/protobuf and grpc");
  CHECK(complaints_of(read_protocol, "udp") == "'udp' is neither http/protobuf nor grpc");
}

TEST_CASE("numbers keep to their bounds") {
  CHECK(value_of(count_between<1, 10>, "10") == 10);
  CHECK(complaints_of(count_between<1, 10>, "0") == "is 0; it must be from 1 to 10");
  CHECK(complaints_of(count_between<1, 10>, "11") == "is 11; it must be from 1 to 10");
  CHECK(complaints_of(count_between<1, 10>, "1.5") == "'1.5' is no whole number");
  CHECK(complaints_of(size_between<1024, 2048>, "1") == "is 1; it must be from 1KiB to 2KiB");
  CHECK(complaints_of(time_between<10, 1000>, "2s") == "is 2s; it must be from 10ms to 1s");
  CHECK(value_of(read_ratio, "0.25") == 0.25);
  CHECK(complaints_of(read_ratio, "1.01") == "'1.01' is no number from 0 to 1");
  CHECK(complaints_of(read_ratio, "nan") == "'nan' is no number from 0 to 1");
}

TEST_CASE("quoted texts are short and plain") {
  CHECK(quote("a") == "'a'");
  CHECK(quote("a\n\x1b[31m") == "'a??[31m'");
  CHECK(quote(std::string(100, 'x')) == "'" + std::string(60, 'x') + "...'");
  CHECK(quote("\xff") == "'\xef\xbf\xbd'");
  CHECK(quote("\u009b31m\u202e") == R"('\x9b31m\u202e')");
}

}  // namespace
}  // namespace sidespan::app
