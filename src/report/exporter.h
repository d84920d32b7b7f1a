// One request at a time to a collector over OTLP/HTTP or OTLP/gRPC, tried until it is decided:
// taken, refused, too large. Owns attempts, timeouts, waiting and the log lines about a collector
// that is down; what a decision means for the spans is Pipeline's part, what an answer means is
// Answer's. Waits are the collector's, not the request's: one that was given up leaves them to the
// next.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "report/answer.h"
#include "report/retry.h"
#include "sidespan/base/log.h"
#include "sidespan/base/random.h"
#include "sidespan/http/message.h"
#include "sidespan/net/loop.h"
#include "sidespan/net/timer.h"
#include "sidespan/report/pipeline.h"
#include "sidespan/wire/pool.h"

namespace sidespan::report {

// How a request ended.
struct Decision {
  enum class Kind : uint8_t {
    kAccepted,
    kTooLarge,
    kRefused,
    kRetriedTooLong,
    kGivenUp
  } kind = Kind::kGivenUp;
  std::string status = {};   // of the answer; empty: given up without one
  uint64_t rejected = 0;     // kAccepted: spans of it that were not taken
  std::string message = {};  // kAccepted: why, in the collector's words
};

class Exporter final : private wire::OriginStreamOwner {
 public:
  // Called last of all in whatever led to it; may send() again.
  using OnDecision = std::function<void(const Decision&)>;

  Exporter(net::Loop& loop, wire::Pool& pool, Random random, Log& log, OtlpOptions options,
           OnDecision on_decision);

  bool busy() const { return state_ != State::kIdle; }
  // An encoded request, at once or when a wait is over; on_decision follows, never within the call.
  // Not while busy.
  void send(std::string_view request);
  // From now on requests are given up when `limits` say so, and a wait that is under way ends now.
  void hurry(const DrainLimits& limits);
  // Forgets the request under way, silently.
  void cancel();

 private:
  enum class State : uint8_t { kIdle, kSending, kWaiting };

  void on_origin_event(http::Event&& event) override;

  void attempt(bool fresh);
  void on_stream(Result<wire::OriginStreamPtr> stream);
  void read_body(const Chain& data);
  void on_reset(const Error& error);
  void on_time();
  void answered(bool whole);
  void failed(std::string_view cause, std::optional<Milliseconds> wish);
  // Whether the request ends with an attempt that failed just now.
  std::optional<Decision::Kind> end_of(MonoTime now) const;
  void wait();  // for next_attempt_
  void decide(const Decision& decision);
  void hang_up();

  net::Loop& loop_;
  wire::Pool& pool_;
  Random random_;
  Log& log_;
  OtlpOptions options_;
  OnDecision on_decision_;
  wire::PoolKey key_;
  http::Head head_;       // of every request, but for the length
  std::string endpoint_;  // host and port, for the log

  State state_ = State::kIdle;
  std::string body_;
  Backoff backoff_;
  net::Timer timer_;         // of the attempt or of the wait
  MonoTime began_{};         // the request's first attempt
  MonoTime next_attempt_{};  // of whatever request, not before
  std::optional<DrainLimits> drain_;
  int vain_attempts_ = 0;  // in a row, that found no collector
  std::unique_ptr<wire::Pool::Waiting> connecting_;
  wire::OriginStreamPtr stream_;
  bool fresh_ = false;
  bool silent_ = false;  // the last attempt heard nothing
  Answer answer_;
  std::optional<MonoTime> down_since_;
};

}  // namespace sidespan::report
