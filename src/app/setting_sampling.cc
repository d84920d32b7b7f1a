#include "app/setting_sampling.h"

#include <string>
#include <utility>

#include "app/setting_types.h"
#include "sidespan/base/text.h"
#include "sidespan/trace/probability.h"

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

std::optional<bool> read_true(const Node& node, Complaints& complaints) {
  const std::optional<bool> on = read_switch(node, complaints);
  if (on && !*on) return complain(node, "is off; leave it out instead", complaints);
  return on;
}

// "429", or "5xx" for all that begin with 5.
std::optional<std::pair<int64_t, int64_t>> read_status_code(const Node& node,
                                                            Complaints& complaints) {
  const std::optional<std::string> text = read_text(node, complaints);
  if (!text) return std::nullopt;
  const bool is_class = text->size() == 3 && text->ends_with("xx");
  const auto number = text::parse_unsigned(is_class ? text->substr(0, 1) + "00" : *text);
  if (!number || *number < 100 || *number > 599) {
    return complain(node, quote(*text) + " is no status code like 429 or 5xx", complaints);
  }
  const auto first = static_cast<int64_t>(*number);
  return std::pair{first, is_class ? first + 99 : first};
}

std::optional<report::TailAttribute> read_tail_attribute(const Node& node, Complaints& complaints) {
  if (!has_only_keys(node, {"key", "values"}, complaints)) return std::nullopt;
  if (node.find("key") == nullptr) return complain(node, "key is missing", complaints);
  report::TailAttribute attribute;
  const bool key = read_optional(node, "key", complaints, read_name, attribute.key);
  const bool values =
      read_optional(node, "values", complaints, one_or_list_of<read_text>, attribute.values);
  if (!key || !values) return std::nullopt;
  return attribute;
}

std::optional<double> read_share(const Node& node, Complaints& complaints) {
  const std::optional<double> share = read_ratio(node, complaints);
  if (share && trace::threshold_of(*share) == trace::kNeverThreshold) {
    return complain(node, "keeps nothing; leave it out instead", complaints);
  }
  return share;
}

std::optional<double> read_cost(const Node& node, Complaints& complaints) {
  const std::optional<double> cost = read_amount(node, complaints);
  if (cost && *cost <= 0) return complain(node, "must be more than 0", complaints);
  return cost;
}

// Reads `key`'s value, where it is there, and makes a condition of it.
template <class Read, class Make>
bool read_condition(const Node& policy, std::string_view key, Complaints& complaints, Read read,
                    Make make, report::TailPolicy& conditions) {
  const Node* const part = policy.find(key);
  if (part == nullptr) return true;
  auto value = read_part(*part, "." + std::string(key), complaints, read);
  if (!value) return false;
  conditions.emplace_back(make(*std::move(value)));
  return true;
}

std::optional<report::TailPolicy> read_policy(const Node& node, Complaints& complaints) {
  if (!has_only_keys(
          node,
          {"errors", "slower_than", "status_codes", "attribute", "tokens", "cost", "probability"},
          complaints)) {
    return std::nullopt;
  }
  constexpr size_t kTokensMax = 1'000'000'000;
  constexpr Milliseconds::rep kSlowest = Milliseconds::rep{24} * 3'600'000;
  report::TailPolicy policy;
  const auto read = [&](std::string_view key, auto reader, auto make) {
    return read_condition(node, key, complaints, reader, make, policy);
  };
  bool good = read("errors", read_true, [](bool) { return report::TailError{}; });
  good &= read("slower_than", time_between<1, kSlowest>,
               [](Milliseconds than) { return report::TailSlower{than}; });
  good &= read("status_codes", one_or_list_of<read_status_code>,
               [](auto codes) { return report::TailStatus{std::move(codes)}; });
  good &= read("attribute", read_tail_attribute, [](auto attribute) { return attribute; });
  good &= read("tokens", count_between<1, kTokensMax>,
               [](size_t least) { return report::TailTokens{static_cast<int64_t>(least)}; });
  good &= read("cost", read_cost, [](double least) { return report::TailCost{least}; });
  good &= read("probability", read_share,
               [](double share) { return report::TailProbability{trace::threshold_of(share)}; });
  if (!good) return std::nullopt;
  if (policy.empty()) return complain(node, "is empty", complaints);
  return policy;
}

}  // namespace

std::optional<std::optional<report::TailOptions>> read_tail(const Node& node,
                                                            Complaints& complaints) {
  constexpr Milliseconds::rep kLongest = Milliseconds::rep{24} * 3'600'000;
  if (node.kind == Node::Kind::kText && node.text == "off") {
    return std::optional<report::TailOptions>();
  }
  if (!has_only_keys(node, {"wait", "max_wait", "policies"}, complaints)) return std::nullopt;
  if (node.find("policies") == nullptr) return complain(node, "policies is missing", complaints);
  report::TailOptions tail;
  const bool wait = read_optional(node, "wait", complaints, time_between<1, kLongest>, tail.wait);
  const bool most =
      read_optional(node, "max_wait", complaints, time_between<1, kLongest>, tail.max_wait);
  const bool policies =
      read_optional(node, "policies", complaints, list_of<read_policy>, tail.policies);
  if (!wait || !most || !policies) return std::nullopt;
  size_t conditions = 0;
  for (const report::TailPolicy& policy : tail.policies) conditions += policy.size();
  if (conditions == 0) return complain(node, "has no policies, which keeps nothing", complaints);
  if (conditions > report::kTailConditionsMax) {
    return complain(node, "has more than 64 conditions in its policies", complaints);
  }
  if (tail.wait > tail.max_wait) return complain(node, "wait is longer than max_wait", complaints);
  return std::optional(std::move(tail));
}

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
