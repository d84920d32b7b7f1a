// Whatever a configuration file holds, beside variables that say more and less than it: it is read
// or refused, and what is told of a fault is printable and of a line that is there. What has no
// fault is printed as a configuration that is read again without one, and has the same values, but
// for secrets, which are not shown; names and networks of its scope are ones that an authority can
// permit. Of the reference any settings can be taken without a change of what is in effect: a file
// that begins with '#' says which, a bit a setting.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>

#include "app/authority_scope.h"
#include "app/config.h"
#include "app/config_print.h"
#include "app/terminal_text.h"
#include "sidespan/base/text.h"
#include "tls/host_name.h"

using namespace sidespan;
using namespace sidespan::app;

namespace {

constexpr std::string_view kFile = "fuzz.yaml";

Configuration read(std::string content, Environment environment) {
  ConfigSources sources;
  sources.environment = std::move(environment);
  sources.file = ConfigFile{std::string(kFile), std::move(content)};
  return configure(sources);
}

// Beside what files name: a variable that is stronger than they, and others that are weaker, some
// of which say something in vain, or too much for what a file may say.
Environment variables() {
  return {{"NAME", "value"},
          {"PORT", "4318"},
          {"EMPTY", ""},
          {"SIDESPAN_LOG_FORMAT", "text"},
          {"OTEL_SERVICE_NAME", "agent"},
          {"OTEL_RESOURCE_ATTRIBUTES", "team=b,cloud.region=here"},
          {"OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "4096"},
          {"OTEL_BSP_SCHEDULE_DELAY", "86400000"},
          {"OTEL_SDK_DISABLED", "true"}};
}

void check_faults(const Configuration& configuration, std::string_view text) {
  const auto lines = std::ranges::count(text, '\n') + std::ranges::count(text, '\r') + 1;
  for (const Fault& fault : configuration.faults) {
    const std::string told = fault.to_string();
    if (fault.what.empty() || printable(told, false) != told) std::abort();
    if (fault.where == kFile && fault.line > lines) std::abort();
  }
  for (const std::string& warning : configuration.settings.warnings) {
    if (warning.empty() || printable(warning, false) != warning) std::abort();
  }
}

void check_sources(const Configuration& configuration) {
  for (const EffectiveValue& value : configuration.values) {
    const Candidate& winner = value.winners.front();
    if ((value.setting->key == "log.format") != (winner.kind == SourceKind::kVariable)) {
      std::abort();
    }
    if (value.winners.size() > 1 && !value.setting->merges) std::abort();
    // Who is weaker than the file has lost against it.
    if (value.setting->key != "service.name" || winner.kind == SourceKind::kStandard) continue;
    if (winner.kind != SourceKind::kFile || value.losers.empty()) std::abort();
  }
}

// What a file holds as a secret where nobody else says it.
constexpr std::string_view kSecret = "geheim";

bool says_secret(const EffectiveValue& value) {
  if (!value.setting->secret) return to_yaml(value.value).contains(kSecret);
  // Names are shown.
  return std::ranges::any_of(
      value.value.members, [](const Node::Member& member) { return member.key.contains(kSecret); });
}

void check_printed(const Configuration& first) {
  const std::string text = print_effective(first);
  const bool is_said = std::ranges::any_of(first.values, says_secret);
  if (!is_said && text.contains(kSecret)) std::abort();
  const Configuration second = read(text, variables());
  if (!second.faults.empty() || first.values.size() != second.values.size()) std::abort();
  for (size_t i = 0; i < first.values.size(); ++i) {
    if (first.values[i].setting->secret) continue;
    if (to_yaml(first.values[i].value) != to_yaml(second.values[i].value)) std::abort();
  }
}

// Whom an authority of our own is to permit: the same in any order.
void check_scope(TlsSettings tls) {
  const tls::Scope scope = authority_scope(tls);
  for (const std::string& network : scope.networks) {
    if (tls::ip_range(network).empty()) std::abort();
  }
  for (const std::string& name : scope.names) {
    const auto host = tls::parse_host_name(name);
    if (!host || !host->octets.empty()) std::abort();
  }
  if (directory_of(scope).empty() == scope.limited() || text_of(scope).empty()) std::abort();
  std::ranges::reverse(tls.intercept_hosts);
  if (authority_scope(tls) != scope) std::abort();
  tls.authority_certificate = "/ca.pem";
  if (authority_scope(tls).limited()) std::abort();
}

// The reference without the '#' before its sections and before the settings whose bit is set.
void check_reference(std::string_view bits) {
  static const std::string kReference = print_reference();
  std::string content;
  size_t settings = 0;
  size_t at = 0;
  for (std::optional<std::string_view> rest = kReference; rest;) {
    std::string_view line = text::split_first(rest, '\n');
    if (line.starts_with('#') && !line.starts_with("##")) {
      const bool is_section = line.ends_with(':');
      const auto byte = static_cast<uint8_t>(bits[at / 8 % bits.size()]);
      const bool is_taken = is_section || ((byte >> (at % 8)) & 1U) != 0;
      if (!is_section) ++at;
      if (!is_section && is_taken) ++settings;
      if (is_taken) line.remove_prefix(1);
    }
    content.append(line).append("\n");
  }
  const Configuration configuration = read(std::move(content), {});
  if (!configuration.faults.empty() || !configuration.settings.warnings.empty()) std::abort();
  size_t from_file = 0;
  for (const EffectiveValue& value : configuration.values) {
    from_file += value.winners.front().kind == SourceKind::kFile ? 1 : 0;
    if (to_yaml(value.value) != to_yaml(default_of(*value.setting))) std::abort();
  }
  if (from_file != settings) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const Configuration configuration = read(std::string(text), variables());
  check_faults(configuration, text);
  if (configuration.faults.empty()) {
    check_sources(configuration);
    check_printed(configuration);
    check_scope(configuration.settings.tls);
  }
  if (text.size() > 1 && text.starts_with('#')) check_reference(text.substr(1));
  return 0;
}
