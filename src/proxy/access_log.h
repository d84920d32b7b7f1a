// The line that a call leaves in the log, where `log.access` asks for one.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "sidespan/base/clock.h"
#include "sidespan/base/error.h"
#include "sidespan/base/log.h"
#include "sidespan/semconv/http_span.h"
#include "sidespan/trace/context.h"

namespace sidespan::proxy {

struct AccessLine {
  semconv::Mode mode;
  std::string_view method;
  std::string_view host;
  std::string_view path;  // nothing secret in it
  int status = 0;
  Nanoseconds duration{0};
  semconv::Ending ending{};
  const Error* error = nullptr;
  const trace::SpanContext* span = nullptr;  // null or invalid: there is none
  std::string_view baggage;                  // key=value, with commas between
};

void write_access_line(Log& log, const AccessLine& line);
std::string baggage_text(std::span<const std::pair<std::string, std::string>> entries);

}  // namespace sidespan::proxy
