#include "app/cli.h"

#include <doctest/doctest.h>

#include <string>

namespace sidespan::app {
namespace {

using Words = std::vector<std::string>;

CommandLine line_of(const Words& words) {
  const auto line = parse_command_line(words);
  REQUIRE(line.has_value());
  return *line;
}

Outcome end_of(const Words& words) {
  const auto line = parse_command_line(words);
  REQUIRE_FALSE(line.has_value());
  return line.error();
}

TEST_CASE("every command is known by its name") {
  struct Row {
    const char* name;
    Words words;
    Command command;
  };
  const Row rows[] = {
      {"run", {"run", "--", "a"}, Command::kRun},
      {"proxy", {"proxy"}, Command::kProxy},
      {"check", {"check"}, Command::kCheck},
      {"env", {"env"}, Command::kEnv},
      {"doctor", {"doctor"}, Command::kDoctor},
      {"doctor of a command", {"doctor", "--", "a"}, Command::kDoctor},
      {"health", {"health"}, Command::kHealth},
      {"version", {"version"}, Command::kVersion},
      {"version as a flag", {"--version"}, Command::kVersion},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    CHECK(line_of(row.words).command == row.command);
  }
}

TEST_CASE("whether a JVM is wanted is said by two flags, or not at all") {
  CHECK_FALSE(line_of({"run", "--", "a"}).run.java.has_value());
  CHECK(line_of({"run", "--java", "--", "a"}).run.java == true);
  CHECK(line_of({"run", "--no-java", "--", "a"}).run.java == false);
  CHECK_FALSE(line_of({"env"}).run.java.has_value());
  CHECK(line_of({"env", "--java"}).run.java == true);
}

TEST_CASE("a sidecar of its own is for a command") {
  CHECK(runs_command(line_of({"run", "--", "a"})));
  CHECK(runs_command(line_of({"doctor", "--", "a"})));
  CHECK_FALSE(runs_command(line_of({"doctor"})));
  CHECK_FALSE(runs_command(line_of({"proxy"})));
}

TEST_CASE("the command of a run is not looked at") {
  const CommandLine line = line_of({"run", "--name", "agent", "--config=/c.yaml", "--print", "json",
                                    "--", "cmd", "--name", "x", "--help", "--", "-1", ""});
  CHECK(line.name == "agent");
  CHECK(line.config == "/c.yaml");
  CHECK(line.run.print == RunPrint::kJson);
  CHECK(line.run.argv == Words{"cmd", "--name", "x", "--help", "--", "-1", ""});

  const CommandLine plain = line_of({"run", "--", "cmd"});
  CHECK_FALSE(plain.name.has_value());
  CHECK_FALSE(plain.config.has_value());
  CHECK(plain.run.print == RunPrint::kAuto);
  CHECK(line_of({"run", "--print", "tree", "--", "a"}).run.print == RunPrint::kTree);
  CHECK(line_of({"run", "--print=none", "--", "a"}).run.print == RunPrint::kNone);
}

TEST_CASE("options of the other commands") {
  for (const char* command : {"proxy", "check", "env", "health"}) {
    CAPTURE(command);
    CHECK(line_of({command, "--config", "/c.yaml"}).config == "/c.yaml");
  }
  CHECK(line_of({"check", "--print"}).print_effective);
  CHECK(line_of({"check", "--reference"}).print_reference);
  CHECK_FALSE(line_of({"check"}).print_effective);
  CHECK(line_of({"env"}).format == EnvironmentFormat::kSh);
  CHECK(line_of({"env", "--format", "json"}).format == EnvironmentFormat::kJson);
  CHECK(line_of({"env", "--format=dotenv"}).format == EnvironmentFormat::kDotenv);
}

TEST_CASE("wrong usage is 2 and a sentence on stderr") {
  struct Row {
    const char* name;
    Words words;
    const char* sentence;
  };
  const Row rows[] = {
      {"nothing", {}, "sidespan: a command is missing\nTry: sidespan --help\n"},
      {"no such command", {"rum"}, "sidespan: there is no command 'rum'\nTry: sidespan --help\n"},
      {"an option that is not there", {"proxy", "--ui"}, "--ui"},
      {"an option of a later version", {"run", "--ui", "--", "a"}, "--ui"},
      {"a word that is none", {"run", "--intercept", "some", "--", "a"}, "all, off"},
      {"an option without a value", {"check", "--config"}, "--config"},
      {"a separator is no value", {"run", "--name", "--", "a"}, "--name"},
      {"an option twice", {"check", "--config", "a", "--config", "b"}, "--config"},
      {"no command to run", {"run"}, "the command to run is missing"},
      {"nothing after the separator", {"run", "--"}, "the command to run is missing"},
      {"no separator", {"run", "curl", "x"}, "the command to run stands after --"},
      {"no action", {"ca"}, "sidespan: an action is missing: show, export or rotate\n"},
      {"a word too many", {"check", "c.yaml"}, "c.yaml"},
      {"a separator that nobody needs",
       {"check", "--", "x"},
       "only run, stdio and doctor take a command after --"},
      {"a doctor of nothing", {"doctor", "--"}, "the command to run is missing"},
      {"an unknown format", {"env", "--format", "xml"}, "'xml' is not one of dotenv, json, sh"},
      {"an unknown print",
       {"run", "--print", "x", "--", "a"},
       "'x' is not one of json, none, tree"},
      {"two that exclude each other", {"check", "--print", "--reference"}, "--reference"},
      {"two commands", {"proxy", "health"}, "health"},
      {"a separator first", {"--", "run"}, "a command is missing"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    const Outcome end = end_of(row.words);
    CAPTURE(end.err);
    CHECK(end.status == kExitUsage);
    CHECK(end.out.empty());
    CHECK(end.err.find(row.sentence) != std::string::npos);
    CHECK(end.err.starts_with("sidespan: "));
    CHECK(end.err.find("Try: sidespan ") != std::string::npos);
  }
}

TEST_CASE("help is everywhere, on stdout") {
  const Outcome all = end_of({"--help"});
  CHECK(all.status == kExitFine);
  CHECK(all.err.empty());
  for (const char* command : {"run", "proxy", "check", "env", "health", "version"}) {
    CAPTURE(command);
    CHECK(all.out.find(std::string("\n  ") + command + " ") != std::string::npos);
    for (const char* flag : {"--help", "-h"}) {
      const Outcome help = end_of({command, flag});
      CHECK(help.status == kExitFine);
      CHECK(help.err.empty());
      CHECK(help.out.find(std::string("Usage: sidespan ") + command) != std::string::npos);
    }
  }
  CHECK(end_of({"run", "--help"}).out.find("sidespan run [OPTIONS] -- CMD [ARG...]\n") !=
        std::string::npos);
  CHECK(end_of({"help"}).out == all.out);
  CHECK(end_of({"help", "run"}).out == end_of({"run", "--help"}).out);
}

TEST_CASE("help is written as people write, in lines of 80 columns") {
  struct Row {
    Words words;
    const char* shown;
  };
  const Row rows[] = {
      {{"help"}, "\n  -h, --help          Print"},
      {{"help", "run"}, "\n  --java, --no-java   Set"},
      {{"help", "env"}, "\n  --format FORMAT     sh, json or dotenv; else sh.\n"},
      {{"help", "check"}, "\n  --reference         Print"},
      {{"help", "ca"}, "Usage: sidespan ca [OPTIONS] show|export|rotate\n"},
      {{"help", "doctor"}, "Usage: sidespan doctor [OPTIONS] [-- CMD [ARG...]]\n"},
      {{"help", "proxy"}, "localhost:17001"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.words.back());
    const std::string help = end_of(row.words).out;
    CHECK(help.find(row.shown) != std::string::npos);
    for (size_t begin = 0; begin < help.size(); begin = help.find('\n', begin) + 1) {
      CHECK(help.find('\n', begin) - begin <= 80);
    }
  }
}

}  // namespace
}  // namespace sidespan::app
