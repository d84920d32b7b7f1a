// Every case of test/fixtures/vectors/{traceparent,tracestate,baggage}.json: extract from the given
// lines, start a call as configured, inject over the same lines, and hold both ends to `expect`.
#include <doctest/doctest.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "sidespan/base/text.h"
#include "sidespan/trace/sampler.h"
#include "sidespan/trace/w3c.h"

namespace sidespan::trace {
namespace {

using Json = nlohmann::json;
using Fields = std::vector<std::pair<std::string, std::string>>;

Json cases_of(const std::string& kind) {
  std::ifstream file(std::string(SIDESPAN_SOURCE_DIR "/test/fixtures/vectors/") + kind + ".json");
  REQUIRE_MESSAGE(file.good(), "no vectors for ", kind);
  const Json document = Json::parse(file);
  REQUIRE(document.at("schema").get<std::string>() == "hop-vectors/1");
  REQUIRE(document.at("kind").get<std::string>() == kind);
  return document.at("cases");
}

std::string string_of(const Json& object, const char* key) {
  return object.at(key).get<std::string>();
}

size_t number_of(const Json& object, const char* key) {
  return object.at(key).get<size_t>();
}

// A string, or a list of [text, repeat].
std::string text_of(const Json& value) {
  if (value.is_string()) return value.get<std::string>();
  std::string text;
  for (const Json& part : value) {
    for (int i = 0; i < part.at(1).get<int>(); ++i) text += part.at(0).get<std::string>();
  }
  return text;
}

// U+0080 to U+00FF in UTF-8 become one byte each.
std::string latin1(const std::string& utf8) {
  std::string bytes;
  for (size_t i = 0; i < utf8.size(); ++i) {
    const auto c = static_cast<unsigned char>(utf8[i]);
    if (c < 0x80) {
      bytes.push_back(utf8[i]);
    } else {
      bytes.push_back(static_cast<char>((c << 6U) | (utf8.at(++i) & 0x3f)));
    }
  }
  return bytes;
}

Fields fields_of(const Json& test) {
  const bool as_latin1 = test.value("encoding", "") == "latin-1";
  Fields fields;
  for (const char* part : {"headers", "extra_headers"}) {
    for (const Json& line : test.value(part, Json::array())) {
      const std::string value = text_of(line.at(1));
      fields.emplace_back(line.at(0).get<std::string>(), as_latin1 ? latin1(value) : value);
    }
  }
  return fields;
}

std::vector<std::string> values_of(const Fields& fields, std::string_view name) {
  std::vector<std::string> values;
  PairReader(fields).visit(name, [&](std::string_view value) { values.emplace_back(value); });
  return values;
}

// What one hop made of a case.
struct Hop {
  Fields received;
  bool extracted = false;
  Context context;  // as extracted
  Fields sent;
};

Hop run(const Json& test) {
  static const PropagatorRegistry registry;
  static const std::vector<std::string> names = {"tracecontext", "baggage"};
  static const CompositePropagator propagator(registry, names);
  static Random random(20);
  const Json config = test.value("config", Json::object());

  Hop hop;
  hop.received = fields_of(test);
  propagator.extract(PairReader(hop.received), hop.context);
  hop.extracted = hop.context.span.valid();

  const auto sampler = make_sampler(config.value("sampler", "parentbased_always_on"));
  REQUIRE(sampler.has_value());
  Context next = hop.context;
  next.span =
      start_span_context(&hop.context.span, **sampler, random, config.value("trust_incoming", true))
          .context;
  if (config.contains("own_key")) {
    const bool done = next.span.tracestate.set(config.at("own_key").get<std::string>(),
                                               config.at("own_value").get<std::string>());
    CHECK(done);
  }
  hop.sent = hop.received;
  PairWriter writer(hop.sent);
  propagator.inject(next, Parts{}, writer);
  return hop;
}

void check_extracted(const Json& expect, const Hop& hop) {
  const bool valid = expect.at("valid").is_boolean() && expect.at("valid").get<bool>();
  CHECK(hop.extracted == valid);
  CHECK(hop.extracted == (hop.context.extracted_by == "tracecontext"));
  if (!expect.contains("trace_id")) return;
  const SpanContext& span = hop.context.span;
  CHECK(span.trace_id.to_string() == string_of(expect, "trace_id"));
  CHECK(span.span_id.to_string() == string_of(expect, "parent_id"));
  CHECK(span.sampled() == expect.at("sampled").get<bool>());
  CHECK(span.random() == expect.at("random").get<bool>());
}

void check_sent(const Json& test, const Hop& hop) {
  const Json& out = test.at("expect").at("out");
  const std::vector<std::string> lines = values_of(hop.sent, "traceparent");
  CHECK(lines.size() == number_of(out, "traceparent_count"));
  CHECK(std::ranges::count(hop.sent, "traceparent", [](const auto& p) { return p.first; }) == 1);
  const auto sent = parse_traceparent(lines.at(0));
  REQUIRE(sent.has_value());
  CHECK(lines[0].starts_with(string_of(out, "version") + "-"));
  if (string_of(out, "trace_id") == "new") {
    for (const auto& [name, value] : hop.received) {
      CHECK(value.find(sent->trace_id.to_string()) == std::string::npos);
    }
  } else {
    CHECK(sent->trace_id.to_string() == string_of(out, "trace_id"));
  }
  CHECK(string_of(out, "parent_id") == "new");
  CHECK(sent->span_id != hop.context.span.span_id);
  // Without a decision of the caller, our own root is sampled and random.
  const std::string flags = out.value("flags", out.value("flags_if_sampling_unchanged", "03"));
  CHECK(lines[0].substr(53) == flags);
  if (out.contains("tracestate")) CHECK(values_of(hop.sent, "tracestate").empty());
  for (const Json& id : test.value("must_not_reuse", Json::array())) {
    CHECK(sent->trace_id.to_string() != id.get<std::string>());
  }
}

void check_state(const Json& test, const Hop& hop) {
  const Json& expect = test.at("expect");
  CHECK(hop.extracted == expect.at("traceparent_valid").get<bool>());
  std::vector<std::pair<std::string, std::string>> parsed;
  for (const auto& [key, value] : hop.context.span.tracestate.members()) {
    parsed.emplace_back(key, value);
  }
  std::vector<std::pair<std::string, std::string>> wanted;
  for (const Json& pair : expect.at("members")) {
    wanted.emplace_back(text_of(pair.at(0)), text_of(pair.at(1)));
  }
  CHECK(parsed == wanted);

  const Json& out = expect.at("out");
  const std::vector<std::string> sent = values_of(hop.sent, "tracestate");
  if (out.contains("tracestate")) {
    CHECK(string_of(out, "tracestate") == "absent_or_own_only");
    CHECK(sent.empty());
    return;
  }
  std::string list;
  for (const Json& pair : out.at("members_in_order")) {
    if (!list.empty()) list += ",";
    list += text_of(pair.at(0)) + "=" + text_of(pair.at(1));
  }
  const Json others = test.value("alt_out", Json::array());
  REQUIRE(sent.size() == 1);
  const bool right = sent[0] == list || std::ranges::find(others, Json(sent[0])) != others.end();
  CHECK_MESSAGE(right, sent[0]);
}

std::vector<Baggage::Entry> entries_of(const Json& list) {
  std::vector<Baggage::Entry> entries;
  for (const Json& item : list) {
    Baggage::Entry entry{item.at("key"), item.at("value"), {}};
    for (const Json& pair : item.at("properties")) {
      Baggage::Property property{pair.at(0), std::nullopt};
      if (!pair.at(1).is_null()) property.value = pair.at(1).get<std::string>();
      entry.properties.push_back(property);
    }
    entries.push_back(entry);
  }
  return entries;
}

std::vector<std::string> members_of(const std::vector<std::string>& lines) {
  std::vector<std::string> members;
  for (const std::string& line : lines) {
    for (const std::string_view member : text::list_members(line)) members.emplace_back(member);
  }
  return members;
}

void check_passed_on(const Json& test, const Hop& hop) {
  const Json& expect = test.at("expect");
  const std::vector<std::string> received = values_of(hop.received, "baggage");
  const std::vector<std::string> sent = values_of(hop.sent, "baggage");
  const std::string how = string_of(expect, "passthrough");
  if (how == "byte_identical") {
    CHECK(sent == received);
  } else if (how == "absent") {
    CHECK(sent.empty());
  } else {
    CHECK(how == "policy");
    // What is left is good, and no line of ours is empty.
    Baggage again;
    for (const std::string& line : sent) again.add_line(line);
    CHECK(sent.empty() == hop.context.baggage.entries().empty());
    CHECK(again.passes_as_received());
    CHECK(again.entries() == hop.context.baggage.entries());
  }
  if (!expect.value("whole_members_only", false)) return;
  const std::vector<std::string> before = members_of(received);
  for (const std::string& member : members_of(sent)) {
    CHECK(std::ranges::find(before, member) != before.end());
  }
}

void check_baggage(const Json& test, const Hop& hop) {
  const Json& expect = test.at("expect");
  const Baggage& baggage = hop.context.baggage;
  if (expect.contains("entries")) CHECK(baggage.entries() == entries_of(expect.at("entries")));
  for (const Json& pair : test.value("otel_view", Json::array())) {
    CHECK(baggage.get(pair.at(0).get<std::string>()) == pair.at(1).get<std::string>());
  }
  check_passed_on(test, hop);

  const std::vector<std::string> sent = values_of(hop.sent, "baggage");
  size_t bytes = sent.empty() ? 0 : sent.size() - 1;
  for (const std::string& line : sent) bytes += line.size();
  const size_t members = members_of(sent).size();
  for (const char* exact : {"bytes", "bytes_combined"}) {
    if (expect.contains(exact)) CHECK(bytes == number_of(expect, exact));
  }
  CHECK(bytes <= Baggage::kBytesMax);
  if (expect.contains("members")) CHECK(members == number_of(expect, "members"));
  if (expect.contains("members_min")) CHECK(members >= number_of(expect, "members_min"));
  if (expect.contains("out_members_any_of")) {
    Json keys = Json::array();
    for (const Baggage::Entry& entry : baggage.entries()) keys.push_back(entry.key);
    const Json& sets = expect.at("out_members_any_of");
    CHECK(std::ranges::find(sets, keys) != sets.end());
  }
}

template <class Check>
size_t for_each_case(const std::string& kind, Check&& check) {
  size_t count = 0;
  for (const Json& test : cases_of(kind)) {
    const std::string title = string_of(test, "id") + " " + string_of(test, "name");
    INFO(title);
    check(test, run(test));
    ++count;
  }
  return count;
}

}  // namespace

TEST_CASE("vectors: traceparent") {
  const size_t count = for_each_case("traceparent", [](const Json& test, const Hop& hop) {
    check_extracted(test.at("expect"), hop);
    check_sent(test, hop);
  });
  CHECK(count >= 51);
}

TEST_CASE("vectors: tracestate") {
  CHECK(for_each_case("tracestate", check_state) >= 43);
}

TEST_CASE("vectors: baggage") {
  CHECK(for_each_case("baggage", check_baggage) >= 33);
}

}  // namespace sidespan::trace
