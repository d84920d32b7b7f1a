#include "sidespan/proxy/sampling_rule.h"

#include <algorithm>

#include "sidespan/base/text.h"

namespace sidespan::proxy {

bool SamplingMatch::matches(const http::Url& url, std::string_view method) const {
  if (!methods.empty() && std::ranges::find(methods, method) == methods.end()) return false;
  if (!hosts.empty() && !proxy::matches(hosts, url.authority.host, nullptr)) return false;
  const std::string_view path = std::string_view(url.path).substr(0, url.path.find('?'));
  return paths.empty() || std::ranges::any_of(paths, [&](const std::string& pattern) {
           return text::matches_wildcard(pattern, path);
         });
}

const trace::Sampler& sampler_for(const std::vector<SamplingRule>& rules, const http::Url& url,
                                  std::string_view method, const trace::Sampler& otherwise) {
  const auto rule = std::ranges::find_if(
      rules, [&](const SamplingRule& one) { return one.match.matches(url, method); });
  return rule == rules.end() ? otherwise : *rule->sampler;
}

}  // namespace sidespan::proxy
