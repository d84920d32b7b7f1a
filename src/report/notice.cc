#include "report/notice.h"

#include <utility>

namespace sidespan::report {

Notice::Notice(net::Loop& loop, Log& log, std::string_view message, Milliseconds interval)
    : loop_(loop), log_(log), message_(message), interval_(interval), timer_(loop, [this] {
        write();
      }) {}

Notice::~Notice() {
  if (pending_) write();
}

void Notice::add(uint64_t spans, std::string_view cause) {
  pending_ = true;
  spans_ += spans;
  cause_ = cause;
  const MonoTime now = loop_.now().mono;
  if (!written_at_ || now - *written_at_ >= interval_) return write();
  if (!timer_.active()) {
    const auto rest = *written_at_ + interval_ - now;
    timer_.start(std::chrono::ceil<Milliseconds>(rest), true);
  }
}

void Notice::write() {
  pending_ = false;
  timer_.stop();
  written_at_ = loop_.now().mono;
  const std::string count = std::to_string(std::exchange(spans_, 0));
  log_.write(LogLevel::kWarn, message_, {{"spans", count}, {"cause", cause_}});
}

}  // namespace sidespan::report
