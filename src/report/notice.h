// A log line that may be due very often, written at most once a minute with the count of what it
// stands for. The first is written at once; what is held back comes when the minute is over, or
// when the notice goes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "sidespan/base/clock.h"
#include "sidespan/base/log.h"
#include "sidespan/net/loop.h"
#include "sidespan/net/timer.h"

namespace sidespan::report {

class Notice {
 public:
  // A literal: `message` lives as long as the program.
  Notice(net::Loop& loop, Log& log, std::string_view message,
         Milliseconds interval = std::chrono::minutes(1));
  ~Notice();
  Notice(const Notice&) = delete;
  Notice& operator=(const Notice&) = delete;

  // `spans` more; of several causes held back the newest is told.
  void add(uint64_t spans, std::string_view cause);

 private:
  void write();

  net::Loop& loop_;
  Log& log_;
  std::string_view message_;
  Milliseconds interval_;
  net::Timer timer_;
  std::optional<MonoTime> written_at_;
  bool pending_ = false;
  uint64_t spans_ = 0;
  std::string cause_;
};

}  // namespace sidespan::report
