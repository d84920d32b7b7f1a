#include "app/setting_sampling.h"

#include <string>
#include <utility>

#include "app/setting_types.h"
#include "sidespan/base/text.h"

namespace sidespan::app {
namespace {

constexpr std::string_view kByRatio = "parentbased_traceidratio";

std::optional<std::string> read_path_pattern(const Node& node, Complaints& complaints) {
  std::optional<std::string> path = read_name(node, complaints);
  if (path && !path->starts_with('/') && !path->starts_with('*')) {
    return complain(node, quote(*path) + " is no path that starts with / or *", complaints);
  }
  return path;
}

std::optional<proxy::SamplingMatch> read_match(const Node& node, Complaints& complaints) {
  if (!has_only_keys(node, {"host", "path", "method"}, complaints)) return std::nullopt;
  proxy::SamplingMatch match;
  const bool host =
      read_optional(node, "host", complaints, one_or_list_of<read_host_pattern>, match.hosts);
  const bool path =
      read_optional(node, "path", complaints, one_or_list_of<read_path_pattern>, match.paths);
  const bool method =
      read_optional(node, "method", complaints, one_or_list_of<read_method>, match.methods);
  if (!host || !path || !method) return std::nullopt;
  return match;
}

}  // namespace

std::optional<double> read_rate(const Node& node, Complaints& complaints) {
  constexpr double kLeast = 0.001;
  constexpr double kMost = 1e6;
  const std::optional<std::string> text = read_text(node, complaints);
  if (!text) return std::nullopt;
  const std::optional<double> rate = parse_decimal(*text);
  if (!rate || *rate < 0 || *rate > kMost || (*rate > 0 && *rate < kLeast)) {
    return complain(node, quote(*text) + " is neither 0 nor a number from 0.001 to 1000000",
                    complaints);
  }
  return rate;
}

std::optional<SamplerRule> read_sampler_rule(const Node& node, Complaints& complaints) {
  if (!has_only_keys(node, {"match", "sampler", "ratio"}, complaints)) return std::nullopt;
  if (node.find("match") == nullptr) return complain(node, "match is missing", complaints);
  SamplerRule rule;
  const bool match = read_optional(node, "match", complaints, read_match, rule.match);
  const bool sampler = read_optional(node, "sampler", complaints, read_sampler, rule.sampler);
  const bool ratio = read_optional(node, "ratio", complaints, read_ratio, rule.ratio);
  if (!match || !sampler || !ratio) return std::nullopt;
  const bool has_ratio = node.find("ratio") != nullptr;
  if (rule.sampler.empty() && !has_ratio) {
    return complain(node, "has neither ratio nor sampler", complaints);
  }
  if (rule.sampler.empty()) rule.sampler = kByRatio;
  if (has_ratio && !rule.sampler.ends_with("traceidratio")) {
    return complain(node, "a ratio means nothing to " + rule.sampler, complaints);
  }
  return rule;
}

}  // namespace sidespan::app
