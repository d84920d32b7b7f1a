// What happens to a span after it ended: the worker encodes it, once, and hands spans over many at
// a time; the telemetry thread waits for a tail decision, where there is one, queues and exports.
// Keeps the accounting law: emitted = exported + dropped by a named reason + queued, every term
// counted by itself. Nothing here ever delays a worker: a full queue drops, and says so.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <numeric>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sidespan/base/clock.h"
#include "sidespan/base/log.h"
#include "sidespan/base/metrics.h"
#include "sidespan/base/random.h"
#include "sidespan/net/loop.h"
#include "sidespan/net/mailbox.h"
#include "sidespan/net/timer.h"
#include "sidespan/otlp/encode.h"
#include "sidespan/report/tail.h"
#include "sidespan/trace/span.h"
#include "sidespan/wire/pool.h"

namespace sidespan::report {

// Why a span was not exported; the values of `reason` in sidespan_spans_dropped_total.
enum class DropReason : uint8_t {
  kQueueFull,   // queue_full: the collector is slower than the agent
  kRejected,    // rejected: the collector said never (4xx), or partial success
  kTooLarge,    // too_large: one span alone is over what the collector takes (413)
  kShutdown,    // shutdown: the drain's deadline came first
  kNoExporter,  // no_exporter: nothing is configured to take it
  kRetryTime,   // retry_time: the collector put its batch off for too long
  kTail,        // tail: `sampling.tail` did not keep its trace
};
inline constexpr size_t kDropReasonCount = 7;
std::string_view name_of(DropReason reason);

struct BatchOptions {
  size_t spans_max = 512;
  size_t bytes_max = size_t{1024} * 1024;
  Milliseconds delay{1000};
  size_t queue_max = 8192;                            // spans waiting or in flight
  size_t queue_bytes_max = size_t{32} * 1024 * 1024;  // the same spans, encoded
};

struct RetryOptions {
  Milliseconds backoff_start{1000};  // ceiling of the first wait; each next one is twice as high
  Milliseconds backoff_max{30'000};  // the highest
  Milliseconds retry_after_max{300'000};  // longer wishes of a collector are cut to this
  // A request is given up that fails so long after its first attempt, or later: it must not hold up
  // the others for ever.
  Milliseconds time_max{300'000};
};

enum class OtlpProtocol : uint8_t {
  kHttp,  // http/protobuf
  kGrpc,
};

struct OtlpOptions {
  OtlpProtocol protocol = OtlpProtocol::kHttp;
  std::string host;
  uint16_t port = 4318;
  bool secure = false;              // by TLS
  size_t certificate = 0;           // of ours that is shown then, as in wire::PoolKey
  std::string path = "/v1/traces";  // of gRPC it is the service's own
  std::vector<std::pair<std::string, std::string>> headers;
  bool gzip = true;
  Milliseconds timeout{10'000};  // of one attempt
  std::string user_agent;
  size_t reply_bytes_max =
      size_t{64} * 1024;  // of a reply's body; of a longer one the status alone counts
  RetryOptions retry;
};

struct PipelineOptions {
  otlp::Origin origin;
  BatchOptions batch;
  std::optional<OtlpOptions> otlp;
  std::optional<TailOptions> tail;  // nothing: every span goes on at once
};

struct Totals {
  uint64_t emitted = 0;
  uint64_t exported = 0;
  std::array<uint64_t, kDropReasonCount> dropped{};
  uint64_t queued = 0;

  uint64_t dropped_in_sum() const {
    return std::accumulate(dropped.begin(), dropped.end(), uint64_t{0});
  }
};

// How long the last exports may take.
struct DrainLimits {
  MonoTime deadline;
  // So many attempts of one request in a row that found nobody end it, too; 0: no number does.
  int vain_attempts_max = 0;
};

// Finished spans in the order they ended, on their way to the pipeline.
struct EncodedSpans {
  std::string bytes;            // made by otlp::append_span, one behind the other
  std::vector<uint32_t> sizes;  // of each
  std::vector<TailSpan> tail;   // likewise; empty without tail sampling

  // `rules` are the pipeline's, and null where it has none.
  void add(const trace::Span& span, const TailRules* rules);
};

// Sees spans on the telemetry thread, in the order they arrive.
using SpanTap = std::function<void(const trace::Span&)>;

// What one worker counts of its spans before they reach the pipeline. Each counter has one writer.
struct WorkerTally {
  metrics::Counter sent;        // by the worker: spans it took on
  metrics::Counter arrived;     // by the telemetry thread: of those, spans the pipeline has
  metrics::Counter overflowed;  // by the worker: dropped, too much was on its way
  metrics::Counter late;        // by the worker: dropped, telemetry had ended
  // Of sent and of arrived, encoded.
  metrics::Counter bytes_sent;
  metrics::Counter bytes_arrived;
};

class Pipeline {
 public:
  // On the telemetry loop, like every call below that does not say otherwise. `pool` is the
  // telemetry thread's own. `tap`, when set, sees every span as it was (a run's tree).
  Pipeline(net::Loop& loop, wire::Pool& pool, Random random, Log& log, PipelineOptions options,
           SpanTap tap);
  ~Pipeline();

  void accept(std::span<const trace::Span> spans);
  // The same, encoded already; `tapped` are they as they were, and needed only where there is a
  // tap.
  void accept(const EncodedSpans& spans, std::span<const trace::Span> tapped);
  // Any thread.
  const BatchOptions& batch() const;
  bool has_tap() const;
  // What a worker is to read off its spans; null: nothing. Any thread.
  const TailRules* tail_rules() const;
  // While a trace is held, because a run or a turn in it is open, no silence is its end. Without
  // tail sampling nothing happens.
  void hold(const trace::TraceId& id);
  void release(const trace::TraceId& id);
  // Decides on the traces that wait, exports what is queued as fast as the collector takes it,
  // within `limits`; what is left then, and what comes after, is dropped with kShutdown. Ends as
  // soon as nothing is queued, or as the next attempt would come too late. `done` is called once,
  // later. A second call replaces the first one's limits and `done`: a deadline that has passed
  // ends it at once.
  void drain(DrainLimits limits, std::function<void()> done);

  // One snapshot, with what workers dropped on the way here: the law holds in it.
  Totals totals() const;
  void collect(metrics::Snapshot& snapshot) const;

  // Adds a worker's count to the totals for good, beyond the worker's life. Any thread.
  void attach(std::shared_ptr<const WorkerTally> tally);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// So long what a worker says of a trace may be behind what others say of it.
inline constexpr Milliseconds kGatherTimeMax{20};

// The sink of one worker: encodes spans, gathers them for a moment (that, 64 spans) and posts them
// to the pipeline together, since waking the telemetry thread costs as much as a request. Encoded
// here, a span neither moves to another thread nor is destroyed there, which would cost more.
// Bounded: while more than `queue_max` spans are on their way, new ones are dropped with kQueueFull
// and counted. The pipeline outlives what was posted to it.
class WorkerSpans final : public trace::SpanSink, private net::TurnEnd {
 public:
  // On their way there may be as many spans as the queue takes, and a quarter of its bytes.
  WorkerSpans(net::Loop& loop, net::Mailbox& telemetry, Pipeline& pipeline);
  ~WorkerSpans() override;
  WorkerSpans(const WorkerSpans&) = delete;
  WorkerSpans& operator=(const WorkerSpans&) = delete;

  void emit(trace::Span&& span) override;
  // With what is gathered. What was held and released within that moment was never held.
  bool hold(const trace::TraceId& id) override;
  // At once.
  void hold_for_others(const trace::TraceId& id) override;
  void release(const trace::TraceId& id) override;
  // Posts what is collected now.
  void flush();
  // Emitted and at once dropped here (any thread); in the pipeline's totals on both sides of the
  // law.
  uint64_t overflowed() const { return tally_->overflowed.value(); }

 private:
  void on_turn_end() override { flush(); }
  // Something more: the moment begins, where nothing waits yet.
  void gather();

  net::Loop& loop_;
  net::Timer timer_;
  net::Mailbox& telemetry_;
  Pipeline& pipeline_;
  size_t queue_max_;
  size_t bytes_max_;
  bool for_tap_;
  size_t gathered_max_;  // spans
  EncodedSpans spans_;
  std::vector<trace::Span> tapped_;  // the same; empty unless for_tap_
  std::vector<trace::TraceId> held_;
  std::vector<trace::TraceId> released_;
  size_t usual_bytes_ = 0;  // of all that are gathered, so that they need not move
  std::shared_ptr<WorkerTally> tally_;
};

}  // namespace sidespan::report
