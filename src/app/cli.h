// The command line (contract section 1): words in, a decision out. CLI11 is known to cli.cc alone.
// What stands after `--` is the command of `run`, `stdio` or `doctor` and is not looked at. Pure;
// main acts on it.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <vector>

#include "app/environment.h"
#include "app/run_command.h"

namespace sidespan::app {

inline constexpr int kExitFine = 0;
inline constexpr int kExitFailed = 1;  // at run time
inline constexpr int kExitUsage = 2;   // wrong usage or configuration

enum class Command : uint8_t {
  kRun,
  kProxy,
  kStdio,
  kCheck,
  kEnv,
  kCa,
  kDoctor,
  kHealth,
  kVersion
};
enum class CaAction : uint8_t { kShow, kExport, kRotate };

struct CommandLine {
  Command command = Command::kVersion;
  std::optional<std::string> config;     // --config
  std::optional<std::string> name;       // run and stdio --name
  std::optional<std::string> intercept;  // run --intercept
  RunOptions run;
  bool print_effective = false;  // check --print
  bool print_reference = false;  // check --reference
  EnvironmentFormat format = EnvironmentFormat::kSh;
  CaAction ca = CaAction::kShow;
};

// Whether a sidecar of its own is started for one command.
inline bool runs_command(const CommandLine& line) {
  return line.command == Command::kRun ||
         (line.command == Command::kDoctor && !line.run.argv.empty());
}

// What a command has to say, and the exit status that goes with it.
struct Outcome {
  int status = kExitFine;
  std::string out;  // stdout: data
  std::string err;  // stderr: messages
};

// `arguments` without the program's name. The other case is help that was asked for (0), or wrong
// usage (2).
std::expected<CommandLine, Outcome> parse_command_line(const std::vector<std::string>& arguments);

}  // namespace sidespan::app
