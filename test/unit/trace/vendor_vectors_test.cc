// Every case of test/fixtures/vectors/vendor.json but the AWS-signed requests, which are the
// proxy's: extract with the case's formats, start a call, inject over the same fields.
#include <doctest/doctest.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "sidespan/base/text.h"
#include "sidespan/trace/propagator.h"
#include "sidespan/trace/sampler.h"

namespace sidespan::trace {
namespace {

using Json = nlohmann::json;
using Fields = std::vector<std::pair<std::string, std::string>>;

std::string text_of(const Json& value) {
  if (value.is_string()) return value.get<std::string>();
  std::string text;
  for (const Json& part : value) {
    for (int i = 0; i < part.at(1).get<int>(); ++i) text += part.at(0).get<std::string>();
  }
  return text;
}

struct Hop {
  Context received;
  SpanContext started;
  Fields sent;
};

Hop run(const Json& test) {
  static const PropagatorRegistry registry;
  static const auto sampler = make_sampler("parentbased_always_on");
  static Random random(31);
  const CompositePropagator propagator(registry,
                                       test.at("propagators").get<std::vector<std::string>>());
  Hop hop;
  for (const Json& line : test.at("headers")) {
    hop.sent.emplace_back(line.at(0).get<std::string>(), text_of(line.at(1)));
  }
  propagator.extract(PairReader(hop.sent), hop.received);
  Context next = hop.received;
  next.span = start_span_context(&hop.received.span, hop.received.asked, hop.received.trace_hint,
                                 **sampler, random)
                  .context;
  hop.started = next.span;
  PairWriter writer(hop.sent);
  propagator.inject(next, Parts{}, writer);
  return hop;
}

void check_received(const Json& expect, const Hop& hop) {
  const SpanContext& span = hop.received.span;
  CHECK(span.valid() == expect.at("extracted").get<bool>());
  if (span.valid()) {
    CHECK(span.trace_id.to_string() == expect.at("trace_id").get<std::string>());
    CHECK(span.span_id.to_string() == expect.at("parent_id").get<std::string>());
    CHECK_FALSE(span.random());
    const Json& sampled = expect.at("sampled");
    CHECK((hop.received.asked == Asked::kUndecided) == sampled.is_null());
    CHECK(span.sampled() == (sampled.is_boolean() && sampled.get<bool>()));
    CHECK((hop.received.asked == Asked::kDebug) == expect.value("debug", false));
  } else {
    CHECK(hop.received.extracted_by.empty());
  }
  CHECK(hop.received.trace_hint ==
        TraceId::parse(expect.value("trace_hint", "")).value_or(TraceId{}));
  if (expect.contains("decision") && !span.valid()) {
    const bool deny = expect.at("decision").get<std::string>() == "deny";
    CHECK(hop.received.asked == (deny ? Asked::kDrop : Asked::kDebug));
  }
  for (const Json& pair : expect.value("baggage", Json::array())) {
    CHECK(hop.received.baggage.get(pair.at(0).get<std::string>()) == pair.at(1).get<std::string>());
  }
}

void check_started(const Json& expect, const Hop& hop) {
  const Context& received = hop.received;
  if (received.span.valid()) {
    CHECK(hop.started.trace_id == received.span.trace_id);
  } else if (received.trace_hint) {
    CHECK(hop.started.trace_id == received.trace_hint);
    CHECK_FALSE(hop.started.random());
  } else {
    CHECK(hop.started.random());
  }
  CHECK(hop.started.span_id != received.span.span_id);
  const std::string action = expect.value("action", "");
  if (action.contains("not sampled")) {
    CHECK_FALSE(hop.started.sampled());
  } else if (action.contains("sampled")) {
    CHECK(hop.started.sampled());
  } else if (expect.contains("sampled") && expect.at("sampled").is_boolean()) {
    CHECK(hop.started.sampled() == expect.at("sampled").get<bool>());
  } else {
    CHECK(hop.started.sampled());  // left to us, and we are always_on
  }
}

std::string with_ids(std::string text, const SpanContext& span) {
  const std::pair<std::string, std::string> ids[] = {
      {"<new>", span.span_id.to_string()}, {"<new decimal>", std::to_string(span.span_id.value)}};
  for (const auto& [word, id] : ids) {
    const size_t at = text.find(word);
    if (at != std::string::npos) text.replace(at, word.size(), id);
  }
  return text;
}

void check_sent(const Json& expect, const Hop& hop) {
  const Json out = expect.value("out", Json::object());
  for (const auto& [name, wanted] : out.items()) {
    CAPTURE(name);
    std::vector<std::string> lines;
    PairReader(hop.sent).visit(name, [&](std::string_view value) { lines.emplace_back(value); });
    if (wanted.is_null()) {
      CHECK(lines.empty());
      continue;
    }
    const std::string text = wanted.get<std::string>();
    REQUIRE(lines.size() <= 1);
    const std::string line = lines.empty() ? "" : lines[0];
    if (text.starts_with("keeps ") || text.starts_with("contains ")) {
      CHECK(line.contains(text.substr(text.find(' ') + 1)));
    } else if (text.starts_with("must not contain ")) {
      CHECK_FALSE(line.contains(text.substr(17)));
    } else {
      CHECK(line == with_ids(text, hop.started));
    }
  }
}

}  // namespace

TEST_CASE("vectors: vendors") {
  std::ifstream file(SIDESPAN_SOURCE_DIR "/test/fixtures/vectors/vendor.json");
  REQUIRE(file.good());
  size_t count = 0;
  const Json document = Json::parse(file);
  for (const Json& test : document.at("cases")) {
    // The proxy has the settings of one of them, and the signatures.
    if (!test.contains("propagators") || test.contains("config")) continue;
    const std::string title =
        test.at("id").get<std::string>() + " " + test.at("name").get<std::string>();
    INFO(title);
    const Hop hop = run(test);
    check_received(test.at("expect"), hop);
    check_started(test.at("expect"), hop);
    check_sent(test.at("expect"), hop);
    ++count;
  }
  CHECK(count == 64);
}

}  // namespace sidespan::trace
