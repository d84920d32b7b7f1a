#include "app/rare_line.h"

#include <string>
#include <utility>

namespace sidespan::app {
namespace {

constexpr std::chrono::minutes kInterval{1};

}  // namespace

void RareLine::look(uint64_t count, MonoTime now, Log& log) {
  if (count == written_ || (written_at_ && now - *written_at_ < kInterval)) return;
  written_at_ = now;
  log.write(LogLevel::kWarn, message_,
            {{"count", std::to_string(count - std::exchange(written_, count))}});
}

}  // namespace sidespan::app
