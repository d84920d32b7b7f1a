// The program: reads the command line, gets the settings, hands over to the command.
#include <fcntl.h>
#include <unistd.h>

#include <cstdio>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "app/agent_variables.h"
#include "app/ca_command.h"
#include "app/check.h"
#include "app/cli.h"
#include "app/config_file.h"
#include "app/config_print.h"
#include "app/doctor_command.h"
#include "app/environment.h"
#include "app/health_command.h"
#include "app/java.h"
#include "app/proxy_command.h"
#include "app/run_command.h"
#include "app/stdio_command.h"
#include "app/trust_files.h"
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

// By what a running sidecar left for agents to trust, if it opens anything.
Result<Pairs> further_variables(const Settings& settings, const Environment& own,
                                const net::Address& egress, std::optional<bool> java) {
  const bool wanted = wants_java(java, "", own);
  if (settings.tls.interception.mode == proxy::Interception::Mode::kOff) {
    return agent_variables(egress, "", {}, own, wanted);
  }
  const Result<std::string> trust = trust_directory(settings, own);
  if (!trust) return std::unexpected(trust.error());
  Result<Pairs> variables = trust_variables(*trust, own);
  if (!variables) return variables;
  return agent_variables(egress, *trust, *std::move(variables), own, wanted);
}

int print_environment(const Settings& settings, const Environment& own, const CommandLine& line) {
  const auto failed = [](const std::string& what) {
    return say({kExitFailed, "", "sidespan: " + what + "\n"});
  };
  const Result<net::Address> egress = egress_of_sidecar(settings);
  if (!egress) return failed(egress.error().what);
  const Result<Pairs> further = further_variables(settings, own, *egress, line.run.java);
  if (!further) return failed("the sidecar has left no certificates here: " + further.error().what);
  Pairs variables = proxy_variables(proxy_url(*egress), own);
  variables.insert(variables.end(), further->begin(), further->end());
  return say({kExitFine, format_variables(variables, line.format), ""});
}

int with_settings(const CommandLine& line, const ConfigSources& sources) {
  const std::expected<Settings, Outcome> settings = settings_or_faults(sources);
  if (!settings) return say(settings.error());
  switch (line.command) {
    case Command::kRun:
      return run_command(*settings, sources.environment, line.run);
    case Command::kStdio:
      return stdio_command(*settings, sources.environment, line.run.argv);
    case Command::kDoctor:
      return doctor_command(*settings, sources.environment, line.run);
    case Command::kHealth:
      return health_command(*settings);
    case Command::kCa:
      return say(ca_command(*settings, sources.environment, line.ca, SystemClock().now().wall));
    case Command::kEnv:
      return print_environment(*settings, sources.environment, line);
    default:
      return proxy_command(*settings, sources.environment);
  }
}

// Whoever starts us with one of them closed would have what we open first take its place, and our
// log be written there.
void open_standard_streams() {
  for (const int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    // For the other direction, so that using it fails as before.
    const int flags = stream == STDIN_FILENO ? O_WRONLY : O_RDONLY;
    if (::fcntl(stream, F_GETFD) < 0) static_cast<void>(::open("/dev/null", flags));
  }
}

int run_program(const std::vector<std::string>& arguments) {
  const std::expected<CommandLine, Outcome> line = parse_command_line(arguments);
  if (!line) return say(line.error());
  if (line->command == Command::kVersion) return say({kExitFine, version_text(), ""});
  if (line->print_reference) return say({kExitFine, print_reference(), ""});

  Environment own = to_environment(trace::EnvironmentCarrier::of_process().entries());
  Result<std::optional<ConfigFile>> file = find_config(line->config, own);
  if (!file) return say({kExitUsage, "", "sidespan: " + file.error().what + "\n"});
  const ConfigSources sources = sources_of(*line, std::move(own), *std::move(file));
  if (line->command == Command::kCheck) return say(check(sources, line->print_effective));
  return with_settings(*line, sources);
}

}  // namespace
}  // namespace sidespan::app

int main(int argc, char** argv) {
  sidespan::app::open_standard_streams();
  return sidespan::app::run_program(std::vector<std::string>(argv + 1, argv + argc));
}
