#include "report/exporter.h"

#include <array>
#include <cassert>
#include <utility>

#include "sidespan/http/uri.h"
#include "sidespan/report/otlp_request.h"

namespace sidespan::report {
namespace {

constexpr std::string_view kHttp2 = "2";

}  // namespace

Exporter::Exporter(net::Loop& loop, wire::Pool& pool, Random random, Log& log, OtlpOptions options,
                   OnDecision on_decision)
    : loop_(loop),
      pool_(pool),
      random_(random),
      log_(log),
      options_(std::move(options)),
      on_decision_(std::move(on_decision)),
      key_(export_key(options_)),
      head_(export_head(options_)),
      endpoint_(http::Authority{options_.host, options_.port}.to_string()),
      backoff_(options_.retry),
      timer_(loop, [this] { on_time(); }) {}

void Exporter::send(std::string_view request) {
  assert(!busy());
  body_ = export_body(options_, {&request, 1});
  began_ = std::max(loop_.now().mono, next_attempt_);
  if (next_attempt_ > loop_.now().mono) return wait();
  attempt(false);
}

void Exporter::hurry(const DrainLimits& limits) {
  drain_ = limits;
  vain_attempts_ = 0;
  backoff_.reset();
  next_attempt_ = {};
  if (state_ == State::kWaiting) attempt(false);
}

void Exporter::cancel() {
  hang_up();
  timer_.stop();
  state_ = State::kIdle;
}

void Exporter::attempt(bool fresh) {
  fresh = std::exchange(silent_, false) || fresh;
  state_ = State::kSending;
  fresh_ = fresh;
  answer_ = Answer(options_.protocol);
  timer_.start(options_.timeout);
  wire::OriginStreamPtr idle = fresh ? nullptr : pool_.acquire(key_, *this, true);
  if (idle) return on_stream(std::move(idle));
  connecting_ =
      pool_.dial(key_, *this, [this](auto stream) { on_stream(std::move(stream)); }, fresh);
}

void Exporter::on_stream(Result<wire::OriginStreamPtr> stream) {
  if (!stream) {
    ++vain_attempts_;
    return failed(stream.error().what, std::nullopt);
  }
  vain_attempts_ = 0;
  stream_ = std::move(*stream);
  if (options_.protocol == OtlpProtocol::kGrpc && stream_->protocol() != kHttp2) {
    hang_up();
    return failed("it does not speak HTTP/2, which gRPC needs", std::nullopt);
  }
  http::Head head = head_;
  head.body = http::BodyLength::known(body_.size());
  stream_->send({0, std::move(head)});
  stream_->send({0, http::Body{Chain(body_)}});
  stream_->send({0, http::End{}});
}

void Exporter::on_origin_event(http::Event&& event) {
  if (auto* head = std::get_if<http::Head>(&event.what)) return answer_.on_head(*head);
  if (auto* body = std::get_if<http::Body>(&event.what)) return read_body(body->data);
  if (auto* trailers = std::get_if<http::Trailers>(&event.what)) {
    return answer_.on_trailers(trailers->fields);
  }
  if (std::holds_alternative<http::End>(event.what)) return answered(true);
  if (auto* reset = std::get_if<http::Reset>(&event.what)) return on_reset(reset->error);
}

void Exporter::read_body(const Chain& data) {
  if (!answer_.on_body(data, options_.reply_bytes_max)) return answered(false);
  stream_->consumed(data.size());
}

void Exporter::on_reset(const Error& error) {
  if (answer_.begun()) return answered(false);
  // An idle connection that the collector closed just then says nothing about the collector.
  const bool stale = (stream_->reused() || error.retryable) && !fresh_;
  hang_up();
  if (stale) return attempt(true);
  failed(error.what, std::nullopt);
}

void Exporter::on_time() {
  if (state_ == State::kWaiting) return attempt(false);
  // A connection that died unseen is not asked twice; one of HTTP/2 outlives its streams.
  silent_ = true;
  if (answer_.begun()) return answered(false);
  hang_up();
  failed("no answer within " + std::to_string(options_.timeout.count()) + " ms", std::nullopt);
}

void Exporter::answered(bool whole) {
  hang_up();
  Judgement judged =
      answer_.judge(whole, loop_.now().wall, options_.retry, options_.reply_bytes_max);
  switch (judged.verdict) {
    case Verdict::kAccepted:
      return decide({Decision::Kind::kAccepted, answer_.status(), judged.rejected,
                     std::move(judged.message)});
    case Verdict::kTooLarge:
      return decide({Decision::Kind::kTooLarge, answer_.status()});
    case Verdict::kRefused:
      return decide({Decision::Kind::kRefused, answer_.status()});
    case Verdict::kRetry:
      return failed("status " + answer_.status(), judged.wait);
  }
}

void Exporter::failed(std::string_view cause, std::optional<Milliseconds> wish) {
  if (!down_since_) {
    down_since_ = loop_.now().mono;
    log_.write(LogLevel::kWarn, "the collector does not take spans, they wait",
               {{"collector", endpoint_}, {"cause", cause}});
  }
  const MonoTime now = loop_.now().mono;
  next_attempt_ = now + (wish ? *wish : backoff_.next(random_));
  if (const auto end = end_of(now)) return decide({*end, answer_.status()});
  wait();
}

std::optional<Decision::Kind> Exporter::end_of(MonoTime now) const {
  if (drain_ && next_attempt_ >= drain_->deadline) return Decision::Kind::kGivenUp;
  if (drain_ && drain_->vain_attempts_max > 0 && vain_attempts_ >= drain_->vain_attempts_max) {
    return Decision::Kind::kGivenUp;
  }
  // By the time that has passed: to be asked to wait ends no request by itself.
  if (now - began_ >= options_.retry.time_max) return Decision::Kind::kRetriedTooLong;
  return std::nullopt;
}

void Exporter::wait() {
  state_ = State::kWaiting;
  timer_.start(std::chrono::ceil<Milliseconds>(next_attempt_ - loop_.now().mono));
}

void Exporter::decide(const Decision& decision) {
  timer_.stop();
  state_ = State::kIdle;
  const bool answered =
      decision.kind != Decision::Kind::kGivenUp && decision.kind != Decision::Kind::kRetriedTooLong;
  if (answered) {
    backoff_.reset();
    next_attempt_ = {};
  }
  if (down_since_ && answered) {
    const double seconds = to_seconds(loop_.now().mono - *std::exchange(down_since_, {}));
    log_.write(LogLevel::kInfo, "the collector answers again",
               {{"collector", endpoint_}, {"seconds", std::to_string(seconds)}});
  }
  on_decision_(decision);
}

void Exporter::hang_up() {
  stream_.reset();
  connecting_.reset();
}

}  // namespace sidespan::report
