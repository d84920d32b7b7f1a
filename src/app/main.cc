// The program: reads the command line, gets the settings, hands over to the command.
#include <unistd.h>

#include <cstdio>
#include <string>
#include <utility>
#include <vector>

#include "app/ca_command.h"
#include "app/check.h"
#include "app/cli.h"
#include "app/config_file.h"
#include "app/config_print.h"
#include "app/environment.h"
#include "app/health_command.h"
#include "app/proxy_command.h"
#include "app/run_command.h"
#include "app/tls_setup.h"
#include "app/version.h"
#include "sidespan/trace/carrier.h"

namespace sidespan::app {
namespace {

// Data that did not get out is a failure, like a full disk behind stdout.
int say(const Outcome& outcome) {
  std::fputs(outcome.err.c_str(), stderr);
  const bool written = std::fputs(outcome.out.c_str(), stdout) >= 0 && std::fflush(stdout) == 0;
  return outcome.status == kExitFine && !written ? kExitFailed : outcome.status;
}

// What a running sidecar left for agents to trust.
Result<Pairs> trust_of_sidecar(const Settings& settings, const Environment& own) {
  if (settings.tls.interception.mode == proxy::Interception::Mode::kOff) return Pairs();
  const Result<std::string> directory = trust_directory(settings, own);
  if (!directory) return std::unexpected(directory.error());
  return trust_variables(*directory, own);
}

int print_environment(const Settings& settings, const Environment& own, EnvironmentFormat format) {
  const Result<Pairs> trust = trust_of_sidecar(settings, own);
  if (!trust) {
    return say(
        {kExitFailed, "",
         "sidespan: the sidecar has left no certificates here: " + trust.error().what + "\n"});
  }
  Result<std::string> text = environment_text(settings, own, *trust, format);
  if (!text) return say({kExitFailed, "", "sidespan: " + text.error().what + "\n"});
  return say({kExitFine, *std::move(text), ""});
}

int with_settings(const CommandLine& line, const ConfigSources& sources) {
  const std::expected<Settings, Outcome> settings = settings_or_faults(sources);
  if (!settings) return say(settings.error());
  switch (line.command) {
    case Command::kRun:
      return run_command(*settings, sources.environment, line.run);
    case Command::kHealth:
      return health_command(*settings);
    case Command::kCa:
      return say(ca_command(*settings, sources.environment, line.ca, SystemClock().now().wall));
    case Command::kEnv:
      return print_environment(*settings, sources.environment, line.format);
    default:
      return proxy_command(*settings, sources.environment);
  }
}

int run_program(const std::vector<std::string>& arguments) {
  const std::expected<CommandLine, Outcome> line = parse_command_line(arguments);
  if (!line) return say(line.error());
  if (line->command == Command::kVersion) return say({kExitFine, version_text(), ""});
  if (line->print_reference) return say({kExitFine, print_reference(), ""});

  Environment own = to_environment(trace::EnvironmentCarrier::of_process().entries());
  Result<std::optional<ConfigFile>> file = find_config(line->config, own);
  if (!file) return say({kExitUsage, "", file.error().what + "\n"});
  const ConfigSources sources = sources_of(*line, std::move(own), *std::move(file));
  if (line->command == Command::kCheck) return say(check(sources, line->print_effective));
  return with_settings(*line, sources);
}

}  // namespace
}  // namespace sidespan::app

int main(int argc, char** argv) {
  return sidespan::app::run_program(std::vector<std::string>(argv + 1, argv + argc));
}
