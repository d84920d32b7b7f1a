// A log line about something that is counted and may happen very often: at most once a minute, with
// how often since the line before. The worker's pulse shows it the count.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "sidespan/base/clock.h"
#include "sidespan/base/log.h"

namespace sidespan::app {

class RareLine {
 public:
  // A literal: `message` lives as long as the program.
  explicit RareLine(std::string_view message) : message_(message) {}

  // `count` so far, which never falls.
  void look(uint64_t count, MonoTime now, Log& log);

 private:
  std::string_view message_;
  std::optional<MonoTime> written_at_;
  uint64_t written_ = 0;
};

}  // namespace sidespan::app
