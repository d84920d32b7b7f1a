// What the rooms below app may say to the operator. The writer behind it (app) decides format and
// place; it must be callable from every thread. Messages are one plain sentence; values go into
// fields, so that nothing has to be quoted or escaped here. Never pass a secret: whatever came from
// a URL or a header goes through semconv/redact first.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string_view>

namespace sidespan {

enum class LogLevel : uint8_t { kDebug, kInfo, kWarn, kError };

struct LogField {
  std::string_view key;
  std::string_view value;
};

class Log {
 public:
  virtual ~Log() = default;
  virtual void write(LogLevel level, std::string_view message,
                     std::initializer_list<LogField> fields) = 0;
  // Whether `level` would be written; ask before building costly fields.
  virtual bool enabled(LogLevel level) const = 0;
};

}  // namespace sidespan
