#include "sidespan/otlp/encode.h"

#include <string>

#include "otlp/fields.h"
#include "otlp/wire_format.h"
#include "sidespan/base/text.h"

namespace sidespan::otlp {
namespace {

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
  for (const char c : text) {
    if (static_cast<unsigned char>(c) >= 0x80) return false;
  }
  return true;
}

[[gnu::noinline]] std::string_view mend(std::string_view text, std::string& mended) {
  return mended = text::to_valid_utf8(std::string(text));
}

// One text that is not UTF-8 makes a receiver refuse the whole request; attributes are mended when
// they are set, names and messages here.
[[gnu::always_inline]] inline std::string_view admit(std::string_view text, std::string& mended) {
  return is_ascii(text) ? text : mend(text, mended);
}

// An element of Span.attributes begins as all of these do, but for the tag.
static_assert(trace::Attributes::kEncodedTag ==
              tag_bits(span_field::kAttributes, pbf_wire_type::length_delimited));

// The attributes of another message than Span, under the tag that they have there.
char* put_retagged(char* at, Tag tag, const trace::Attributes& attributes) {
  char* element = at;
  char* const end = put_raw(at, attributes.encoded());
  while (element != end) {
    *element++ = static_cast<char>(tag_bits(tag, pbf_wire_type::length_delimited));
    const char* content = element;
    const uint64_t size = protozero::decode_varint(&content, end);
    element += static_cast<size_t>(content - element) + size;
  }
  return end;
}

size_t link_bytes_max(const trace::Link& link) {
  return kFixedFieldBytes + link.context.tracestate.to_string().size() +
         link.attributes.encoded().size();
}

char* put_link(char* at, const trace::Link& link) {
  char* const content = at = put_open_head(at, span_field::kLinks);
  at = put_trace_id(at, link_field::kTraceId, link.context.trace_id);
  at = put_span_id(at, link_field::kSpanId, link.context.span_id);
  const std::string& tracestate = link.context.tracestate.to_string();
  if (!tracestate.empty()) at = put_bytes(at, link_field::kTraceState, tracestate);
  at = put_retagged(at, link_field::kAttributes, link.attributes);
  if (const uint32_t dropped = link.attributes.dropped()) {
    at = put_number(at, link_field::kDroppedAttributes, dropped);
  }
  // Whether a link's other end is remote is not known here, so kRemotenessKnown stays away.
  if (link.context.flags != 0) {
    at = put_fixed(at, link_field::kFlags, uint32_t{link.context.flags});
  }
  return close_head(content, at);
}

char* put_status(char* at, trace::SpanStatus status, std::string_view message) {
  if (status == trace::SpanStatus::kUnset) return at;
  char* const content = at = put_open_head(at, span_field::kStatus);
  if (status == trace::SpanStatus::kError && !message.empty()) {
    at = put_bytes(at, status_field::kMessage, message);
  }
  at = put_number(at, status_field::kCode, static_cast<uint64_t>(status));
  return close_head(content, at);
}

// Everything of a span that is neither list nor message.
char* put_identity(char* at, const trace::Span& span, std::string_view name) {
  at = put_trace_id(at, span_field::kTraceId, span.context.trace_id);
  at = put_span_id(at, span_field::kSpanId, span.context.span_id);
  const std::string& tracestate = span.context.tracestate.to_string();
  if (!tracestate.empty()) at = put_bytes(at, span_field::kTraceState, tracestate);
  if (span.parent_id) at = put_span_id(at, span_field::kParentSpanId, span.parent_id);
  at = put_bytes(at, span_field::kName, name);
  at = put_number(at, span_field::kKind, static_cast<uint64_t>(span.kind));
  const auto start = static_cast<uint64_t>(span.start.time_since_epoch().count());
  at = put_fixed(at, span_field::kStart, start);
  return put_fixed(at, span_field::kEnd, start + static_cast<uint64_t>(span.duration.count()));
}

char* put_span(char* at, const trace::Span& span, std::string_view name, std::string_view message) {
  char* const content = at = put_open_head(at, scope_spans_field::kSpans);
  at = put_identity(at, span, name);
  at = put_raw(at, span.attributes.encoded());
  if (const uint32_t dropped = span.attributes.dropped()) {
    at = put_number(at, span_field::kDroppedAttributes, dropped);
  }
  for (const trace::Link& link : span.links) at = put_link(at, link);
  at = put_status(at, span.status, message);
  const uint32_t remote = kRemotenessKnown | (span.parent_is_remote ? kParentIsRemote : 0);
  at = put_fixed(at, span_field::kFlags, uint32_t{span.context.flags} | remote);
  return close_head(content, at);
}

// Appends what put(at) writes, which returns where it ended, at most `bytes_max` further.
template <class Put>
void append(std::string& out, size_t bytes_max, Put put) {
  const size_t used = out.size();
  out.resize_and_overwrite(used + bytes_max, [&](char* begin, size_t) {
    return static_cast<size_t>(put(begin + used) - begin);
  });
}

std::string encode_resource(const Origin& origin) {
  std::string out;
  append(out, kFixedFieldBytes + origin.resource.encoded().size(), [&](char* at) {
    at = put_retagged(at, resource_field::kAttributes, origin.resource);
    const uint32_t dropped = origin.resource.dropped();
    return dropped == 0 ? at : put_number(at, resource_field::kDroppedAttributes, dropped);
  });
  return out;
}

std::string encode_scope(const Origin& origin) {
  std::string mended_name;
  std::string mended_version;
  const std::string_view name = admit(origin.scope_name, mended_name);
  const std::string_view version = admit(origin.scope_version, mended_version);
  std::string out;
  append(out, kFixedFieldBytes + name.size() + version.size(), [&](char* at) {
    at = put_bytes(at, scope_field::kName, name);
    return version.empty() ? at : put_bytes(at, scope_field::kVersion, version);
  });
  return out;
}

}  // namespace

