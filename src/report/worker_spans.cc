#include <algorithm>
#include <utility>

#include "sidespan/report/pipeline.h"

namespace sidespan::report {
namespace {

constexpr size_t kGatherSpansMax = 64;
// Of the queue's bytes a worker's spans may be so many parts on their way.
constexpr size_t kShareOnTheWay = 4;
// What is asked for ahead, however much the last spans were.
constexpr size_t kUsualBytesMax = size_t{96} * 1024;

}  // namespace

WorkerSpans::WorkerSpans(net::Loop& loop, net::Mailbox& telemetry, Pipeline& pipeline)
    : loop_(loop),
      timer_(loop, [this] { flush(); }),
      telemetry_(telemetry),
      pipeline_(pipeline),
      queue_max_(pipeline.batch().queue_max),
      bytes_max_(pipeline.batch().queue_bytes_max / kShareOnTheWay),
      for_tap_(pipeline.has_tap()),
      // Half of what may be on the way at once leaves room for what comes until it has arrived.
      gathered_max_(std::min(kGatherSpansMax, (queue_max_ + 1) / 2)),
      tally_(std::make_shared<WorkerTally>()) {
  pipeline.attach(tally_);
}

WorkerSpans::~WorkerSpans() {
  flush();
  loop_.cancel_turn_end(*this);
}

void WorkerSpans::emit(trace::Span&& span) {
  if (tally_->sent.value() - tally_->arrived.value() >= queue_max_ ||
      tally_->bytes_sent.value() - tally_->bytes_arrived.value() >= bytes_max_) {
    tally_->overflowed.add();
    return;
  }
  tally_->sent.add();
  gather();
  if (spans_.sizes.empty()) {
    spans_.sizes.reserve(gathered_max_);
    spans_.bytes.reserve(usual_bytes_);
    if (pipeline_.tail_rules() != nullptr) spans_.tail.reserve(gathered_max_);
  }
  spans_.add(span, pipeline_.tail_rules());
  tally_->bytes_sent.add(spans_.sizes.back());
  if (for_tap_) tapped_.push_back(std::move(span));
  if (spans_.sizes.size() >= gathered_max_ || spans_.bytes.size() >= bytes_max_ / 2) {
    loop_.at_turn_end(*this);
  }
}

void WorkerSpans::gather() {
  if (spans_.sizes.empty() && held_.empty() && released_.empty()) {
    timer_.start(kGatherTimeMax, true);
  }
}

bool WorkerSpans::hold(const trace::TraceId& id) {
  if (pipeline_.tail_rules() == nullptr) return false;
  gather();
  held_.push_back(id);
  if (held_.size() >= gathered_max_) loop_.at_turn_end(*this);
  return true;
}

void WorkerSpans::hold_for_others(const trace::TraceId& id) {
  if (pipeline_.tail_rules() == nullptr) return;
  telemetry_.post([pipeline = &pipeline_, id] { pipeline->hold(id); });
}

void WorkerSpans::release(const trace::TraceId& id) {
  if (pipeline_.tail_rules() == nullptr) return;
  const auto held = std::ranges::find(held_, id);
  if (held != held_.end()) {
    std::swap(*held, held_.back());
    return held_.pop_back();
  }
  gather();
  released_.push_back(id);
}

void WorkerSpans::flush() {
  timer_.stop();
  const size_t count = spans_.sizes.size();
  if (count == 0 && held_.empty() && released_.empty()) return;
  // A busy turn of the loop gathers more than it has to, and what it once needed the next one may
  // need, too: to grow would copy all that is there.
  if (count > 0) {
    const size_t usual = std::max(count, gathered_max_) + 1;
    usual_bytes_ = std::clamp(spans_.bytes.size() / count * usual, usual_bytes_, kUsualBytesMax);
  }
  auto arrive = [pipeline = &pipeline_, tally = tally_, spans = std::exchange(spans_, {}),
                 tapped = std::exchange(tapped_, {}), held = std::exchange(held_, {}),
                 released = std::exchange(released_, {})] {
    tally->arrived.add(spans.sizes.size());
    tally->bytes_arrived.add(spans.bytes.size());
    for (const trace::TraceId& id : held) pipeline->hold(id);
    pipeline->accept(spans, tapped);
    for (const trace::TraceId& id : released) pipeline->release(id);
  };
  if (!telemetry_.post(std::move(arrive))) {
    tally_->late.add(count);
  }
}

}  // namespace sidespan::report
