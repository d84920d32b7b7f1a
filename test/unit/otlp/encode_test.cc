#include "sidespan/otlp/encode.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <bit>
#include <functional>
#include <limits>
#include <protozero/pbf_reader.hpp>
#include <stdexcept>
#include <string>
#include <vector>

#include "sidespan/base/text.h"

namespace sidespan::otlp {
namespace {

using protozero::pbf_wire_type;

// One message taken apart, one level at a time, by protozero's reader: a second opinion on the
// bytes.
struct Field {
  uint32_t tag;
  pbf_wire_type type;
  uint64_t number = 0;
  std::string bytes;
};

struct Message {
  std::vector<Field> fields;

  explicit Message(const std::string& text) {
    protozero::pbf_reader reader(text);
    while (reader.next()) {
      Field field{reader.tag(), reader.wire_type(), 0, ""};
      if (field.type == pbf_wire_type::varint) {
        field.number = reader.get_uint64();
      } else if (field.type == pbf_wire_type::fixed64) {
        field.number = reader.get_fixed64();
      } else if (field.type == pbf_wire_type::fixed32) {
        field.number = reader.get_fixed32();
      } else {
        field.bytes = reader.get_bytes();
      }
      fields.push_back(field);
    }
  }

  size_t count(uint32_t tag) const {
    return static_cast<size_t>(std::ranges::count(fields, tag, &Field::tag));
  }
  const Field& only(uint32_t tag) const {
    if (count(tag) != 1)
      throw std::runtime_error("field " + std::to_string(tag) + " is not there once");
    return *std::ranges::find(fields, tag, &Field::tag);
  }
  Message inside(uint32_t tag) const { return Message(only(tag).bytes); }
  std::vector<Message> all(uint32_t tag) const {
    std::vector<Message> out;
    for (const Field& field : fields) {
      if (field.tag == tag) out.emplace_back(field.bytes);
    }
    return out;
  }
};

std::string hex(std::string_view bytes) {
  std::string out;
  for (const char c : bytes) text::append_hex(out, static_cast<unsigned char>(c), 2);
  return out;
}

// AnyValue as text that also names its type.
std::string shown(const Message& any) {
  REQUIRE(any.fields.size() == 1);
  const Field& field = any.fields.front();
  switch (field.tag) {
    case 1:
      return "text " + field.bytes;
    case 2:
      return field.number != 0 ? "bool true" : "bool false";
    case 3:
      return "int " + std::to_string(static_cast<int64_t>(field.number));
    case 4:
      return "double " + std::to_string(std::bit_cast<double>(field.number));
    case 5: {
      std::string out = "array";
      for (const Message& value : Message(field.bytes).all(1)) out += " [" + shown(value) + "]";
      return out;
    }
    default:
      return "unknown";
  }
}

Message only_span(const trace::Span& span) {
  std::string out;
  append_span(out, span);
  return Message(out).inside(2);
}

trace::Span minimal() {
  trace::Span span;
  span.context.trace_id = {0x0af7651916cd43dd, 0x8448eb211c80319c};
  span.context.span_id = {0xb7ad6b7169203331};
  span.context.flags = trace::kSampledFlag | trace::kRandomFlag;
  span.name = "GET";
  span.start = WallTime(Nanoseconds(1'790'000'000'000'000'001));
  span.duration = Nanoseconds(1'500'000'000);
  return span;
}

trace::Span complete() {
  trace::Span span = minimal();
  span.context.tracestate = trace::TraceState::parse({"vendor=1,other=2"});
  span.parent_id = {0x00f067aa0ba902b7};
  span.parent_is_remote = true;
  span.kind = trace::SpanKind::kServer;
  span.status = trace::SpanStatus::kError;
  span.status_message = "it broke";
  span.attributes.set("http.request.method", "POST");
  span.attributes.set("http.response.status_code", int64_t{503});
  span.attributes.set("sidespan.phase.wait", 0.25);
  span.attributes.set("sidespan.inferred", true);
  const std::vector<std::string_view> names = {"search", "", "fetch"};
  span.attributes.set("sidespan.tool_calls.names", names);
  trace::Link link;
  link.context.trace_id = {1, 2};
  link.context.span_id = {3};
  link.context.flags = trace::kSampledFlag;
  link.context.tracestate = trace::TraceState::parse({"a=b"});
  link.attributes.set("why", "echo");
  span.links.push_back(std::move(link));
  return span;
}

Origin origin() {
  Origin origin;
  origin.resource.set("service.name", "my-agent");
  origin.resource.set("process.pid", int64_t{17});
  origin.scope_version = "0.1.0";
  origin.schema_url = "https://opentelemetry.io/schemas/1.43.0";
  return origin;
}

std::string encode_request(const Origin& origin, const std::string& spans) {
  const Envelope envelope = encode_envelope(origin, spans.size());
  return envelope.before + spans + envelope.behind;
}

}  // namespace

TEST_CASE("encode: a minimal span has the required fields and nothing else") {
  const Message span = only_span(minimal());
  CHECK(hex(span.only(1).bytes) == "0af7651916cd43dd8448eb211c80319c");
  CHECK(hex(span.only(2).bytes) == "b7ad6b7169203331");
  CHECK(span.only(5).bytes == "GET");
  CHECK(span.only(6).number == 3);
  CHECK(span.only(7).number == 1'790'000'000'000'000'001);
  CHECK(span.only(8).number == 1'790'000'001'500'000'001);
  CHECK(span.only(16).number == 0x103);
  CHECK(span.fields.size() == 7);
}

TEST_CASE("encode: every field of a complete span") {
  const Message span = only_span(complete());
  CHECK(span.only(3).bytes == "vendor=1,other=2");
  CHECK(hex(span.only(4).bytes) == "00f067aa0ba902b7");
  CHECK(span.only(6).number == 2);
  CHECK(span.only(16).number == 0x303);
  CHECK(span.inside(15).only(2).bytes == "it broke");
  CHECK(span.inside(15).only(3).number == 2);

  std::vector<std::string> attributes;
  for (const Message& pair : span.all(9)) {
    attributes.push_back(pair.only(1).bytes + ": " + shown(pair.inside(2)));
  }
  CHECK(attributes == std::vector<std::string>{
                          "http.request.method: text POST",
                          "http.response.status_code: int 503",
                          "sidespan.phase.wait: double 0.250000",
                          "sidespan.inferred: bool true",
                          "sidespan.tool_calls.names: array [text search] [text ] [text fetch]",
                      });

  const Message link = span.inside(13);
  CHECK(hex(link.only(1).bytes) == "00000000000000010000000000000002");
  CHECK(hex(link.only(2).bytes) == "0000000000000003");
  CHECK(link.only(3).bytes == "a=b");
  CHECK(link.inside(4).only(1).bytes == "why");
  CHECK(link.only(6).number == 1);
}

TEST_CASE("encode: attribute values at their edges") {
  struct Row {
    std::string name;
    std::function<void(trace::Attributes&)> set;
    std::string expected;
  };
  const std::vector<std::string_view> none;
  const Row rows[] = {
      {"empty text", [](auto& a) { a.set("k", ""); }, "text "},
      {"false", [](auto& a) { a.set("k", false); }, "bool false"},
      {"zero", [](auto& a) { a.set("k", int64_t{0}); }, "int 0"},
      {"negative", [](auto& a) { a.set("k", int64_t{-1}); }, "int -1"},
      {"smallest", [](auto& a) { a.set("k", std::numeric_limits<int64_t>::min()); },
       "int -9223372036854775808"},
      {"largest", [](auto& a) { a.set("k", std::numeric_limits<int64_t>::max()); },
       "int 9223372036854775807"},
      {"no texts", [&](auto& a) { a.set("k", none); }, "array"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    trace::Span span = minimal();
    row.set(span.attributes);
    CHECK(shown(only_span(span).inside(9).inside(2)) == row.expected);
  }
}

TEST_CASE("encode: lengths around each size of a varint") {
  for (const size_t key_size : {1, 20, 120, 121, 122, 127, 128, 300, 20'000}) {
    for (const size_t text_size :
         {0, 1, 100, 115, 119, 121, 125, 127, 128, 16'370, 16'384, 70'000}) {
      CAPTURE(key_size);
      CAPTURE(text_size);
      const std::string key(key_size, 'k');
      const std::string value(text_size, 'v');
      const std::vector<std::string_view> values = {value, value};
      trace::Span span = minimal();
      span.attributes.set(key, value);
      span.attributes.set(key + "2", values);
      span.attributes.set(key + "3", int64_t{300});
      const std::vector<Message> pairs = only_span(span).all(9);
      REQUIRE(pairs.size() == 3);
      CHECK(pairs[0].only(1).bytes == key);
      CHECK(pairs[0].inside(2).only(1).bytes == value);
      CHECK(pairs[1].inside(2).inside(5).all(1).at(1).only(1).bytes == value);
      CHECK(pairs[2].inside(2).only(3).number == 300);
    }
  }
}

TEST_CASE("encode: the span's own length, of one to three bytes") {
  for (size_t name_size = 0; name_size < 200; ++name_size) {
    CAPTURE(name_size);
    trace::Span span = minimal();
    span.name.assign(name_size, 'n');
    CHECK(only_span(span).only(5).bytes == span.name);
    span.name.assign(16'250 + name_size, 'n');
    CHECK(only_span(span).only(5).bytes == span.name);
  }
}

TEST_CASE("encode: remoteness and status") {
  trace::Span span = minimal();
  span.context.flags = 0;
  CHECK(only_span(span).only(16).number == 0x100);
  span.parent_is_remote = true;
  CHECK(only_span(span).only(16).number == 0x300);

  span.status = trace::SpanStatus::kOk;
  span.status_message = "of an error only";
  CHECK(only_span(span).inside(15).only(3).number == 1);
  CHECK(only_span(span).inside(15).count(2) == 0);
}

TEST_CASE("encode: what the count limit kept out is counted") {
  trace::Span span = minimal();
  span.attributes = trace::Attributes({.count_max = 1});
  for (const char* key : {"a", "b", "c"}) span.attributes.set(key, true);
  span.links.emplace_back().attributes = trace::Attributes({.count_max = 0});
  span.links.back().attributes.set("a", true);
  CHECK(only_span(span).only(10).number == 2);
  CHECK(only_span(span).inside(13).only(5).number == 1);
}

TEST_CASE("encode: texts that are not UTF-8 are mended, or a receiver refuses the whole batch") {
  trace::Span span = minimal();
  span.name = "G\xffT";
  span.status = trace::SpanStatus::kError;
  span.status_message = std::string(400, '\xfe');
  CHECK(only_span(span).only(5).bytes == "G\xef\xbf\xbdT");
  CHECK(only_span(span).inside(15).only(2).bytes.size() == 1200);
}

TEST_CASE("encode: spans are appended, whatever the string held and could hold") {
  std::string one;
  append_span(one, complete());
  for (const size_t reserved : {0, 1, 100, 300, 512, 4096}) {
    std::string out;
    out.reserve(reserved);
    for (int i = 0; i < 5; ++i) append_span(out, complete());
    CHECK(out == one + one + one + one + one);
  }
}

TEST_CASE("encode: the request around spans") {
  std::string spans;
  append_span(spans, minimal());
  append_span(spans, complete());
  const Message resource_spans = Message(encode_request(origin(), spans)).inside(1);
  const std::vector<Message> resource = resource_spans.inside(1).all(1);
  REQUIRE(resource.size() == 2);
  CHECK(resource[0].only(1).bytes == "service.name");
  CHECK(shown(resource[0].inside(2)) == "text my-agent");
  CHECK(shown(resource[1].inside(2)) == "int 17");
  CHECK(resource_spans.only(3).bytes == "https://opentelemetry.io/schemas/1.43.0");
  const Message scope_spans = resource_spans.inside(2);
  CHECK(scope_spans.only(3).bytes == "https://opentelemetry.io/schemas/1.43.0");
  CHECK(scope_spans.inside(1).only(1).bytes == "sidespan");
  CHECK(scope_spans.inside(1).only(2).bytes == "0.1.0");
  CHECK(scope_spans.all(2).size() == 2);
  CHECK(scope_spans.all(2)[1].only(3).bytes == "vendor=1,other=2");
}

TEST_CASE("encode: a request says nothing about what is not known") {
  std::string spans;
  append_span(spans, minimal());
  const Message resource_spans = Message(encode_request(Origin(), spans)).inside(1);
  CHECK(resource_spans.count(3) == 0);
  CHECK(resource_spans.only(1).bytes.empty());
  CHECK(resource_spans.inside(2).inside(1).count(2) == 0);
}

// The generated Python classes of opentelemetry-proto 1.45.2 read these bytes as complete() in
// origin(), and write the same again.
constexpr std::string_view kGolden =
    "0aec030a2f0a1a0a0c736572766963652e6e616d65120a0a086d792d6167656e740a110a0b70726f636573732e70"
    "696412021811128f030a110a08736964657370616e1205302e312e3012d0020a100af7651916cd43dd8448eb211c"
    "80319c1208b7ad6b71692033311a1076656e646f723d312c6f746865723d32220800f067aa0ba902b72a03474554"
    "3002390100f323845bd71841012f5b7d845bd7184a1d0a13687474702e726571756573742e6d6574686f6412060a"
    "04504f53544a200a19687474702e726573706f6e73652e7374617475735f636f6465120318f7034a200a13736964"
    "657370616e2e70686173652e77616974120921000000000000d03f4a170a11736964657370616e2e696e66657272"
    "6564120210014a360a19736964657370616e2e746f6f6c5f63616c6c732e6e616d657312192a170a080a06736561"
    "7263680a020a000a070a0566657463686a350a100000000000000001000000000000000212080000000000000003"
    "1a03613d62220d0a0377687912060a046563686f35010000007a0c120869742062726f6b6518028501030300001a"
    "2768747470733a2f2f6f70656e74656c656d657472792e696f2f736368656d61732f312e34332e301a2768747470"
    "733a2f2f6f70656e74656c656d657472792e696f2f736368656d61732f312e34332e30";

TEST_CASE("encode: golden bytes") {
  std::string spans;
  append_span(spans, complete());
  CHECK(hex(encode_request(origin(), spans)) == kGolden);
}

}  // namespace sidespan::otlp
