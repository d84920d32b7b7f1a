// Which sampler decides on a call: `sampling.head.rules`, by host, path and method, the first
// match. Asked before anything is resolved, so a network in a rule counts for addresses alone that
// stand in the URL. Pure values; CallTrace asks, the samplers are trace's.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "sidespan/http/uri.h"
#include "sidespan/proxy/destination.h"
#include "sidespan/trace/sampler.h"

namespace sidespan::proxy {

// What is empty matches everything.
struct SamplingMatch {
  std::vector<HostPattern> hosts;
  std::vector<std::string> paths;    // wildcards, without the query; a tunnel has no path
  std::vector<std::string> methods;  // as they are written

  bool matches(const http::Url& url, std::string_view method) const;
};

struct SamplingRule {
  SamplingMatch match;
  std::shared_ptr<const trace::Sampler> sampler;
};

// The sampler of the first rule that matches, else `otherwise`.
const trace::Sampler& sampler_for(const std::vector<SamplingRule>& rules, const http::Url& url,
                                  std::string_view method, const trace::Sampler& otherwise);

}  // namespace sidespan::proxy
