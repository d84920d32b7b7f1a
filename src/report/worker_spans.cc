#include <algorithm>
#include <utility>

#include "sidespan/report/pipeline.h"

namespace sidespan::report {
namespace {

constexpr Milliseconds kGatherTimeMax{20};
constexpr size_t kGatherSpansMax = 64;

}  // namespace

WorkerSpans::WorkerSpans(net::Loop& loop, net::Mailbox& telemetry, Pipeline& pipeline,
                         size_t queue_max)
    : loop_(loop),
      timer_(loop, [this] { flush(); }),
      telemetry_(telemetry),
      pipeline_(pipeline),
      queue_max_(queue_max),
      tally_(std::make_shared<WorkerTally>()) {
  pipeline.attach(tally_);
}

WorkerSpans::~WorkerSpans() {
  flush();
  loop_.cancel_turn_end(*this);
}

void WorkerSpans::emit(trace::Span span) {
  if (tally_->sent.value() - tally_->arrived.value() >= queue_max_) {
    tally_->overflowed.add();
    return;
  }
  tally_->sent.add();
  if (spans_.empty()) {
    spans_.reserve(kGatherSpansMax);
    timer_.start(kGatherTimeMax, true);
  }
  spans_.push_back(std::move(span));
  // Half of what may be on the way at once leaves room for what comes until it has arrived.
  if (spans_.size() >= std::min(kGatherSpansMax, (queue_max_ + 1) / 2)) loop_.at_turn_end(*this);
}

void WorkerSpans::flush() {
  timer_.stop();
  if (spans_.empty()) return;
  const size_t count = spans_.size();
  auto arrive = [pipeline = &pipeline_, tally = tally_, spans = std::exchange(spans_, {})] {
    tally->arrived.add(spans.size());
    pipeline->accept(spans);
  };
  if (!telemetry_.post(std::move(arrive))) {
    tally_->late.add(count);
  }
}

}  // namespace sidespan::report
