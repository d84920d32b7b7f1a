#include "access_log.h"

namespace sidespan::proxy {

void write_access_line(Log& log, const AccessLine& line) {
  const auto milliseconds = std::chrono::duration_cast<Milliseconds>(line.duration).count();
  const bool spanned = line.span != nullptr && line.span->valid();
  log.write(LogLevel::kInfo, "request",
            {{"mode", name_of(line.mode)},
             {"method", line.method},
             {"host", line.host},
             {"path", line.path},
             {"status", std::to_string(line.status)},
             {"duration_ms", std::to_string(milliseconds)},
             {"end", name_of(line.ending)},
             {"error", line.error != nullptr ? name_of(line.error->code) : std::string_view()},
             {"side", line.error != nullptr ? name_of(line.error->side) : std::string_view()},
             {"trace_id", spanned ? line.span->trace_id.to_string() : ""},
             {"span_id", spanned ? line.span->span_id.to_string() : ""},
             {"baggage", line.baggage}});
}

std::string baggage_text(std::span<const std::pair<std::string, std::string>> entries) {
  std::string text;
  for (const auto& [key, value] : entries) {
    text.append(text.empty() ? "" : ",").append(key).append("=").append(value);
  }
  return text;
}

}  // namespace sidespan::proxy
