// What a run keeps of its spans: a bounded copy of each, for the tree and for `--print json`. The
// spans themselves go on to the pipeline. Filled by the pipeline's tap on the telemetry thread,
// read when that thread has ended.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "sidespan/trace/span.h"

namespace sidespan::app {

struct RunSpan {
  explicit RunSpan(const trace::Span& span);
  RunSpan() = default;

  trace::TraceId trace_id;
  trace::SpanId span_id;
  trace::SpanId parent_id;  // zero: a root
  std::string name;
  trace::SpanKind kind = trace::SpanKind::kClient;
  trace::SpanStatus status = trace::SpanStatus::kUnset;
  std::string status_message;
  WallTime start{};
  Nanoseconds duration{0};
  trace::Attributes attributes;
  std::vector<trace::Link> links;
};

// A run as it is told when it is over.
struct RunRecord {
  std::string name;  // the command's
  trace::TraceId trace_id;
  trace::SpanId root;
  std::vector<RunSpan> spans;
  uint64_t left_out = 0;  // beyond the limit; they were exported nevertheless

  // Keeps a copy while there are fewer than `spans_max`; the run's own span always has room.
  void add(const trace::Span& span, size_t spans_max);
};

// One line, one document: the run and its spans in the order they ended.
std::string run_json(const RunRecord& run);

}  // namespace sidespan::app
