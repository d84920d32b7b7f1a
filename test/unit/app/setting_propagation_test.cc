#include "app/setting_propagation.h"

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

TEST_CASE("destinations") {
  const auto rule = value_of(read_destination, "{match: ['@local', '*.svc'], send: [traceparent]}");
  CHECK(rule.match.size() == 2);
  CHECK(rule.traceparent);
  CHECK_FALSE(rule.tracestate);
  CHECK_FALSE(rule.baggage);
  const auto nothing = value_of(read_destination, "{match: ['*'], send: []}");
  CHECK_FALSE(nothing.traceparent);
  CHECK(value_of(read_destination, "{match: [a], send: [baggage]}").baggage);

  CHECK(complaints_of(read_destination, "{match: ['*'], send: [tracestate]}") ==
        ".send: tracestate means nothing without traceparent");
  CHECK(complaints_of(read_destination, "{match: ['*'], send: [b3, x]}") ==
        ".send[0]: 'b3' is not one of traceparent, tracestate, baggage; "
        ".send[1]: 'x' is not one of traceparent, tracestate, baggage");
  CHECK(complaints_of(read_destination, "{match: '*', send: [traceparent]}") ==
        ".match: takes a list, like [a, b]");

  CHECK_FALSE(rule.restart);
  CHECK(rule.baggage_keys == std::vector<std::string>{"*"});
  const auto full =
      value_of(read_destination,
               "{match: ['*'], send: [traceparent, baggage], baggage: [tenant, 'a*'], "
               "restart: on}");
  CHECK(full.restart);
  CHECK(full.baggage_keys == std::vector<std::string>{"tenant", "a*"});
  CHECK(complaints_of(read_destination, "{match: ['*'], send: [traceparent], baggage: [a]}") ==
        ".send: keys of baggage mean nothing without baggage");
  CHECK(complaints_of(read_destination, "{match: ['*'], send: [baggage], restart: on}") ==
        ".send: restart means nothing without traceparent");
  CHECK(complaints_of(read_destination, "{match: ['*'], send: [], restart: 3}") ==
        ".restart: '3' is neither on nor off");
  CHECK_FALSE(rule.listener);
  CHECK(value_of(read_destination, "{match: ['*'], listener: ingress, send: []}").listener ==
        proxy::Door::kIngress);
  CHECK(value_of(read_destination, "{match: ['*'], listener: egress, send: []}").listener ==
        proxy::Door::kEgress);
  CHECK(complaints_of(read_destination, "{match: ['*'], listener: admin, send: []}") ==
        ".listener: 'admin' is not one of egress, ingress");
  CHECK(complaints_of(read_destination, "{match: ['*'], sent: []}") ==
        ".sent: is not known here, only match and send; send is missing");
}

TEST_CASE("lists of formats") {
  using Names = std::vector<std::string>;
  CHECK(value_of(read_propagators, "[tracecontext, baggage]") == Names{"tracecontext", "baggage"});
  CHECK(value_of(read_propagators, "[none]") == Names{"none"});
  CHECK(value_of(read_propagators, "[]") == Names{"none"});
  CHECK(complaints_of(read_propagators, "[none, baggage]") == "none stands alone");
}

TEST_CASE("formats of one's own") {
  const auto acme =
      value_of(read_custom_format,
               "{name: acme, header: X-Acme-Trace, value: '{trace_id}:{span_id}:{sampled}'}");
  CHECK(acme.name == "acme");
  CHECK(acme.header == "X-Acme-Trace");
  struct Row {
    std::string yaml;
    std::string complaint;
  };
  for (const auto& [yaml, complaint] : {
           Row{"{name: acme, header: X-Acme}", "value is missing"},
           Row{"{name: B3, header: X-Acme, value: '{trace_id}{span_id}'}",
               "'B3' is the name of another format"},
           Row{"{name: acme, header: Host, value: '{trace_id}{span_id}'}",
               ".header: 'Host' has a meaning of its own"},
           Row{"{name: acme, header: X-B3-TraceId, value: '{trace_id}{span_id}'}",
               ".header: 'X-B3-TraceId' has a meaning of its own"},
           Row{"{name: acme, header: x-amz-trace, value: '{trace_id}{span_id}'}",
               ".header: 'x-amz-trace' has a meaning of its own"},
           Row{"{name: acme, header: X-Acme, value: '{trace_id}'}", "one span id is needed"},
       }) {
    CAPTURE(yaml);
    CHECK(complaints_of(read_custom_format, yaml) == complaint);
  }
}

TEST_CASE("what becomes of other formats") {
  using Policy = proxy::OtherFormats::Policy;
  CHECK(value_of(read_other_formats, "remove") == Policy::kRemove);
  CHECK(value_of(read_other_formats, "rewrite") == Policy::kRewrite);
  CHECK(value_of(read_other_formats, "keep") == Policy::kKeep);
  CHECK(complaints_of(read_other_formats, "strip") ==
        "'strip' is not one of remove, rewrite, keep");
}

}  // namespace
}  // namespace sidespan::app
