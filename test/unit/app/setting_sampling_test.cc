#include "app/setting_sampling.h"

#include <doctest/doctest.h>

#include <string>

#include "app/head_sampling.h"
#include "sidespan/trace/probability.h"

namespace sidespan::app {
namespace {

using namespace std::chrono_literals;

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

struct Row {
  const char* yaml;
  const char* complaints;
};

TEST_CASE("rates") {
  CHECK(value_of(read_rate, "0") == 0);
  CHECK(value_of(read_rate, "0.5") == 0.5);
  CHECK(value_of(read_rate, "1000000") == 1e6);
  const Row rows[] = {
      {"-1", "'-1' is neither 0 nor a number from 0.001 to 1000000"},
      {"0.0001", "'0.0001' is neither 0 nor a number from 0.001 to 1000000"},
      {"many", "'many' is neither 0 nor a number from 0.001 to 1000000"},
      {"[1]", "takes one value, not a list or a map"},
  };
  for (const Row& row : rows) CHECK(complaints_of(read_rate, row.yaml) == row.complaints);
}

TEST_CASE("rules of the head") {
  const SamplerRule one = value_of(
      read_sampler_rule, "{match: {host: '*.example', path: [/a*, /b], method: GET}, ratio: 0.1}");
  CHECK(one.match.hosts.size() == 1);
  CHECK(one.match.paths == std::vector<std::string>{"/a*", "/b"});
  CHECK(one.match.methods == std::vector<std::string>{"GET"});
  CHECK(one.sampler == "parentbased_traceidratio");
  CHECK(one.ratio == 0.1);
  CHECK(value_of(read_sampler_rule, "{match: {}, sampler: Always_Off}").sampler == "always_off");
  const SamplerRule two =
      value_of(read_sampler_rule, "{match: {}, sampler: traceidratio, ratio: 0.5}");
  CHECK(two.sampler == "traceidratio");

  const Row rows[] = {
      {"{ratio: 1}", "match is missing"},
      {"{match: {}}", "has neither ratio nor sampler"},
      {"{match: {}, sampler: always_on, ratio: 1}", "a ratio means nothing to always_on"},
      {"{match: {}, ratio: 2}", ".ratio: '2' is no number from 0 to 1"},
      {"{match: {port: 1}, ratio: 1}",
       ".match.port: is not known here, only host, path and method"},
      {"{match: {host: 'a/b', path: x, method: 'a b'}, ratio: 1}",
       ".match.host: 'a/b' is no host name, wildcard, network or known word; "
       ".match.path: 'x' is no path that starts with / or *; "
       ".match.method: 'a b' is no method"},
      {"{match: {path: [/a, b]}, ratio: 1}",
       ".match.path[1]: 'b' is no path that starts with / or *"},
      {"text", "takes a map with match, sampler and ratio"},
  };
  for (const Row& row : rows) {
    INFO(row.yaml);
    CHECK(complaints_of(read_sampler_rule, row.yaml) == row.complaints);
  }
}

TEST_CASE("the tail") {
  CHECK_FALSE(value_of(read_tail, "off"));
  const report::TailOptions tail = *value_of(
      read_tail,
      "{wait: 2s, max_wait: 1m, policies: [{errors: true}, {slower_than: 5s, probability: 0.5}, "
      "{status_codes: [429, 5xx]}, {attribute: {key: a, values: [x, y*]}}, {attribute: {key: b}}, "
      "{tokens: 1000}, {cost: 0.5}]}");
  CHECK(tail.wait == 2s);
  CHECK(tail.max_wait == 1min);
  REQUIRE(tail.policies.size() == 7);
  CHECK(std::holds_alternative<report::TailError>(tail.policies[0].at(0)));
  CHECK(std::get<report::TailSlower>(tail.policies[1].at(0)).than == 5s);
  CHECK(std::get<report::TailProbability>(tail.policies[1].at(1)).threshold ==
        trace::threshold_of(0.5));
  const auto& codes = std::get<report::TailStatus>(tail.policies[2].at(0)).codes;
  CHECK(codes == std::vector<std::pair<int64_t, int64_t>>{{429, 429}, {500, 599}});
  CHECK(std::get<report::TailAttribute>(tail.policies[3].at(0)).values ==
        std::vector<std::string>{"x", "y*"});
  CHECK(std::get<report::TailAttribute>(tail.policies[4].at(0)).values.empty());
  CHECK(std::get<report::TailTokens>(tail.policies[5].at(0)).least == 1000);
  CHECK(std::get<report::TailCost>(tail.policies[6].at(0)).least == 0.5);

  const report::TailOptions least = *value_of(read_tail, "{policies: [{errors: on}]}");
  CHECK(least.wait == 10s);
  CHECK(least.max_wait == 150s);
}

TEST_CASE("faults of the tail") {
  const Row rows[] = {
      {"on", "takes a map with wait, max_wait and policies"},
      {"{wait: 1s}", "policies is missing"},
      {"{policies: []}", "has no policies, which keeps nothing"},
      {"{policies: [{}]}", ".policies[0]: is empty"},
      {"{wait: 3m, policies: [{errors: true}]}", "wait is longer than max_wait"},
      {"{wait: soon, policies: [{errors: true}]}",
       ".wait: 'soon' is no duration; write it like 500ms, 2s or 1m"},
      {"{policies: [{error: true}]}",
       ".policies[0].error: is not known here, only errors, slower_than, status_codes, attribute, "
       "tokens, cost and probability"},
      {"{policies: [{errors: false}]}", ".policies[0].errors: is off; leave it out instead"},
      {"{policies: [{status_codes: [200, 99, 6xx, abc]}]}",
       ".policies[0].status_codes[1]: '99' is no status code like 429 or 5xx; "
       ".policies[0].status_codes[2]: '6xx' is no status code like 429 or 5xx; "
       ".policies[0].status_codes[3]: 'abc' is no status code like 429 or 5xx"},
      {"{policies: [{attribute: {values: [a]}}]}", ".policies[0].attribute: key is missing"},
      {"{policies: [{tokens: 0}]}", ".policies[0].tokens: is 0; it must be from 1 to 1000000000"},
      {"{policies: [{cost: 0}]}", ".policies[0].cost: must be more than 0"},
      {"{policies: [{probability: 0}]}",
       ".policies[0].probability: keeps nothing; leave it out instead"},
      {"{policies: [{probability: 1.5}]}",
       ".policies[0].probability: '1.5' is no number from 0 to 1"},
  };
  for (const Row& row : rows) {
    INFO(row.yaml);
    CHECK(complaints_of(read_tail, row.yaml) == row.complaints);
  }
  std::string many = "{policies: [{errors: true}";
  for (int i = 0; i < 64; ++i) many += ", {tokens: 1}";
  CHECK(complaints_of(read_tail, many + "]}") == "has more than 64 conditions in its policies");
}

TEST_CASE("samplers of the head share one limit, and tell 100 % where the tail takes a share") {
  const trace::TraceId id{1, 2};
  SamplingSettings settings{
      .sampler = "parentbased_always_on", .per_second = 1, .rules = {}, .tail = {}};
  settings.rules.push_back({.match = {}, .sampler = "always_on"});
  const HeadSampling limited(settings);
  CHECK(limited.sampler->decide(id, nullptr).sampled);
  CHECK_FALSE(limited.rules.at(0).sampler->decide(id, nullptr).sampled);
  CHECK(limited.limit->refused() == 1);

  settings.per_second = 0;
  CHECK(HeadSampling(settings).limit == nullptr);
  CHECK(HeadSampling(settings).sampler->decide(id, nullptr).tracestate.empty());
  settings.tail = report::TailOptions{};
  settings.tail->policies = {{report::TailError{}}};
  CHECK(HeadSampling(settings).sampler->decide(id, nullptr).tracestate.empty());
  settings.tail->policies.push_back({report::TailProbability{trace::threshold_of(0.5)}});
  CHECK(HeadSampling(settings).sampler->decide(id, nullptr).tracestate.to_string() == "ot=th:0");
}

}  // namespace
}  // namespace sidespan::app
