// What a collector's answer means for the batch (OTLP 1.11, "OTLP/HTTP Response"), and how long to
// wait before the next attempt. Pure: exporter brings the answer, the time and the randomness.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string_view>

#include "sidespan/base/clock.h"
#include "sidespan/base/random.h"
#include "sidespan/report/pipeline.h"

namespace sidespan::report {

enum class Verdict : uint8_t {
  kAccepted,  // 2xx; perhaps a partial success
  kRetry,     // 429, 502, 503, 504: the same bytes may be taken later
  kTooLarge,  // 413: smaller batches may be taken
  kRefused,   // anything else: never
};
Verdict judge(int status);
// The same of OTLP/gRPC. `retry_info`: the answer says when to come again (google.rpc.RetryInfo),
// which makes one without resources a request that may be taken later.
Verdict judge_grpc_status(uint32_t status, bool retry_info);

// How long a collector's wish to wait is followed; nothing, where that is no time at all: the
// backoff decides then.
std::optional<Milliseconds> wish_within(Milliseconds wait, Milliseconds wait_max);

// Retry-After (RFC 9110 section 10.2.3) as a wait, at most `wait_max`. Seconds, or a date that is
// compared with `date`, the answer's own, where it has a good one, else with `now`. Nothing when it
// is absent (empty), garbage, zero or past.
std::optional<Milliseconds> parse_retry_after(std::string_view value, std::string_view date,
                                              WallTime now, Milliseconds wait_max);

// Exponential, with full jitter: each wait is drawn from zero up to a ceiling that doubles.
class Backoff {
 public:
  explicit Backoff(const RetryOptions& options) : options_(options), ceiling_(first()) {}

  Milliseconds next(Random& random);
  void reset() { ceiling_ = first(); }

 private:
  Milliseconds first() const { return std::min(options_.backoff_start, options_.backoff_max); }

  RetryOptions options_;
  Milliseconds ceiling_;
};

}  // namespace sidespan::report
