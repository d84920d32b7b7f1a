#include "sidespan/proxy/ingress.h"

#include <doctest/doctest.h>

#include <vector>

namespace sidespan::proxy {
namespace {

http::Head asked_by(std::string_view user_agent) {
  http::Head head;
  head.set_method("GET");
  if (!user_agent.empty()) head.headers.add("User-Agent", user_agent);
  return head;
}

TEST_CASE("probes are told by who asks, or by what is asked") {
  struct Row {
    const char* test;
    std::string_view user_agent;
    std::string_view path;
    bool probe;
  };
  const std::vector<Row> rows = {
      {"the kubelet, whatever it asks", "kube-probe/1.31", "/chat", true},
      {"in any case", "Kube-Probe/1.31", "/", true},
      {"Google's load balancer", "GoogleHC/1.0", "/", true},
      {"AWS's", "ELB-HealthChecker/2.0", "/", true},
      {"Envoy's", "Envoy/HC", "/", true},
      {"the usual paths", "curl/8", "/healthz", true},
      {"", "", "/readyz", true},
      {"", "", "/livez", true},
      {"", "", "/health", true},
      {"below health", "", "/health/ready", true},
      {"gRPC's health service", "grpc-go", "/grpc.health.v1.Health/Check", true},
      {"a path that only begins so", "", "/healthy-recipes", false},
      {"below another", "", "/v1/healthz", false},
      {"paths have case", "", "/HEALTHZ", false},
      {"a name that only begins so", "kube-prober", "/", false},
      {"no probe", "python-httpx/0.27", "/chat", false},
      {"the root", "", "/", false},
  };
  for (const Row& row : rows) {
    CAPTURE(row.test);
    CAPTURE(row.path);
    CHECK(is_probe(asked_by(row.user_agent), row.path) == row.probe);
  }
}

TEST_CASE("what is ignored is what the settings name") {
  const http::Head request = asked_by("curl/8");
  Ingress ingress{.host = "h", .port = 1};
  CHECK_FALSE(ingress.ignores(request, "/healthz"));
  ingress.ignore_probes = true;
  CHECK(ingress.ignores(request, "/healthz"));
  CHECK_FALSE(ingress.ignores(request, "/static/a.css"));
  ingress.ignore_paths = {"/static/*"};
  CHECK(ingress.ignores(request, "/static/a.css"));
  CHECK_FALSE(ingress.ignores(request, "/chat"));
}

}  // namespace
}  // namespace sidespan::proxy
