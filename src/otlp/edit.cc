#include "sidespan/otlp/edit.h"

#include <cassert>
#include <protozero/pbf_reader.hpp>

#include "otlp/fields.h"
#include "otlp/wire_format.h"

namespace sidespan::otlp {
namespace {

std::string_view content_of(std::string_view span) {
  const char* content = span.data() + 1;
  const uint64_t size = protozero::decode_varint(&content, span.data() + span.size());
  assert(content + size == span.data() + span.size());
  return {content, size};
}

}  // namespace

std::string_view tracestate_of(std::string_view span) {
  const std::string_view content = content_of(span);
  protozero::pbf_reader reader(content.data(), content.size());
  if (!reader.next(span_field::kTraceState)) return {};
  const protozero::data_view found = reader.get_view();
  return {found.data(), found.size()};
}

std::string with_tracestate(std::string_view span, std::string_view tracestate) {
  const std::string_view old = tracestate_of(span);
  if (old.empty()) return std::string(span);
  const std::string_view content = content_of(span);
  const auto old_end = static_cast<size_t>(old.data() + old.size() - content.data());
  const size_t old_begin = old_end - field_bytes(old.size());
  const size_t field = tracestate.empty() ? 0 : field_bytes(tracestate.size());
  const size_t size = content.size() - (old_end - old_begin) + field;
  std::string out;
  out.resize_and_overwrite(size + kFieldHeadBytes, [&](char* begin, size_t) {
    char* at =
        put_raw(put_head(begin, scope_spans_field::kSpans, size), content.substr(0, old_begin));
    if (!tracestate.empty()) at = put_bytes(at, span_field::kTraceState, tracestate);
    return static_cast<size_t>(put_raw(at, content.substr(old_end)) - begin);
  });
  return out;
}

}  // namespace sidespan::otlp
