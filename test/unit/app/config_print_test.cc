#include "app/config_print.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <fstream>
#include <sstream>
#include <string>

namespace sidespan::app {
namespace {

Configuration configured(const std::string& yaml, Environment environment = {}) {
  ConfigSources sources;
  sources.environment = std::move(environment);
  sources.file = ConfigFile{"c.yaml", yaml};
  return configure(sources);
}

// Every line without the one '#' that comments a setting out.
std::string uncommented(const std::string& reference) {
  std::string out;
  std::istringstream lines(reference);
  for (std::string line; std::getline(lines, line);) {
    out += (line.starts_with('#') ? line.substr(1) : line) + "\n";
  }
  return out;
}

std::string line_with(const std::string& text, const std::string& part) {
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (line.find(part) != std::string::npos) return line;
  }
  return "";
}

TEST_CASE("conf/sidespan.yaml is the reference, to the letter") {
  std::ifstream file(SIDESPAN_SOURCE_DIR "/conf/sidespan.yaml");
  std::stringstream content;
  content << file.rdbuf();
  // Otherwise: sidespan check --reference > conf/sidespan.yaml
  CHECK(content.str() == print_reference());
}

TEST_CASE("as it stands the reference sets nothing, uncommented it sets every default") {
  const Configuration commented = configured(print_reference());
  CHECK(commented.faults.empty());
  for (const EffectiveValue& value : commented.values) {
    CHECK(value.winners.front().kind == SourceKind::kDefault);
  }

  const Configuration set = configured(uncommented(print_reference()));
  CHECK(set.faults.empty());
  CHECK(set.settings.warnings.empty());
  CHECK(set.values.size() == setting_table().size());
  for (const EffectiveValue& value : set.values) {
    CAPTURE(value.setting->key);
    CHECK(value.winners.front().kind == SourceKind::kFile);
    CHECK(to_yaml(value.value) == to_yaml(default_of(*value.setting)));
  }
}

TEST_CASE("every row of the table is whole") {
  std::vector<std::string> variables;
  for (const Setting& setting : setting_table()) {
    CAPTURE(setting.key);
    CHECK(static_cast<bool>(setting.read != nullptr));
    CHECK(setting.sentence.ends_with('.'));
    CHECK(find_setting(setting.key) == &setting);
    CHECK(std::ranges::find(variables, setting.variable()) == variables.end());
    variables.push_back(setting.variable());
    Settings settings;
    Complaints complaints;
    setting.read(default_of(setting), settings, complaints);
    CHECK(complaints.empty());
  }
}

TEST_CASE("the effective configuration says who won, and against whom") {
  const Configuration configuration =
      configured("log: {level: warn}\nservice: {resource: {a: b}}\nworkers: 2\n",
                 {{"SIDESPAN_LOG_LEVEL", "debug"},
                  {"OTEL_SERVICE_NAME", "agent"},
                  {"OTEL_RESOURCE_ATTRIBUTES", "service.name=other,c=d"}});
  const std::string text = print_effective(configuration);
  CHECK(line_with(text, "level:") ==
        "  level: debug                                  # SIDESPAN_LOG_LEVEL, not c.yaml:1");
  CHECK(line_with(text, "name:") ==
        "  name: agent                                   # OTEL_SERVICE_NAME, not "
        "OTEL_RESOURCE_ATTRIBUTES");
  CHECK(line_with(text, "resource:") ==
        "  resource: {a: b, c: d}                        # c.yaml:2 + OTEL_RESOURCE_ATTRIBUTES");
  CHECK(line_with(text, "workers:") ==
        "workers: 2                                      # c.yaml:3");
  CHECK(line_with(text, "format:") == "  format: json                                  # default");
  CHECK(line_with(text, "OTEL_SDK_DISABLED").empty());
}

TEST_CASE("what is printed reads back as the same") {
  const Configuration configuration = configured(
      "service: {name: 'a $$b ${X:-y}', resource: {k: '$${Z}'}}\n"
      "egress: {deny: ['@local', '*.svc']}\n"
      "routes: [{path: /a, to: 'http://b:1/'}]\n",
      {{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://c:1"},
       {"OTEL_SDK_DISABLED", "true"},
       {"OTEL_BSP_SCHEDULE_DELAY", "1500"}});
  REQUIRE(configuration.faults.empty());
  const std::string text = print_effective(configuration);
  CHECK(text.starts_with("# OTEL_SDK_DISABLED is true: "));
  const Configuration again = configured(text);
  REQUIRE(again.faults.empty());
  CHECK(again.settings.service.name == "a $b y");
  CHECK(again.settings.service.resource == Pairs{{"k", "${Z}"}});
  CHECK(again.settings.exporting.endpoint->path == "/");
  for (size_t i = 0; i < configuration.values.size(); ++i) {
    CHECK(to_yaml(again.values[i].value) == to_yaml(configuration.values[i].value));
  }
}

TEST_CASE("secrets are not printed") {
  const std::string text =
      print_effective(configured("export: {otlp: {headers: {Authorization: Bearer geheim}}}"));
  CHECK(text.find("geheim") == std::string::npos);
  CHECK(line_with(text, "headers: {A").starts_with("    headers: {Authorization: REDACTED} "));
}

}  // namespace
}  // namespace sidespan::app
