#include "sidespan/report/pipeline.h"

#include <algorithm>
#include <mutex>

#include "report/batch.h"
#include "report/exporter.h"
#include "report/notice.h"
#include "report/tail_sampler.h"
#include "sidespan/net/timer.h"

namespace sidespan::report {
namespace {

constexpr std::array kReasons = {
    DropReason::kQueueFull,  DropReason::kRejected,  DropReason::kTooLarge, DropReason::kShutdown,
    DropReason::kNoExporter, DropReason::kRetryTime, DropReason::kTail};
static_assert(kReasons.size() == kDropReasonCount);

// Traces that are over at nearly the same time are decided together.
constexpr Milliseconds kTailPulse{20};

constexpr size_t index_of(DropReason reason) {
  return static_cast<size_t>(reason);
}

// What all workers dropped before their spans came here.
struct Lost {
  uint64_t overflowed = 0;
  uint64_t late = 0;
};

void collect_tail(const TailSampler& tail, metrics::Snapshot& snapshot) {
  using metrics::Kind;
  const auto add = [&](std::string_view name, std::string_view help, Kind kind, uint64_t value,
                       std::string_view label, std::string_view of) {
    metrics::Sample sample;
    if (!label.empty()) sample.labels = {{std::string(label), std::string(of)}};
    sample.value = static_cast<double>(value);
    metrics::merge(snapshot, name, help, kind, std::move(sample));
  };
  const TailSampler::Counts& counts = tail.counts();
  constexpr std::string_view kDecisions = "Traces on which sampling.tail has decided.";
  add("sidespan_tail_decisions", kDecisions, Kind::kCounter, counts.kept, "decision", "keep");
  add("sidespan_tail_decisions", kDecisions, Kind::kCounter, counts.dropped, "decision", "drop");
  for (size_t i = 0; i < counts.early.size(); ++i) {
    add("sidespan_tail_early", "Of these, traces that were not over: a limit was reached.",
        Kind::kCounter, counts.early[i], "limit",
        TailSampler::name_of(static_cast<TailSampler::Early>(i)));
  }
  add("sidespan_tail_partial", "Dropped traces that a late span had kept from then on.",
      Kind::kCounter, counts.partial, "", "");
  add("sidespan_tail_traces", "Traces that wait for a decision.", Kind::kGauge, tail.traces(), "",
      "");
  add("sidespan_tail_spans", "Spans of these.", Kind::kGauge, tail.spans(), "", "");
  add("sidespan_tail_bytes", "The same, encoded.", Kind::kGauge, tail.bytes(), "", "");
}

}  // namespace

std::string_view name_of(DropReason reason) {
  switch (reason) {
    case DropReason::kQueueFull:
      return "queue_full";
    case DropReason::kRejected:
      return "rejected";
    case DropReason::kTooLarge:
      return "too_large";
    case DropReason::kShutdown:
      return "shutdown";
    case DropReason::kNoExporter:
      return "no_exporter";
    case DropReason::kRetryTime:
      return "retry_time";
    case DropReason::kTail:
      return "tail";
  }
  return "queue_full";
}

void EncodedSpans::add(const trace::Span& span, const TailRules* rules) {
  const size_t begin = bytes.size();
  otlp::append_span(bytes, span);
  sizes.push_back(static_cast<uint32_t>(bytes.size() - begin));
  if (rules != nullptr) tail.push_back(rules->read(span));
}

struct Pipeline::Impl {
  Impl(net::Loop& loop, wire::Pool& pool, Random random, Log& log, PipelineOptions options,
       SpanTap tap);

  void accept(const EncodedSpans& spans, std::span<const trace::Span> tapped);
  // Until their traces are decided.
  void wait(const EncodedSpans& spans);
  // Encoded spans, one behind the other.
  void take(std::string_view spans, std::span<const uint32_t> sizes);
  void drop(DropReason reason, uint64_t spans);
  void advance();
  void decide_tail();
  // Spans for which there was no place in the queue.
  uint64_t left_out() const { return dropped[index_of(DropReason::kQueueFull)]; }
  void feed();
  void on_decision(const Decision& decision);
  void on_accepted(const Decision& decision);
  void on_too_large();
  void drain(const DrainLimits& limits, std::function<void()> done);
  void end();
  void notice_overflow();
  Lost lost() const;
  Totals totals() const;

