#include "app/check.h"

#include <doctest/doctest.h>

#include <string>

namespace sidespan::app {
namespace {

ConfigSources sources_with(const char* yaml, Environment environment = {}) {
  ConfigSources sources;
  sources.environment = std::move(environment);
  sources.file = ConfigFile{"/etc/c.yaml", yaml};
  return sources;
}

TEST_CASE("faults go to stderr, each in its line, and 2 is the end") {
  const ConfigSources sources =
      sources_with("workers: x\nlog: {level: y}\n", {{"OTEL_TRACES_SAMPLER_ARG", "z"}});
  for (const bool print : {false, true}) {
    const Outcome outcome = check(sources, print);
    CHECK(outcome.status == kExitUsage);
    CHECK(outcome.out.empty());
    CHECK(outcome.err ==
          "/etc/c.yaml:1: workers: 'x' is no whole number\n"
          "/etc/c.yaml:2: log.level: 'y' is not one of debug, info, warn, error\n"
          "warning: OTEL_TRACES_SAMPLER_ARG: 'z' is no number from 0 to 1; it is ignored\n");
  }
  const auto settings = settings_or_faults(sources);
  REQUIRE_FALSE(settings.has_value());
  CHECK(settings.error().status == kExitUsage);
  CHECK(settings.error().err.find("warning") == std::string::npos);
}

TEST_CASE("nothing that a terminal would obey is told as it was written") {
  const Outcome outcome =
      check(sources_with("\"\\e[2J\": 1\n",
                         {{"OTEL_TRACES_SAMPLER", "\x1b[31m"}, {"SIDESPAN_\u202e", "x"}}),
            false);
  CHECK(outcome.err.find(R"(/etc/c.yaml:1: \x1b[2J: )") == 0);
  CHECK(outcome.err.find(R"(there is no sampler named "\x1b[31m")") != std::string::npos);
  CHECK(outcome.err.find(R"(SIDESPAN_\u202e )") != std::string::npos);
  CHECK(outcome.err.find('\x1b') == std::string::npos);
}

TEST_CASE("without faults there is 0, and with --print data on stdout") {
  const ConfigSources sources = sources_with("workers: 2\n");
  const Outcome quiet = check(sources, false);
  CHECK(quiet.status == kExitFine);
  CHECK(quiet.out.empty());
  CHECK(quiet.err == "/etc/c.yaml: no faults\n");
  const Outcome loud = check(sources, true);
  CHECK(loud.out.find("workers: 2 ") != std::string::npos);
  CHECK(check({}, false).err == "no configuration file: no faults\n");
  CHECK(settings_or_faults(sources)->workers == 2);
}

TEST_CASE("a run takes ports of its own, and its service is the command") {
  CommandLine line;
  line.command = Command::kRun;
  line.run.argv = {"/usr/bin/agent", "x"};
  const ConfigFile file{"c.yaml",
                        "listen: {egress: ':17001', health: ':17021'}\n"
                        "egress: {allow_from: [10.0.0.0/8]}\n"};
  const auto settings = settings_or_faults(sources_of(line, {}, file));
  REQUIRE(settings.has_value());
  CHECK(settings->listen.egress.addresses.at(0).to_string() == "127.0.0.1:0");
  CHECK(settings->listen.admin.addresses.at(0).to_string() == "127.0.0.1:0");
  CHECK_FALSE(settings->listen.health);
  CHECK(settings->service.name == "agent");

  CHECK(settings_or_faults(sources_of(line, {{"OTEL_SERVICE_NAME", "o"}}, {}))->service.name ==
        "o");
  line.name = "mine";
  CHECK(settings_or_faults(sources_of(line, {{"OTEL_SERVICE_NAME", "o"}}, {}))->service.name ==
        "mine");
  line.name = "";
  CHECK(settings_or_faults(sources_of(line, {}, {})).error().err ==
        "--name: service.name: is empty\n");
}

TEST_CASE("who only looks where things are does not mind what is wrong with exporting") {
  const Environment wrong = {{"OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4318"},
                             {"OTEL_CONFIG_FILE", "otel.yaml"}};
  for (const Command command : {Command::kEnv, Command::kCa, Command::kHealth, Command::kProxy,
                                Command::kDoctor, Command::kCheck}) {
    CAPTURE(static_cast<int>(command));
    CommandLine line;
    line.command = command;
    const bool looks =
        command == Command::kEnv || command == Command::kCa || command == Command::kHealth;
    CHECK(settings_or_faults(sources_of(line, wrong, {})).has_value() == looks);
  }
  CommandLine line;
  line.command = Command::kEnv;
  CHECK_FALSE(settings_or_faults(sources_of(line, {{"SIDESPAN_LOG_LEVEL", "x"}}, {})).has_value());
}

TEST_CASE("other commands have no sources of their own") {
  for (const Command command :
       {Command::kProxy, Command::kEnv, Command::kHealth, Command::kCheck}) {
    CommandLine line;
    line.command = command;
    const ConfigSources sources = sources_of(line, {}, {});
    CHECK(sources.flags.empty());
    CHECK(sources.defaults.empty());
  }
}

}  // namespace
}  // namespace sidespan::app
