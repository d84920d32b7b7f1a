#include "app/run_spans.h"

#include <type_traits>
#include <variant>

#include "app/timestamp.h"
#include "sidespan/json/writer.h"

namespace sidespan::app {
namespace {

constexpr int kStartDigits = 9;

std::string_view name_of(trace::SpanKind kind) {
  switch (kind) {
    case trace::SpanKind::kInternal:
      return "internal";
    case trace::SpanKind::kServer:
      return "server";
    case trace::SpanKind::kClient:
      return "client";
    case trace::SpanKind::kProducer:
      return "producer";
    case trace::SpanKind::kConsumer:
      return "consumer";
  }
  return "";
}

std::string_view name_of(trace::SpanStatus status) {
  switch (status) {
    case trace::SpanStatus::kUnset:
      return "unset";
    case trace::SpanStatus::kOk:
      return "ok";
    case trace::SpanStatus::kError:
      return "error";
  }
  return "";
}

void write_attributes(json::Writer& writer, const trace::Attributes& attributes) {
  writer.key("attributes").begin_object();
  for (const trace::Attributes::View& attribute : attributes) {
    writer.key(attribute.key);
    std::visit(
        [&](const auto& value) {
          if constexpr (std::is_same_v<std::decay_t<decltype(value)>,
                                       std::vector<std::string_view>>) {
            writer.begin_array();
            for (const std::string_view text : value) writer.value(text);
            writer.end_array();
          } else {
            writer.value(value);
          }
        },
        attribute.value);
  }
  writer.end_object();
}

void write_links(json::Writer& writer, const std::vector<trace::Link>& links) {
  writer.key("links").begin_array();
  for (const trace::Link& link : links) {
    writer.begin_object();
    writer.member("trace_id", link.context.trace_id.to_string());
    writer.member("span_id", link.context.span_id.to_string());
    write_attributes(writer, link.attributes);
    writer.end_object();
  }
  writer.end_array();
}

void write_span(json::Writer& writer, const RunSpan& span) {
  writer.begin_object();
  writer.member("trace_id", span.trace_id.to_string());
  writer.member("span_id", span.span_id.to_string());
  writer.key("parent_id");
  span.parent_id ? writer.value(span.parent_id.to_string()) : writer.null();
  writer.member("name", span.name).member("kind", name_of(span.kind));
  writer.member("start", timestamp(span.start, kStartDigits));
  writer.member("duration_seconds", to_seconds(span.duration));
  writer.member("status", name_of(span.status));
  if (!span.status_message.empty()) writer.member("status_message", span.status_message);
  write_attributes(writer, span.attributes);
  write_links(writer, span.links);
  writer.end_object();
}

}  // namespace

RunSpan::RunSpan(const trace::Span& span)
    : trace_id(span.context.trace_id),
      span_id(span.context.span_id),
      parent_id(span.parent_id),
      name(span.name),
      kind(span.kind),
      status(span.status),
      status_message(span.status_message),
      start(span.start),
      duration(span.duration),
      attributes(span.attributes),
      links(span.links) {}

void RunRecord::add(const trace::Span& span, size_t spans_max) {
  if (spans.size() < spans_max || span.context.span_id == root) {
    spans.emplace_back(span);
  } else {
    ++left_out;
  }
}

std::string run_json(const RunRecord& run) {
  std::string out;
  json::Writer writer(out);
  writer.begin_object();
  writer.member("name", run.name).member("trace_id", run.trace_id.to_string());
  writer.member("left_out", run.left_out);
  writer.key("spans").begin_array();
  for (const RunSpan& span : run.spans) write_span(writer, span);
  writer.end_array().end_object();
  return out;
}

}  // namespace sidespan::app
