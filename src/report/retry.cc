#include "report/retry.h"

#include <algorithm>

#include "report/http_date.h"
#include "sidespan/base/text.h"
#include "sidespan/http/grpc.h"

namespace sidespan::report {

Verdict judge(int status) {
  switch (status) {
    case 429:
    case 502:
    case 503:
    case 504:
      return Verdict::kRetry;
    case 413:
      return Verdict::kTooLarge;
    default:
      return status / 100 == 2 ? Verdict::kAccepted : Verdict::kRefused;
  }
}

Verdict judge_grpc_status(uint32_t status, bool retry_info) {
  switch (status) {
    case http::grpc::kOk:
      return Verdict::kAccepted;
    case http::grpc::kCancelled:
    case http::grpc::kDeadlineExceeded:
    case http::grpc::kAborted:
    case http::grpc::kOutOfRange:
    case http::grpc::kUnavailable:
    case http::grpc::kDataLoss:
      return Verdict::kRetry;
    case http::grpc::kResourceExhausted:
      return retry_info ? Verdict::kRetry : Verdict::kRefused;
    default:
      return Verdict::kRefused;
  }
}

std::optional<Milliseconds> wish_within(Milliseconds wait, Milliseconds wait_max) {
  const Milliseconds wish = std::min(wait, wait_max);
  return wish > Milliseconds(0) ? std::optional(wish) : std::nullopt;
}

std::optional<Milliseconds> parse_retry_after(std::string_view value, std::string_view date,
                                              WallTime now, Milliseconds wait_max) {
  using std::chrono::seconds;
  value = text::trim(value);
  seconds wait{0};
  if (!value.empty() && std::ranges::all_of(value, text::is_digit)) {
    // More digits than a number can hold are still a number, and over the limit.
    const uint64_t max = static_cast<uint64_t>(std::chrono::ceil<seconds>(wait_max).count());
    wait = seconds(std::min(text::parse_unsigned(value).value_or(max), max));
  } else if (const auto until = parse_http_date(value)) {
    const auto from = parse_http_date(date).value_or(std::chrono::floor<seconds>(now));
    wait = *until - from;
  }
  return wish_within(wait, wait_max);
}

Milliseconds Backoff::next(Random& random) {
  const auto ceiling = static_cast<uint64_t>(std::max<int64_t>(ceiling_.count(), 0));
  ceiling_ = std::min(ceiling_ * 2, options_.backoff_max);
  return Milliseconds(random.below(ceiling + 1));
}

}  // namespace sidespan::report
