// One operation, as OpenTelemetry's trace API has it. While it is being made its owner fills it in;
// once emitted into a SpanSink it is a plain record that moves, and is never copied. The sampled
// decision is made before: only sampled spans exist.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "sidespan/base/clock.h"
#include "sidespan/trace/attributes.h"
#include "sidespan/trace/context.h"

namespace sidespan::trace {

// The numbers are OTLP's.
enum class SpanKind : uint8_t {
  kInternal = 1,
  kServer = 2,
  kClient = 3,
  kProducer = 4,
  kConsumer = 5
};
enum class SpanStatus : uint8_t { kUnset = 0, kOk = 1, kError = 2 };

struct Link {
  SpanContext context;
  Attributes attributes;
};

struct Span {
  explicit Span(AttributeLimits limits = {}) : attributes(limits) {}
  Span(Span&&) = default;
  Span& operator=(Span&&) = default;
  Span(const Span&) = delete;
  Span& operator=(const Span&) = delete;

  SpanContext context;  // trace id, own span id, flags, tracestate
  SpanId parent_id;     // zero: a root
  bool parent_is_remote = false;
  SpanKind kind = SpanKind::kClient;
  SpanStatus status = SpanStatus::kUnset;
  std::string status_message;  // only where no attribute says it
  std::string name;
  WallTime start{};
  Nanoseconds duration{0};  // from the monotonic clock, never negative
  Attributes attributes;
  std::vector<Link> links;
};

// Where finished spans go, which take of a span what they need. Called on the thread that finished
// it; must not block.
class SpanSink {
 public:
  virtual ~SpanSink() = default;
  virtual void emit(Span&& span) = 0;
  // Between them more spans of the trace are to come, however long it is silent. Holds of one trace
  // add up; a release comes after the spans that the same thread emitted before it. False: nobody
  // waits for a trace's end, and no release is wanted.
  virtual bool hold(const TraceId&) { return false; }
  // The same, where another thread may release it.
  virtual void hold_for_others(const TraceId&) {}
  virtual void release(const TraceId&) {}
};

}  // namespace sidespan::trace
