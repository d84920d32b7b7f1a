#include "app/check.h"

#include <utility>

#include "app/authority_files.h"
#include "app/config_print.h"
#include "app/tls_setup.h"
#include "sidespan/base/clock.h"

namespace sidespan::app {
namespace {

Outcome refusal(const std::vector<Fault>& faults) {
  Outcome outcome{kExitUsage, "", ""};
  for (const Fault& fault : faults) outcome.err += fault.to_string() + "\n";
  return outcome;
}

std::string base_name(const std::string& path) {
  const size_t slash = path.find_last_of('/');
  return slash == std::string::npos || slash + 1 == path.size() ? path : path.substr(slash + 1);
}

// It neither exports nor samples, so that what is wrong there is nothing to it.
bool only_looks(Command command) {
  return command == Command::kEnv || command == Command::kCa || command == Command::kHealth;
}

}  // namespace

ConfigSources sources_of(const CommandLine& line, Environment environment,
                         std::optional<ConfigFile> file) {
  if (only_looks(line.command)) {
    std::erase_if(environment,
                  [](const auto& variable) { return variable.first.starts_with("OTEL_"); });
  }
  ConfigSources sources;
  sources.environment = std::move(environment);
  sources.file = std::move(file);
  if (line.command == Command::kStdio) {
    if (line.name) sources.flags.push_back({"service.name", *line.name, "--name"});
    sources.defaults.push_back({"mcp.inject_meta", "on", "stdio"});
    sources.defaults.push_back({"service.name", base_name(line.run.argv.front()), "stdio"});
  }
  if (!runs_command(line)) return sources;
  if (line.name) sources.flags.push_back({"service.name", *line.name, "--name"});
  sources.flags.push_back({"listen.egress", "127.0.0.1:0", "run"});
  sources.flags.push_back({"listen.ingress", "off", "run"});
  sources.flags.push_back({"listen.admin", "127.0.0.1:0", "run"});
  sources.flags.push_back({"listen.health", "off", "run"});
  if (line.intercept)
    sources.flags.push_back({"tls.intercept.mode", *line.intercept, "--intercept"});
  sources.defaults.push_back({"tls.intercept.mode", "all", "run"});
  if (const std::optional<InheritedProxy> proxy = inherited_proxy(sources.environment)) {
    sources.defaults.push_back({"egress.via", proxy->url, proxy->variable});
    const std::string except = inherited_no_proxy(sources.environment);
    if (!except.empty()) sources.defaults.push_back({"egress.via_except", except, "NO_PROXY"});
  }
  sources.defaults.push_back({"service.name", base_name(line.run.argv.front()), "run"});
  return sources;
}

// What the files that it names hold; made is none.
Result<void> read_tls_files(const Settings& settings, const Environment& environment) {
  if (const auto tls = set_up_origin_tls(settings, environment); !tls) {
    return std::unexpected(tls.error());
  }
  if (settings.tls.authority_certificate.empty()) return {};
  const auto authority = open_authority(settings, environment, SystemClock().now().wall);
  return authority ? Result<void>() : std::unexpected(authority.error());
}

Outcome check(const ConfigSources& sources, bool print_effective) {
  const Configuration configuration = configure(sources);
  Outcome outcome = configuration.faults.empty() ? Outcome{} : refusal(configuration.faults);
  for (const std::string& warning : configuration.settings.warnings) {
    outcome.err += "warning: " + warning + "\n";
  }
  if (!configuration.faults.empty()) return outcome;
  if (const Result<void> read = read_tls_files(configuration.settings, sources.environment);
      !read) {
    outcome.status = kExitUsage;
    outcome.err += read.error().what + "\n";
    return outcome;
  }
  if (print_effective) outcome.out = app::print_effective(configuration);
  outcome.err += (sources.file ? sources.file->name : "no configuration file") + ": no faults\n";
  return outcome;
}

std::expected<Settings, Outcome> settings_or_faults(const ConfigSources& sources) {
  Configuration configuration = configure(sources);
  if (!configuration.faults.empty()) return std::unexpected(refusal(configuration.faults));
  return std::move(configuration.settings);
}

}  // namespace sidespan::app
