#include "serve/request_head.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

namespace sidespan::serve {
namespace {

http::Head head_of(std::string_view method, std::string_view target,
                   const std::vector<std::string>& hosts) {
  http::Head head;
  head.set_method(method);
  head.set_target(target);
  for (const std::string& host : hosts) head.headers.add("Host", host);
  return head;
}

}  // namespace

TEST_CASE("request head: targets and methods") {
  struct Row {
    std::string method, target;
    int refused;
    std::string path, query;
  };
  const Row rows[] = {
      {"GET", "/healthz", 0, "/healthz", ""},
      {"HEAD", "/a/b?c=d&e", 0, "/a/b", "c=d&e"},
      {"POST", "/?", 0, "/", ""},
      {"GET", "/a?b?c", 0, "/a", "b?c"},
      {"GET", "/%2e%2e//x", 0, "/%2e%2e//x", ""},
      {"GET", "http://localhost:17000/metrics?x", 0, "/metrics", "x"},
      {"GET", "http://localhost", 0, "/", ""},
      {"GET", "localhost:80", 400, "", ""},
      {"GET", "*", 400, "", ""},
      {"GET", "http://", 400, "", ""},
      {"GET", "/a#b", 400, "", ""},
      {"PUT", "/", 405, "", ""},
      {"DELETE", "/", 405, "", ""},
      {"OPTIONS", "*", 405, "", ""},
      {"CONNECT", "localhost:80", 405, "", ""},
  };
  for (const Row& row : rows) {
    CAPTURE(row.method);
    CAPTURE(row.target);
    const auto target = read_head(head_of(row.method, row.target, {"any"}), {});
    CHECK((target ? 0 : target.error().status) == row.refused);
    if (!target) continue;
    CHECK(target->path == row.path);
    CHECK(target->query == row.query);
  }
}

TEST_CASE("request head: names it answers under") {
  struct Row {
    std::string name, target;
    std::vector<std::string> hosts;
    int refused;
  };
  const Row rows[] = {
      {"name", "/", {"localhost"}, 0},
      {"with port", "/", {"localhost:17000"}, 0},
      {"other case", "/", {"LocalHost:17000"}, 0},
      {"IPv4", "/", {"127.0.0.1:17000"}, 0},
      {"IPv6", "/", {"[::1]:17000"}, 0},
      {"IPv6 told without brackets", "/", {"[fd00::1]"}, 0},
      {"foreign", "/", {"evil.example"}, 421},
      {"foreign with a known prefix", "/", {"localhost.evil.example"}, 421},
      {"foreign with a known suffix", "/", {"evil-localhost"}, 421},
      {"trailing dot", "/", {"localhost."}, 421},
      {"decimal address", "/", {"2130706433"}, 421},
      {"missing", "/", {}, 400},
      {"empty", "/", {""}, 400},
      {"two", "/", {"localhost", "localhost"}, 400},
      {"userinfo", "/", {"localhost@evil.example"}, 400},
      {"list", "/", {"localhost, evil.example"}, 400},
      {"absolute target wins", "http://evil.example/", {"localhost"}, 421},
      {"absolute target is enough", "http://localhost/", {}, 0},
  };
  Endpoint::Options options;
  options.hosts = {"localhost", "127.0.0.1", "[::1]", "fd00::1"};
  for (const Row& row : rows) {
    CAPTURE(row.name);
    const http::Head head = head_of("GET", row.target, row.hosts);
    const auto target = read_head(head, options);
    CHECK((target ? 0 : target.error().status) == row.refused);
    CHECK(read_head(head, {}).has_value());
  }
}

TEST_CASE("request head: a body known to be too large") {
  Endpoint::Options options;
  options.body_bytes_max = 10;
  http::Head head = head_of("POST", "/", {});
  head.body = http::BodyLength::known(10);
  CHECK(read_head(head, options).has_value());
  head.body = http::BodyLength::unknown();
  CHECK(read_head(head, options).has_value());
  head.body = http::BodyLength::known(11);
  CHECK(read_head(head, options).error().status == 413);
}

}  // namespace sidespan::serve
