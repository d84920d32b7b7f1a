// The operator's log, written by spdlog: one line a message on stderr or in a file, as JSON or as
// text. Callable from every thread. Events ("listening", "ready") are JSON whatever the format, so
// that a program that starts sidespan can read them. What to say is decided elsewhere. No thread
// waits for who reads stderr: what does not fit there is lost and counted.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "app/settings.h"
#include "sidespan/base/clock.h"
#include "sidespan/base/error.h"
#include "sidespan/base/log.h"

namespace spdlog {
class logger;  // NOLINT(readability-identifier-naming): spdlog's own spelling
}

namespace sidespan::app {

class StderrSink;

class OperatorLog final : public Log {
 public:
  // A value beyond this is cut: a log line is for people.
  static constexpr size_t kValueBytesMax = 4096;
  // A file beyond this starts anew, the one before is kept beside it.
  static constexpr size_t kFileBytesMax = 8UL * 1024 * 1024;

  static OperatorLog to_stderr(const LogSettings& settings);
  // Error side: kSelf.
  static Result<OperatorLog> to_file(const LogSettings& settings, const std::string& path);
  // Says nothing.
  static OperatorLog to_nowhere();

  OperatorLog(OperatorLog&&) noexcept = default;
  OperatorLog& operator=(OperatorLog&&) noexcept = default;

  void write(LogLevel level, std::string_view message,
             std::initializer_list<LogField> fields) override;
  bool enabled(LogLevel level) const override { return level >= level_; }
  // Lines that nobody read in time. Any thread.
  uint64_t lost() const;
  // {"event":NAME,"KEY":"VALUE",...}
  void event(std::string_view name, std::initializer_list<LogField> fields);

 private:
  OperatorLog(std::shared_ptr<spdlog::logger> logger, const LogSettings& settings);

  std::shared_ptr<spdlog::logger> logger_;
  std::shared_ptr<const StderrSink> stderr_;  // null: it goes elsewhere
  LogLevel level_;
  LogFormat format_;
};

// One line without its end; `at` comes first.
std::string log_line(LogFormat format, WallTime at, LogLevel level, std::string_view message,
                     std::initializer_list<LogField> fields);

}  // namespace sidespan::app
