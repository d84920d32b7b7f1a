#include "report/retry.h"

#include <doctest/doctest.h>

#include <string>

namespace sidespan::report {
namespace {

constexpr Milliseconds kMax{300'000};
const WallTime kNow{std::chrono::seconds(784'111'777) + std::chrono::milliseconds(900)};

}  // namespace

TEST_CASE("retry: the table of statuses") {
  for (int status = 100; status < 1000; ++status) {
    CAPTURE(status);
    Verdict expected = Verdict::kRefused;
    if (status >= 200 && status < 300) expected = Verdict::kAccepted;
    if (status == 429 || (status >= 502 && status <= 504)) expected = Verdict::kRetry;
    if (status == 413) expected = Verdict::kTooLarge;
    CHECK(judge(status) == expected);
  }
}

TEST_CASE("retry: Retry-After") {
  struct Row {
    std::string name, value, date;
    std::optional<Milliseconds> expected;
  };
  const std::string kDate = "Sun, 06 Nov 1994 08:50:00 GMT";  // 23 s after kNow
  const Row rows[] = {
      {"seconds", "2", "", Milliseconds(2000)},
      {"seconds with blanks", " 2\t", "", Milliseconds(2000)},
      {"the limit", "300", "", kMax},
      {"over the limit", "301", "", kMax},
      {"far over the limit", "18446744073709551615", "", kMax},
      {"more than a number", "99999999999999999999999", "", kMax},
      {"date", kDate, "", Milliseconds(23'000)},
      {"date far away", "Fri, 31 Dec 9999 23:59:59 GMT", "", kMax},
      {"date by the collector's clock", "Sun, 06 Nov 2011 08:50:00 GMT",
       "Sun, 06 Nov 2011 08:49:50 GMT", Milliseconds(10'000)},
      {"date beside a bad clock", kDate, "yesterday", Milliseconds(23'000)},
      {"absent", "", "", {}},
      {"zero", "0", "", {}},
      {"now", "Sun, 06 Nov 1994 08:49:37 GMT", "", {}},
      {"past", "Sun, 06 Nov 1994 08:00:00 GMT", "", {}},
      {"negative", "-5", "", {}},
      {"fraction", "1.5", "", {}},
      {"garbage", "soon", "", {}},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    CHECK(parse_retry_after(row.value, row.date, kNow, kMax) == row.expected);
    // Who follows no wish at all has the backoff decide.
    CHECK_FALSE(parse_retry_after(row.value, row.date, kNow, Milliseconds(0)));
  }
}

TEST_CASE("retry: the backoff's ceiling doubles to its limit, and each wait is drawn below it") {
  Random random(7);
  Backoff backoff(RetryOptions{});
  for (int round = 0; round < 200; ++round) {
    for (const int ceiling : {1000, 2000, 4000, 8000, 16'000, 30'000, 30'000, 30'000}) {
      const Milliseconds wait = backoff.next(random);
      CHECK(wait >= Milliseconds(0));
      CHECK(wait <= Milliseconds(ceiling));
    }
    backoff.reset();
  }
}

TEST_CASE("retry: the longest wait bounds the first one, too") {
  Random random(7);
  Backoff backoff({.backoff_start = Milliseconds(1000), .backoff_max = Milliseconds(60)});
  for (int i = 0; i < 1000; ++i) {
    CHECK(backoff.next(random) <= Milliseconds(60));
    if (i % 3 == 0) backoff.reset();
  }
}

TEST_CASE("retry: the jitter uses the whole range") {
  Random random(7);
  Milliseconds least{1000};
  Milliseconds most{0};
  for (int i = 0; i < 1000; ++i) {
    Backoff backoff(RetryOptions{});
    const Milliseconds wait = backoff.next(random);
    least = std::min(least, wait);
    most = std::max(most, wait);
  }
  CHECK(least < Milliseconds(20));
  CHECK(most > Milliseconds(980));
}

}  // namespace sidespan::report
