#include "app/timestamp.h"

#include <fmt/format.h>

namespace sidespan::app {

std::string timestamp(WallTime time, int fraction_digits) {
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss clock(time - day);
  std::string text =
      fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}", static_cast<int>(date.year()),
                  static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                  clock.hours().count(), clock.minutes().count(), clock.seconds().count());
  if (fraction_digits > 0) {
    text += fmt::format(".{:09}", clock.subseconds().count())
                .substr(0, static_cast<size_t>(fraction_digits) + 1);
  }
  return text + "Z";
}

}  // namespace sidespan::app
