#include "sidespan/otlp/encode.h"

#include <bit>
#include <cstring>
#include <string>
#include <utility>
#include <variant>

#include "otlp/fields.h"
#include "otlp/wire_format.h"
#include "sidespan/base/text.h"

namespace sidespan::otlp {
namespace {

using Value = trace::Attributes::Value;
using Texts = std::vector<std::string_view>;

// Span.flags and Link.flags: the W3C flags, and above them whether the parent is known to be
// remote.
constexpr uint32_t kRemotenessKnown = 0x100;
constexpr uint32_t kParentIsRemote = 0x200;

constexpr size_t kTraceIdBytes = 16;
constexpr size_t kSpanIdBytes = 8;
// More than the fields of a span or a link take that are not text, list or message.
constexpr size_t kFixedFieldBytes = 128;

char* put_big_endian(char* at, uint64_t word) {
  return put_raw(at, __builtin_bswap64(word));
}

char* put_trace_id(char* at, Tag tag, trace::TraceId id) {
  return put_big_endian(put_big_endian(put_head(at, tag, kTraceIdBytes), id.high), id.low);
}

char* put_span_id(char* at, Tag tag, trace::SpanId id) {
  return put_big_endian(put_head(at, tag, kSpanIdBytes), id.value);
}

bool is_ascii(std::string_view text) {
  unsigned char seen = 0;
  for (const char c : text) seen |= static_cast<unsigned char>(c);
  return seen < 0x80;
}

// One text that is not UTF-8 makes a receiver refuse the whole request; attributes are mended when
// they are set, names and messages here.
char* put_text(Room& room, char* at, Tag tag, std::string_view text) {
  std::string mended;
  if (!is_ascii(text)) text = mended = text::to_valid_utf8(std::string(text));
  at = room.make(at, kFieldHeadBytes + text.size());
  return put_bytes(at, tag, text);
}

size_t array_bytes(const Texts& texts) {
  size_t bytes = 0;
  for (const std::string_view text : texts) bytes += field_bytes(field_bytes(text.size()));
  return bytes;
}

// Of the AnyValue; texts have a way of their own.
size_t value_bytes(const Value& value) {
  if (const auto* number = std::get_if<int64_t>(&value)) {
    return 1 + varint_bytes(static_cast<uint64_t>(*number));
  }
  if (std::holds_alternative<double>(value)) return 1 + sizeof(double);
  if (std::holds_alternative<bool>(value)) return 2;
  return field_bytes(array_bytes(*std::get_if<Texts>(&value)));
}

char* put_array(char* at, const Texts& texts) {
  at = put_head(at, any_value_field::kArray, array_bytes(texts));
  for (const std::string_view text : texts) {
    at = put_head(at, array_value_field::kValues, field_bytes(text.size()));
    at = put_bytes(at, any_value_field::kString, text);
  }
  return at;
}

char* put_value(char* at, const Value& value) {
  if (const auto* number = std::get_if<int64_t>(&value)) {
    return put_number(at, any_value_field::kInt, static_cast<uint64_t>(*number));
  }
  if (const auto* real = std::get_if<double>(&value)) {
    return put_fixed(at, any_value_field::kDouble, *real);
  }
  if (const auto* boolean = std::get_if<bool>(&value)) {
    return put_number(at, any_value_field::kBool, *boolean ? 1 : 0);
  }
  return put_array(at, *std::get_if<Texts>(&value));
}

// Heads of two length-delimited fields, one just inside the other, both lengths one byte.
uint32_t two_heads(Tag outer, size_t outer_size, Tag inner, size_t inner_size) {
  return static_cast<uint32_t>(tag_bits(outer, pbf_wire_type::length_delimited) | outer_size << 8U |
                               tag_bits(inner, pbf_wire_type::length_delimited) << 16U |
                               inner_size << 24U);
}

// A KeyValue. Where the whole of it has a one-byte length, so has everything in it: nearly all are
// such, and then heads are written in pairs without a look at each length.
char* put_text_pair(char* at, Tag tag, std::string_view key, std::string_view text) {
  const size_t pair = 6 + key.size() + text.size();
  if (pair < kOneByteVarint) [[likely]] {
    at = put_raw(put_raw(at, two_heads(tag, pair, key_value_field::kKey, key.size())), key);
    at = put_raw(at, two_heads(key_value_field::kValue, 2 + text.size(), any_value_field::kString,
                               text.size()));
    return put_raw(at, text);
  }
  const size_t value = field_bytes(text.size());
  at = put_head(at, tag, field_bytes(key.size()) + field_bytes(value));
  at = put_bytes(at, key_value_field::kKey, key);
  return put_bytes(put_head(at, key_value_field::kValue, value), any_value_field::kString, text);
}

char* put_other_pair(char* at, Tag tag, std::string_view key, const Value& value, size_t bytes) {
  const size_t pair = 4 + key.size() + bytes;
  if (pair < kOneByteVarint) [[likely]] {
    at = put_raw(put_raw(at, two_heads(tag, pair, key_value_field::kKey, key.size())), key);
  } else {
    at = put_head(at, tag, field_bytes(key.size()) + field_bytes(bytes));
    at = put_bytes(at, key_value_field::kKey, key);
  }
  return put_value(put_head(at, key_value_field::kValue, bytes), value);
}

char* put_attributes(Room& room, char* at, Tag tag, const trace::Attributes& attributes) {
  const size_t count = attributes.size();
  for (size_t i = 0; i < count; ++i) {
    const auto [key, value] = attributes.at(i);
    if (const auto* text = std::get_if<std::string_view>(&value)) {
      at = room.make(at, 3 * kFieldHeadBytes + key.size() + text->size());
      at = put_text_pair(at, tag, key, *text);
    } else {
      const size_t bytes = value_bytes(value);
      at = room.make(at, 3 * kFieldHeadBytes + key.size() + bytes);
      at = put_other_pair(at, tag, key, value, bytes);
    }
  }
  return room.make(at, kFixedFieldBytes);
}

char* put_link(Room& room, char* at, const trace::Link& link) {
  const std::string& tracestate = link.context.tracestate.to_string();
  at = room.make(at, kFixedFieldBytes + tracestate.size());
  at = put_open_head(at, span_field::kLinks);
  const size_t content = room.offset(at);
  at = put_trace_id(at, link_field::kTraceId, link.context.trace_id);
  at = put_span_id(at, link_field::kSpanId, link.context.span_id);
  if (!tracestate.empty()) at = put_bytes(at, link_field::kTraceState, tracestate);
  at = put_attributes(room, at, link_field::kAttributes, link.attributes);
  if (const uint32_t dropped = link.attributes.dropped()) {
    at = put_number(at, link_field::kDroppedAttributes, dropped);
  }
  // Whether a link's other end is remote is not known here, so kRemotenessKnown stays away.
  if (link.context.flags != 0) {
    at = put_fixed(at, link_field::kFlags, uint32_t{link.context.flags});
  }
  return close_head(room, content, at);
}

char* put_status(Room& room, char* at, const trace::Span& span) {
  if (span.status == trace::SpanStatus::kUnset) return at;
  at = put_open_head(at, span_field::kStatus);
  const size_t content = room.offset(at);
  if (span.status == trace::SpanStatus::kError && !span.status_message.empty()) {
    at = room.make(put_text(room, at, status_field::kMessage, span.status_message),
                   kFixedFieldBytes);
  }
  at = put_number(at, status_field::kCode, static_cast<uint64_t>(span.status));
  return close_head(room, content, at);
}

// Everything of a span that is neither list nor message, in a room of kFixedFieldBytes at least.
char* put_identity(Room& room, char* at, const trace::Span& span) {
  at = put_trace_id(at, span_field::kTraceId, span.context.trace_id);
  at = put_span_id(at, span_field::kSpanId, span.context.span_id);
  if (const std::string& list = span.context.tracestate.to_string(); !list.empty()) {
    at = room.make(at, kFixedFieldBytes + list.size());
    at = put_bytes(at, span_field::kTraceState, list);
  }
  if (span.parent_id) at = put_span_id(at, span_field::kParentSpanId, span.parent_id);
  at = put_text(room, at, span_field::kName, span.name);
  at = room.make(at, kFixedFieldBytes);
  at = put_number(at, span_field::kKind, static_cast<uint64_t>(span.kind));
  const auto start = static_cast<uint64_t>(span.start.time_since_epoch().count());
  at = put_fixed(at, span_field::kStart, start);
  return put_fixed(at, span_field::kEnd, start + static_cast<uint64_t>(span.duration.count()));
}

std::string encode_resource(const Origin& origin) {
  std::string out;
  Room room(out);
  char* at = put_attributes(room, out.data(), resource_field::kAttributes, origin.resource);
  if (const uint32_t dropped = origin.resource.dropped()) {
    at = put_number(at, resource_field::kDroppedAttributes, dropped);
  }
  room.finish(at);
  return out;
}

std::string encode_scope(const Origin& origin) {
  std::string out;
  Room room(out);
  char* at = put_text(room, out.data(), scope_field::kName, origin.scope_name);
  if (!origin.scope_version.empty()) {
    at = put_text(room, at, scope_field::kVersion, origin.scope_version);
  }
  room.finish(at);
  return out;
}

}  // namespace

void append_span(std::string& out, const trace::Span& span) {
  const size_t begin = out.size();
  Room room(out);
  char* at = room.make(out.data() + begin, 2 * kFixedFieldBytes);
  at = put_open_head(at, scope_spans_field::kSpans);
  const size_t content = room.offset(at);
  at = put_identity(room, at, span);
  at = put_attributes(room, at, span_field::kAttributes, span.attributes);
  if (const uint32_t dropped = span.attributes.dropped()) {
    at = put_number(at, span_field::kDroppedAttributes, dropped);
  }
  for (const trace::Link& link : span.links) at = put_link(room, at, link);
  at = put_status(room, room.make(at, kFixedFieldBytes), span);
  const uint32_t remote = kRemotenessKnown | (span.parent_is_remote ? kParentIsRemote : 0);
  at = put_fixed(at, span_field::kFlags, uint32_t{span.context.flags} | remote);
  room.finish(close_head(room, content, at));
}

std::string encode_request(const Origin& origin, std::string_view spans) {
  const std::string resource = encode_resource(origin);
  const std::string scope = encode_scope(origin);
  const size_t schema = origin.schema_url.empty() ? 0 : field_bytes(origin.schema_url.size());
  const size_t scope_spans = field_bytes(scope.size()) + spans.size() + schema;
  const size_t resource_spans = field_bytes(resource.size()) + field_bytes(scope_spans) + schema;

  std::string out;
  Room room(out);
  char* at = room.make(out.data(), field_bytes(resource_spans));
  at = put_head(at, request_field::kResourceSpans, resource_spans);
  at = put_bytes(at, resource_spans_field::kResource, resource);
  at = put_head(at, resource_spans_field::kScopeSpans, scope_spans);
  at = put_bytes(at, scope_spans_field::kScope, scope);
  at = put_raw(at, spans);
  if (schema > 0) {
    at = put_bytes(at, scope_spans_field::kSchemaUrl, origin.schema_url);
    at = put_bytes(at, resource_spans_field::kSchemaUrl, origin.schema_url);
  }
  room.finish(at);
  return out;
}

}  // namespace sidespan::otlp
