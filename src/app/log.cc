#include "app/log.h"

#include <fcntl.h>
#include <unistd.h>

#include <spdlog/logger.h>
#include <spdlog/sinks/null_sink.h>
#include <spdlog/sinks/rotating_file_sink.h>

#include <algorithm>
#include <cstdio>

#include "app/stderr_sink.h"
#include "app/timestamp.h"
#include "sidespan/json/writer.h"

namespace sidespan::app {
namespace {

constexpr int kTimeDigits = 3;
constexpr size_t kFilesKept = 1;  // beside the one that is written

std::string_view name_of(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return "debug";
    case LogLevel::kInfo:
      return "info";
    case LogLevel::kWarn:
      return "warn";
    case LogLevel::kError:
      return "error";
  }
  return "";
}

std::string_view cut(std::string_view value) {
  return value.substr(0, OperatorLog::kValueBytesMax);
}

// Bare where that can be read back, else in quotes with everything odd escaped.
std::string bare_or_quoted(std::string_view value) {
  const bool bare = !value.empty() && std::ranges::all_of(value, [](char c) {
    return c > 0x20 && c < 0x7f && c != '"' && c != '=' && c != '\\';
  });
  return bare ? std::string(value) : json::quoted(value);
}

// The message itself is a sentence of ours, but may repeat a name that came from outside.
std::string unquoted(std::string_view message) {
  const std::string quoted = json::quoted(message);
  return quoted.substr(1, quoted.size() - 2) == message ? std::string(message) : quoted;
}

std::string json_line(WallTime at, LogLevel level, std::string_view message,
                      std::initializer_list<LogField> fields) {
  std::string line;
  json::Writer writer(line);
  writer.begin_object();
  writer.member("time", timestamp(at, kTimeDigits)).member("level", name_of(level));
  writer.member("message", cut(message));
  for (const LogField& field : fields) writer.member(field.key, cut(field.value));
  writer.end_object();
  return line;
}

std::string text_line(WallTime at, LogLevel level, std::string_view message,
                      std::initializer_list<LogField> fields) {
  std::string line = timestamp(at, kTimeDigits) + " ";
  line.append(name_of(level)).append(name_of(level).size() < 5 ? "  " : " ");
  line += unquoted(cut(message));
  for (const LogField& field : fields) {
    line.append(" ").append(field.key).append("=").append(bare_or_quoted(cut(field.value)));
  }
  return line;
}

// The log of a run is no descriptor of its command.
spdlog::file_event_handlers for_us_alone() {
  spdlog::file_event_handlers handlers;
  handlers.after_open = [](const spdlog::filename_t&, std::FILE* file) {
    ::fcntl(::fileno(file), F_SETFD, FD_CLOEXEC);
  };
  return handlers;
}

std::shared_ptr<spdlog::logger> logger_on(std::shared_ptr<spdlog::sinks::sink> sink) {
  auto logger = std::make_shared<spdlog::logger>("sidespan", std::move(sink));
  logger->set_pattern("%v");
  logger->flush_on(spdlog::level::trace);
  // There is no better place to say that the log cannot be written, and `run` must stay silent.
  logger->set_error_handler([](const std::string&) {});
  return logger;
}

}  // namespace

OperatorLog::OperatorLog(std::shared_ptr<spdlog::logger> logger, const LogSettings& settings)
    : logger_(std::move(logger)), level_(settings.level), format_(settings.format) {}

OperatorLog OperatorLog::to_stderr(const LogSettings& settings) {
  const auto tell_lost = [format = settings.format, level = settings.level](uint64_t lines) {
    if (level > LogLevel::kWarn) return std::string();
    return log_line(format, SystemClock().now().wall, LogLevel::kWarn,
                    "lines of this log were lost, nobody read it",
                    {{"lines", std::to_string(lines)}}) +
           "\n";
  };
  const auto sink = std::make_shared<StderrSink>(STDERR_FILENO, tell_lost);
  OperatorLog log(logger_on(sink), settings);
  log.stderr_ = sink;
  return log;
}

Result<OperatorLog> OperatorLog::to_file(const LogSettings& settings, const std::string& path) {
  try {
    return OperatorLog(logger_on(std::make_shared<spdlog::sinks::rotating_file_sink_mt>(
                           path, kFileBytesMax, kFilesKept, false, for_us_alone())),
                       settings);
  } catch (const spdlog::spdlog_ex& refused) {
    return fail(Code::kSystem, Side::kSelf, refused.what());
  }
}

OperatorLog OperatorLog::to_nowhere() {
  return {logger_on(std::make_shared<spdlog::sinks::null_sink_mt>()), LogSettings()};
}

void OperatorLog::write(LogLevel level, std::string_view message,
                        std::initializer_list<LogField> fields) {
  if (!enabled(level)) return;
  const std::string line = log_line(format_, SystemClock().now().wall, level, message, fields);
  logger_->log(spdlog::level::info, spdlog::string_view_t(line));
}

uint64_t OperatorLog::lost() const {
  return stderr_ ? stderr_->lost() : 0;
}

void OperatorLog::event(std::string_view name, std::initializer_list<LogField> fields) {
  std::string line;
  json::Writer writer(line);
  writer.begin_object().member("event", name);
  for (const LogField& field : fields) writer.member(field.key, field.value);
  writer.end_object();
  logger_->log(spdlog::level::info, spdlog::string_view_t(line));
}

std::string log_line(LogFormat format, WallTime at, LogLevel level, std::string_view message,
                     std::initializer_list<LogField> fields) {
  return format == LogFormat::kJson ? json_line(at, level, message, fields)
                                    : text_line(at, level, message, fields);
}

}  // namespace sidespan::app
