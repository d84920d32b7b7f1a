// A line each, NAME=VALUE, as the variables that a sidecar is started with, OpenTelemetry's and
// ours; "=" and any byte stand for a name that is known. Whatever they are: what is wrong with them
// is told in printable words, without what may be a secret; and what has no fault is printed as a
// configuration that is read again as the same. What one value says stays what it says however it
// is written, also for a shell that evaluates what `env` prints. A second proxy that `run` inherits
// is one that the configuration takes.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "app/config.h"
#include "app/config_print.h"
#include "app/config_variables.h"
#include "app/environment.h"
#include "app/setting_standard.h"
#include "app/setting_table.h"
#include "app/terminal_text.h"
#include "sidespan/base/text.h"

using namespace sidespan;
using namespace sidespan::app;

namespace {

// What a secret variable holds where nobody else does.
constexpr std::string_view kSecret = "geheim";

std::vector<std::string> known_names() {
  std::vector<std::string> names = {"OTEL_SDK_DISABLED", "OTEL_CONFIG_FILE",
                                    "OTEL_EXPORTER_OTLP_INSECURE",
                                    "OTEL_EXPORTER_OTLP_TRACES_INSECURE"};
  for (const Setting& setting : setting_table()) {
    names.push_back(setting.variable());
    for (const StandardVariable& standard : setting.standard) {
      const bool is_new = std::ranges::find(names, standard.name) == names.end();
      if (!standard.name.empty() && is_new) names.emplace_back(standard.name);
    }
  }
  return names;
}

bool is_secret(std::string_view name) {
  return std::ranges::any_of(setting_table(), [&](const Setting& setting) {
    const bool standard = std::ranges::find(setting.standard, name, &StandardVariable::name) !=
                          setting.standard.end();
    return setting.secret && (setting.variable() == name || standard);
  });
}

// Of a map: where it stands before a '=', it is a name, and those may be told.
bool has_no_secret_name(std::string_view map) {
  if (text::trim(map).find_first_of("[{") == 0) return false;
  return std::ranges::all_of(text::list_members(map), [](std::string_view member) {
    return !member.substr(0, member.find('=')).contains(kSecret) || !member.contains('=');
  });
}

Environment read_environment(std::string_view text) {
  static const std::vector<std::string> kNames = known_names();
  Environment environment;
  // A variable has no NUL in it.
  std::optional<std::string_view> rest = text.substr(0, text.find('\0'));
  while (rest) {
    std::optional<std::string_view> value = text::split_first(rest, '\n');
    std::string name(text::split_first(value, '='));
    if (!value) continue;
    if (name.empty() && !value->empty()) {
      name = kNames[static_cast<uint8_t>(value->front()) % kNames.size()];
      value->remove_prefix(1);
    }
    environment.emplace(std::move(name), *value);
  }
  return environment;
}

void check_words(const Configuration& configuration, const Environment& environment) {
  std::vector<std::string> all = configuration.settings.warnings;
  for (const Fault& fault : configuration.faults) all.push_back(fault.to_string());
  const bool only_in_secrets = std::ranges::none_of(environment, [](const auto& variable) {
    if (variable.first.contains(kSecret)) return true;
    return variable.second.contains(kSecret) &&
           !(is_secret(variable.first) && has_no_secret_name(variable.second));
  });
  for (const std::string& words : all) {
    if (words.empty() || printable(words, false) != words) std::abort();
    if (only_in_secrets && words.contains(kSecret)) std::abort();
  }
}

// What is in effect is what the strongest of those who speak said.
void check_values(const Configuration& configuration, const Environment& environment) {
  for (const EffectiveValue& value : configuration.values) {
    const auto variable = environment.find(value.setting->variable());
    const bool spoken = variable != environment.end() && !variable->second.empty();
    const Candidate& winner = value.winners.front();
    if (spoken != (winner.kind == SourceKind::kVariable)) std::abort();
    if (!spoken) continue;
    if (winner.where != variable->first) std::abort();
    const bool one = value.setting->shape == Shape::kOne;
    if (one && value.value.text != variable->second) std::abort();
  }
}

void check_printed(const Configuration& first, const Environment& environment) {
  const std::string text = print_effective(first);
  ConfigSources sources;
  sources.file = ConfigFile{"fuzz.yaml", text};
  const Configuration second = configure(sources);
  if (!second.faults.empty() || first.values.size() != second.values.size()) std::abort();
  for (size_t i = 0; i < first.values.size(); ++i) {
    if (first.values[i].setting->secret) continue;
    if (to_yaml(first.values[i].value) != to_yaml(second.values[i].value)) std::abort();
  }
  const bool said = std::ranges::any_of(environment, [](const auto& variable) {
    return variable.first.contains(kSecret) ||
           (variable.second.contains(kSecret) && !is_secret(variable.first));
  });
  if (!said && text.contains(kSecret)) std::abort();
}

// Each byte as an escape: the same map.
void check_map(std::string_view text) {
  const StandardValue read = standard::headers(text);
  if (read.value.has_value() != read.warning.empty()) std::abort();
  if (!read.value) return;
  const auto escaped = [](std::string_view plain) {
    std::string out;
    for (const char c : plain) text::append_hex(out += '%', static_cast<uint8_t>(c), 2);
    return out;
  };
  std::string again;
  for (const Node::Member& member : read.value->members) {
    if (!text::is_valid_utf8(member.key) || !text::is_valid_utf8(member.value.text)) std::abort();
    again += (again.empty() ? "" : ",") + escaped(member.key) + "=" + escaped(member.value.text);
  }
  const StandardValue same = standard::headers(again);
  if (!same.value || to_yaml(*same.value) != to_yaml(*read.value)) std::abort();
}

void check_substitution(std::string_view text, const Environment& environment) {
  std::string doubled;
  for (const char c : text) doubled.append(c == '$' ? 2 : 1, c);
  if (substitute(doubled, environment) != std::string(text)) std::abort();
  // What a variable holds is not looked at again.
  const Environment own = {{"A", std::string(text)}};
  const std::string whole(text);
  if (substitute("${A}", own) != whole || substitute("${env:A}", own) != whole) std::abort();
  if (substitute("<${A:-x}$", own) != "<" + (whole.empty() ? "x" : whole) + "$") std::abort();
  const auto said = substitute(text, environment);
  if (said && !text.contains('$') && *said != whole) std::abort();
  if (!said && !text.contains("${")) std::abort();
}

// A word as a POSIX shell reads it; nothing: it would do more with it than read.
std::optional<std::string> read_by_shell(std::string_view word) {
  std::string read;
  while (!word.empty()) {
    if (word.starts_with("\\'")) {
      read += '\'';
      word.remove_prefix(2);
      continue;
    }
    const size_t end = word.starts_with('\'') ? word.find('\'', 1) : word.npos;
    if (end == word.npos) return std::nullopt;
    read += word.substr(1, end - 1);
    word.remove_prefix(end + 1);
  }
  return read;
}

std::optional<std::string> read_as_dotenv(std::string_view word) {
  if (!word.starts_with('"')) {
    return word.find_first_of(" \t\r\n\"'\\$`#") == word.npos ? std::optional(std::string(word))
                                                              : std::nullopt;
  }
  std::string read;
  for (size_t i = 1; i + 1 < word.size(); ++i) {
    if (word[i] == '"' || word[i] == '$' || word[i] == '`' || word[i] == '\n') return std::nullopt;
    const bool escaped = word[i] == '\\';
    if (escaped && ++i + 1 >= word.size()) return std::nullopt;
    read += escaped && word[i] == 'n' ? '\n' : word[i];
  }
  return word.size() > 1 && word.ends_with('"') ? std::optional(read) : std::nullopt;
}

void check_formats(std::string_view text) {
  const std::string value(text.substr(0, text.find('\0')));
  const Pairs variables = {{"A", value}};
  const std::string for_shell = format_variables(variables, EnvironmentFormat::kSh);
  const std::string as_dotenv = format_variables(variables, EnvironmentFormat::kDotenv);
  constexpr std::string_view kShell = "export A=";
  constexpr std::string_view kDotenv = "A=";
  if (!for_shell.starts_with(kShell) || !for_shell.ends_with('\n')) std::abort();
  if (!as_dotenv.starts_with(kDotenv) || !as_dotenv.ends_with('\n')) std::abort();
  const auto word = [](const std::string& line, std::string_view before) {
    return std::string_view(line).substr(before.size(), line.size() - before.size() - 1);
  };
  if (read_by_shell(word(for_shell, kShell)) != value) std::abort();
  if (read_as_dotenv(word(as_dotenv, kDotenv)) != value) std::abort();
}

// What a command under `run` would have used, and would have reached without.
void check_inherited(const Environment& environment) {
  const std::string around = no_proxy(environment);
  if (no_proxy({{"NO_PROXY", around}, {"no_proxy", around}}) != around) std::abort();
  if (around != "*") {
    const std::vector<std::string_view> hosts = text::list_members(around);
    for (const std::string_view host : metadata_hosts()) {
      if (std::ranges::find(hosts, host) == hosts.end()) std::abort();
    }
  }
  for (const RunWarning& warning : run_warnings(environment)) {
    if (printable(warning.text, false) != warning.text) std::abort();
  }
  const auto proxy = inherited_proxy(environment);
  if (!proxy) return;
  ConfigSources sources;
  sources.defaults = {{"egress.via", proxy->url, proxy->variable}};
  const Configuration configuration = configure(sources);
  if (!configuration.faults.empty() || !configuration.settings.egress.via) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  ConfigSources sources;
  sources.environment = read_environment(text);
  const Configuration configuration = configure(sources);
  check_words(configuration, sources.environment);
  if (configuration.faults.empty()) {
    check_values(configuration, sources.environment);
    check_printed(configuration, sources.environment);
  }
  for (const auto& [name, value] : sources.environment) {
    check_map(value);
    check_substitution(value, sources.environment);
  }
  check_formats(text);
  check_inherited(sources.environment);
  return 0;
}