void append_span(std::string& out, const trace::Span& span) {
  std::string mended_name;
  std::string mended_message;
  const std::string_view name = admit(span.name, mended_name);
  const std::string_view message = admit(span.status_message, mended_message);
  size_t bytes_max = 2 * kFixedFieldBytes + name.size() + message.size() +
                     span.context.tracestate.to_string().size() + span.attributes.encoded().size();
  for (const trace::Link& link : span.links) bytes_max += link_bytes_max(link);
  append(out, bytes_max, [&](char* at) { return put_span(at, span, name, message); });
}

Envelope encode_envelope(const Origin& origin, size_t spans_bytes) {
  const std::string resource = encode_resource(origin);
  const std::string scope = encode_scope(origin);
  const std::string& schema = origin.schema_url;
  const size_t schema_bytes = schema.empty() ? 0 : field_bytes(schema.size());
  const size_t scope_spans = field_bytes(scope.size()) + spans_bytes + schema_bytes;
  const size_t resource_spans =
      field_bytes(resource.size()) + field_bytes(scope_spans) + schema_bytes;

  Envelope out;
  append(out.before, kFixedFieldBytes + resource.size() + scope.size(), [&](char* at) {
    at = put_head(at, request_field::kResourceSpans, resource_spans);
    at = put_bytes(at, resource_spans_field::kResource, resource);
    at = put_head(at, resource_spans_field::kScopeSpans, scope_spans);
    return put_bytes(at, scope_spans_field::kScope, scope);
  });
  if (schema.empty()) return out;
  append(out.behind, 2 * schema_bytes, [&](char* at) {
    at = put_bytes(at, scope_spans_field::kSchemaUrl, schema);
    return put_bytes(at, resource_spans_field::kSchemaUrl, schema);
  });
  return out;
}

}  // namespace sidespan::otlp
