#include "sidespan/proxy/ingress.h"

#include <algorithm>
#include <array>

#include "sidespan/base/text.h"

namespace sidespan::proxy {
namespace {

// Kubernetes, Google Cloud, AWS, Envoy, Consul, Azure, Docker's blackbox.
constexpr std::array<std::string_view, 7> kProbers = {
    "kube-probe/",         "googlehc/",           "elb-healthchecker/", "envoy/hc",
    "consul health check", "load balancer agent", "blackbox exporter/"};

constexpr std::array<std::string_view, 11> kProbePaths = {"/healthz",
                                                          "/readyz",
                                                          "/livez",
                                                          "/health",
                                                          "/ready",
                                                          "/live",
                                                          "/startupz",
                                                          "/health/*",
                                                          "/-/healthy",
                                                          "/-/ready",
                                                          "/grpc.health.v1.Health/*"};

}  // namespace

bool is_probe(const http::Head& request, std::string_view path) {
  const auto is_path = [&](std::string_view known) {
    if (!known.ends_with('*')) return path == known;
    return path.starts_with(known.substr(0, known.size() - 1));
  };
  if (std::ranges::any_of(kProbePaths, is_path)) return true;
  const std::string_view agent = request.headers.find("user-agent").value_or("");
  return std::ranges::any_of(kProbers, [&](std::string_view prober) {
    return text::equal_ignoring_case(agent.substr(0, prober.size()), prober);
  });
}

bool Ingress::ignores(const http::Head& request, std::string_view path) const {
  if (ignore_probes && is_probe(request, path)) return true;
  return std::ranges::any_of(ignore_paths, [&](const std::string& pattern) {
    return text::matches_wildcard(pattern, path);
  });
}

}  // namespace sidespan::proxy