  net::Loop& loop;
  Log& log;
  otlp::Origin origin;
  SpanTap tap;
  BatchOptions batch;
  BatchQueue queue;
  std::unique_ptr<TailSampler> tail;   // null: every span goes on at once
  std::unique_ptr<Exporter> exporter;  // null: none is configured
  net::Timer batch_timer;
  net::Timer drain_timer;
  net::Timer tail_timer;
  MonoTime tail_due{};  // what it is for
  std::function<void()> drained;
  bool draining = false;
  bool ended = false;

  // Each term of the law by itself; what is queued is counted by the queue.
  uint64_t emitted = 0;
  uint64_t exported = 0;
  std::array<uint64_t, kDropReasonCount> dropped{};
  uint64_t left_out_before = 0;  // when the export under way was sent

  mutable std::mutex tallies_mutex;  // workers attach from their threads
  std::vector<std::shared_ptr<const WorkerTally>> tallies;
  uint64_t noticed_overflow = 0;

  Notice full_notice;
  Notice refused_notice;
  Notice large_notice;
  Notice late_notice;
  Notice warning_notice;
};

Pipeline::Impl::Impl(net::Loop& on_loop, wire::Pool& pool, Random random, Log& to_log,
                     PipelineOptions options, SpanTap span_tap)
    : loop(on_loop),
      log(to_log),
      origin(std::move(options.origin)),
      tap(std::move(span_tap)),
      batch(options.batch),
      queue(options.batch,
            otlp::encode_envelope(origin, options.batch.queue_bytes_max).before.size()),
      batch_timer(loop, [this] { advance(); }),
      drain_timer(loop, [this] { end(); }),
      tail_timer(loop, [this] { decide_tail(); }),
      full_notice(loop, log, "spans were dropped, the queue is full"),
      refused_notice(loop, log, "spans were dropped, the collector refused them"),
      large_notice(loop, log, "spans were dropped, each alone is too large"),
      late_notice(loop, log, "spans were dropped, the collector put them off for too long"),
      warning_notice(loop, log, "the collector took spans with a warning") {
  // Where nothing is exported there is nothing to wait for.
  if (!options.otlp) return;
  if (options.tail) {
    tail = std::make_unique<TailSampler>(
        *std::move(options.tail),
        [this](std::string_view span) {
          const auto size = static_cast<uint32_t>(span.size());
          take(span, {&size, 1});
        },
        [this](uint64_t spans) { drop(DropReason::kTail, spans); });
  }
  exporter =
      std::make_unique<Exporter>(loop, pool, random, log, *std::move(options.otlp),
                                 [this](const Decision& decision) { on_decision(decision); });
}

void Pipeline::Impl::accept(const EncodedSpans& spans, std::span<const trace::Span> tapped) {
  if (tap) {
    for (const trace::Span& span : tapped) tap(span);
  }
  emitted += spans.sizes.size();
  tail ? wait(spans) : take(spans.bytes, spans.sizes);
  notice_overflow();
  decide_tail();
}

void Pipeline::Impl::wait(const EncodedSpans& spans) {
  const MonoTime now = loop.now().mono;
  std::string_view rest = spans.bytes;
  for (size_t i = 0; i < spans.sizes.size(); ++i) {
    const std::string_view span = rest.substr(0, spans.sizes[i]);
    tail->add(spans.tail[i], span, now);
    rest.remove_prefix(span.size());
  }
}

void Pipeline::Impl::take(std::string_view spans, std::span<const uint32_t> sizes) {
  if (!exporter) return drop(DropReason::kNoExporter, sizes.size());
  if (ended) return drop(DropReason::kShutdown, sizes.size());
  const BatchQueue::LeftOut left_out = queue.push(spans, sizes, loop.now().mono);
  // One by one, as they came: the log tells of the first at once.
  for (uint64_t i = 0; i < left_out.queue_full; ++i) drop(DropReason::kQueueFull, 1);
  for (uint64_t i = 0; i < left_out.too_large; ++i) drop(DropReason::kTooLarge, 1);
}

// What waits for its trace is decided when that is over; at the end of it all at once.
void Pipeline::Impl::decide_tail() {
  if (tail && ended) tail->flush();
  if (tail && !draining) {
    const MonoTime now = loop.now().mono;
    if (!tail_timer.active()) tail->advance(now);
    // A trace that is held, or was, may be due later than one that came after it.
    const std::optional<MonoTime> due = tail->due();
    if (due && (!tail_timer.active() || *due < tail_due)) {
      tail_due = *due;
      tail_timer.start(std::max(std::chrono::ceil<Milliseconds>(*due - now), kTailPulse));
    }
  }
  advance();
}

// During a drain, as many traces as the queue has room for: more would be lost there.
void Pipeline::Impl::feed() {
  if (!tail || !draining) return;
  while (!tail->empty()) {
    const bool fits = queue.spans() + tail->oldest_spans() <= batch.queue_max &&
                      queue.bytes() + tail->oldest_bytes() <= batch.queue_bytes_max;
    if (!fits && !queue.empty()) return;
    tail->decide_oldest();
  }
}

void Pipeline::Impl::drop(DropReason reason, uint64_t spans) {
  if (spans == 0) return;
  dropped[index_of(reason)] += spans;
  if (reason == DropReason::kQueueFull) full_notice.add(spans, "the collector is too slow");
  if (reason == DropReason::kTooLarge) large_notice.add(spans, "a limit on bytes");
}

// What stands first in the queue goes out, when it is due and nothing else is under way.
void Pipeline::Impl::advance() {
  if (!exporter || exporter->busy() || ended) return;
  feed();
  if (queue.empty()) {
    // Not now: whoever asked for the drain may be the caller.
    if (draining) drain_timer.start(Milliseconds(0));
    return;
  }
  const MonoTime now = loop.now().mono;
  if (!draining && queue.due() > now) {
    if (!batch_timer.active()) {
      batch_timer.start(std::chrono::ceil<Milliseconds>(queue.due() - now));
    }
    return;
  }
  batch_timer.stop();
  Batch& first = queue.close_first();
  const otlp::Envelope envelope = otlp::encode_envelope(origin, first.bytes());
  left_out_before = left_out();
  exporter->send(first.between(envelope.before, envelope.behind));
}

void Pipeline::Impl::on_decision(const Decision& decision) {
  switch (decision.kind) {
    case Decision::Kind::kAccepted:
      on_accepted(decision);
      break;
    case Decision::Kind::kTooLarge:
      on_too_large();
      break;
    case Decision::Kind::kRefused: {
      const size_t spans = queue.pop_first();
      drop(DropReason::kRejected, spans);
      refused_notice.add(spans, "status " + decision.status);
      break;
    }
    case Decision::Kind::kRetriedTooLong: {
      // In nobody's way it goes on waiting.
      if (queue.spans() == queue.close_first().count() && left_out() == left_out_before) break;
      const size_t spans = queue.pop_first();
      drop(DropReason::kRetryTime, spans);
      late_notice.add(
          spans, decision.status.empty() ? std::string("no answer") : "status " + decision.status);
      break;
    }
    case Decision::Kind::kGivenUp:
      drain_timer.start(Milliseconds(0));
      return;
  }
  advance();
}

void Pipeline::Impl::on_accepted(const Decision& decision) {
  const uint64_t spans = queue.pop_first();
  const uint64_t rejected = std::min(decision.rejected, spans);
  exported += spans - rejected;
  drop(DropReason::kRejected, rejected);
  if (rejected > 0) {
    refused_notice.add(rejected, decision.message);
  } else if (!decision.message.empty()) {
    warning_notice.add(spans, decision.message);
  }
}

void Pipeline::Impl::on_too_large() {
  if (queue.close_first().count() > 1) return queue.split_first();
  drop(DropReason::kTooLarge, queue.pop_first());
}

void Pipeline::Impl::drain(const DrainLimits& limits, std::function<void()> done) {
  drained = std::move(done);
  draining = true;
  const MonoTime now = loop.now().mono;
  feed();
  if (!exporter || queue.empty() || limits.deadline <= now) {
    drain_timer.start(Milliseconds(0));
    return;
  }
  drain_timer.start(std::chrono::ceil<Milliseconds>(limits.deadline - now));
  exporter->hurry(limits);
  advance();
}

void Pipeline::Impl::end() {
  ended = true;
  batch_timer.stop();
  tail_timer.stop();
  if (exporter) exporter->cancel();
  // What would have been kept comes too late now.
  if (tail) tail->flush();
  uint64_t left = 0;
  while (!queue.empty()) left += queue.pop_first();
  drop(DropReason::kShutdown, left);
  if (left > 0) {
    log.write(LogLevel::kWarn, "spans were dropped at the end, the collector did not take them",
              {{"spans", std::to_string(left)}});
  }
  if (drained) std::exchange(drained, {})();
}

void Pipeline::Impl::notice_overflow() {
  const uint64_t overflowed = lost().overflowed;
  if (overflowed == noticed_overflow) return;
  full_notice.add(overflowed - std::exchange(noticed_overflow, overflowed),
                  "the telemetry thread is too slow");
}

Lost Pipeline::Impl::lost() const {
  const std::scoped_lock lock(tallies_mutex);
  Lost sum;
  for (const auto& tally : tallies) {
    sum.overflowed += tally->overflowed.value();
    sum.late += tally->late.value();
  }
  return sum;
}

Totals Pipeline::Impl::totals() const {
  const Lost on_the_way = lost();
  Totals totals;
  totals.emitted = emitted + on_the_way.overflowed + on_the_way.late;
  totals.exported = exported;
  totals.dropped = dropped;
  totals.dropped[index_of(DropReason::kQueueFull)] += on_the_way.overflowed;
  totals.dropped[index_of(DropReason::kShutdown)] += on_the_way.late;
  totals.queued = queue.spans() + (tail ? tail->spans() : 0);
  return totals;
}

Pipeline::Pipeline(net::Loop& loop, wire::Pool& pool, Random random, Log& log,
                   PipelineOptions options, SpanTap tap)
    : impl_(std::make_unique<Impl>(loop, pool, random, log, std::move(options), std::move(tap))) {}

Pipeline::~Pipeline() = default;

void Pipeline::accept(std::span<const trace::Span> spans) {
  EncodedSpans encoded;
  for (const trace::Span& span : spans) encoded.add(span, tail_rules());
  impl_->accept(encoded, spans);
}

void Pipeline::accept(const EncodedSpans& spans, std::span<const trace::Span> tapped) {
  impl_->accept(spans, tapped);
}

bool Pipeline::has_tap() const {
  return static_cast<bool>(impl_->tap);
}

const BatchOptions& Pipeline::batch() const {
  return impl_->batch;
}

const TailRules* Pipeline::tail_rules() const {
  return impl_->tail ? &impl_->tail->rules() : nullptr;
}

void Pipeline::hold(const trace::TraceId& id) {
  if (impl_->tail) impl_->tail->hold(id);
}

void Pipeline::release(const trace::TraceId& id) {
  if (!impl_->tail) return;
  impl_->tail->release(id, impl_->loop.now().mono);
  impl_->decide_tail();
}

void Pipeline::drain(DrainLimits limits, std::function<void()> done) {
  impl_->drain(limits, std::move(done));
}

Totals Pipeline::totals() const {
  return impl_->totals();
}

void Pipeline::collect(metrics::Snapshot& snapshot) const {
  using metrics::Kind;
  const std::string exporter = impl_->exporter ? "otlp" : "none";
  const auto add = [&](std::string_view name, std::string_view help, Kind kind, uint64_t value,
                       std::string_view reason) {
    metrics::Sample sample;
    sample.labels = {{"exporter", exporter}};
    if (!reason.empty()) sample.labels.push_back({"reason", std::string(reason)});
    sample.value = static_cast<double>(value);
    metrics::merge(snapshot, name, help, kind, std::move(sample));
  };
  const Totals now = totals();
  add("sidespan_spans_emitted", "Spans that ended and entered the pipeline.", Kind::kCounter,
      now.emitted, "");
  add("sidespan_spans_exported", "Spans the collector took.", Kind::kCounter, now.exported, "");
  for (const DropReason reason : kReasons) {
    add("sidespan_spans_dropped", "Spans that were not exported.", Kind::kCounter,
        now.dropped[index_of(reason)], name_of(reason));
  }
  add("sidespan_spans_queued", "Spans that wait or are being exported.", Kind::kGauge, now.queued,
      "");
  if (impl_->tail) collect_tail(*impl_->tail, snapshot);
}

void Pipeline::attach(std::shared_ptr<const WorkerTally> tally) {
  const std::scoped_lock lock(impl_->tallies_mutex);
  impl_->tallies.push_back(std::move(tally));
}

}  // namespace sidespan::report
