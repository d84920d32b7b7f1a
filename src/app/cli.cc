#include "app/cli.h"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <algorithm>
#include <map>
#include <memory>
#include <sstream>
#include <utility>

namespace sidespan::app {
namespace {

const std::map<std::string, RunPrint> kPrints = {
    {"tree", RunPrint::kTree}, {"json", RunPrint::kJson}, {"none", RunPrint::kNone}};
const std::map<std::string, bool> kIntercepts = {{"all", true}, {"off", false}};
const std::map<std::string, EnvironmentFormat> kFormats = {{"sh", EnvironmentFormat::kSh},
                                                           {"json", EnvironmentFormat::kJson},
                                                           {"dotenv", EnvironmentFormat::kDotenv}};

const std::map<std::string, CaAction> kCaActions = {
    {"show", CaAction::kShow}, {"export", CaAction::kExport}, {"rotate", CaAction::kRotate}};

// CLI11 knows nothing of what stands after `--`.
class UsageFormatter final : public CLI::Formatter {
 public:
  std::string make_usage(const CLI::App* app, std::string name) const override {
    std::string usage = CLI::Formatter::make_usage(app, std::move(name));
    const char* command = app->get_name() == "run"      ? " -- CMD [ARG...]\n"
                          : app->get_name() == "stdio"  ? " -- SERVER [ARG...]\n"
                          : app->get_name() == "doctor" ? " [-- CMD [ARG...]]\n"
                                                        : nullptr;
    if (command == nullptr) return usage;
    return usage.erase(usage.find_last_not_of('\n') + 1) + command;
  }
};

// CLI11's own check repeats the words in a form of its own.
template <class Value>
CLI::Option* add_word(CLI::App& app, const std::string& name, std::string& word,
                      const std::map<std::string, Value>& words, const std::string& sentence) {
  return app.add_option(name, word, sentence)->check([&words](const std::string& given) {
    if (words.contains(given)) return std::string();
    std::string known;
    for (const auto& [text, value] : words) known += (known.empty() ? "" : ", ") + text;
    return "'" + given + "' is not one of " + known;
  });
}

// The program's grammar, and where its words end up.
class Grammar {
 public:
  Grammar() {
    app_.formatter(std::make_shared<UsageFormatter>());
    app_.require_subcommand(1);
    app_.set_help_flag("-h,--help", "Print this and exit.");
    app_.set_version_flag(
        "--version", [] { return std::string("version"); }, "As the command `version`.");
    app_.footer(
        "Settings are read from --config, SIDESPAN_CONFIG or /etc/sidespan/sidespan.yaml, and each "
        "can\n"
        "be a variable: log.level is SIDESPAN_LOG_LEVEL. `sidespan check --reference` lists them.\n"
        "Exit status: 0 fine, 1 failed, 2 wrong usage or configuration; of `run`, the command's.");
    add_run();
    with_config(
        add("proxy", Command::kProxy, "Run the sidecar in the foreground; SIGTERM drains it."));
    add_stdio();
    add_check();
    add_env();
    add_ca();
    add_doctor();
    with_config(add("health", Command::kHealth,
                    "Ask a running sidecar whether it is ready: exit status 0 or 1."));
    add("version", Command::kVersion,
        "Print the versions of sidespan and of what it is linked with.");
  }

  std::expected<CommandLine, Outcome> parse(const std::vector<std::string>& words) {
    try {
      app_.parse(std::vector<std::string>(words.rbegin(), words.rend()));
    } catch (const CLI::CallForVersion&) {
      return CommandLine{};
    } catch (const CLI::CallForHelp&) {
      return std::unexpected(Outcome{kExitFine, app_.help(), ""});
    } catch (const CLI::Error& error) {
      return std::unexpected(Outcome{kExitUsage, "", sentence_of(error, words)});
    }
    for (const auto& [name, command] : commands_) {
      if (app_.got_subcommand(name)) line_.command = command;
    }
    if (!intercept_.empty()) line_.intercept = intercept_;
    if (!print_.empty()) line_.run.print = kPrints.at(print_);
    if (java_ != 0) line_.run.java = java_ > 0;
    if (!ca_.empty()) line_.ca = kCaActions.at(ca_);
    if (!format_.empty()) line_.format = kFormats.at(format_);
    return line_;
  }

 private:
  CLI::App& add(const std::string& name, Command command, const std::string& sentence) {
    commands_.emplace_back(name, command);
    return *app_.add_subcommand(name, sentence);
  }

  CLI::App& with_config(CLI::App& command) {
    command.add_option("--config", line_.config, "The configuration file.")->type_name("FILE");
    return command;
  }

  void add_run() {
    CLI::App& run = with_config(add(
        "run", Command::kRun, "Run a command through a sidecar of its own and print its trace."));
    run.add_option("--name", line_.name,
                   "The service that spans belong to; else the command's name.")
        ->type_name("NAME");
    add_word(
        run, "--print", print_, kPrints,
        "What to print on stderr at the end: tree, json or none. On a terminal tree, else none.")
        ->type_name("WHAT");
    add_intercept(run);
    add_java(run);
  }

  void add_stdio() {
    with_config(add("stdio", Command::kStdio,
                    "Stand between an agent and a stdio MCP server: a span for each request."))
        .add_option("--name", line_.name,
                    "The service that spans belong to; else the server's name.")
        ->type_name("NAME");
  }

  void add_intercept(CLI::App& command) {
    add_word(command, "--intercept", intercept_, kIntercepts,
             "Whether the command's HTTPS is opened: all or off; else as tls.intercept.mode says, "
             "which is all for run.")
        ->type_name("WHICH");
  }

  void add_java(CLI::App& command) {
    command.add_flag("--java,!--no-java", java_,
                     "Set JAVA_TOOL_OPTIONS, or not; else where the command starts a JVM by its "
                     "name, or JAVA_HOME or JAVA_TOOL_OPTIONS is set.");
  }

  void add_doctor() {
    CLI::App& doctor = with_config(
        add("doctor", Command::kDoctor,
            "Say why a client does not use or trust the sidecar, and what to do: exit status 0 or "
            "1. With a command it is run and watched."));
    add_intercept(doctor);
    add_java(doctor);
  }

  void add_check() {
    CLI::App& check = with_config(add(
        "check", Command::kCheck, "Print every fault of the configuration: exit status 0 or 2."));
    CLI::Option* print = check.add_flag("--print", line_.print_effective,
                                        "Print each setting in effect, and where it came from.");
    check
        .add_flag("--reference", line_.print_reference,
                  "Print all settings with their defaults and what they are for.")
        ->excludes(print);
  }

  void add_env() {
    CLI::App& env = with_config(
        add("env", Command::kEnv, "Print the environment that sends a process through a sidecar."));
    add_word(env, "--format", format_, kFormats, "sh, json or dotenv; else sh.")
        ->type_name("FORMAT");
    add_java(env);
  }

  void add_ca() {
    CLI::App& ca = with_config(
        add("ca", Command::kCa, "The authority that agents trust where their HTTPS is opened."));
    add_word(ca, "action", ca_, kCaActions,
             "show: who it is, and until when. export: its certificate, never its key. rotate: a "
             "new one signs from the next start on.")
        ->required()
        ->type_name("ACTION");
  }

  std::string sentence_of(const CLI::Error& error, const std::vector<std::string>& words) const {
    const std::string first = words.empty() ? "" : words.front();
    const bool is_command =
        std::ranges::any_of(commands_, [&](const auto& known) { return known.first == first; });
    std::string what = error.what();
    const bool extras = dynamic_cast<const CLI::ExtrasError*>(&error) != nullptr;
    if (extras) {  // CLI11 names them from the last to the first
      what = "not expected:";
      for (const std::string& word : app_.remaining(true)) what += " " + word;
    }
    if (first.empty()) {
      what = "a command is missing";
    } else if (!is_command && !first.starts_with('-')) {
      what = "there is no command '" + first + "'";
    } else if (extras && (first == "run" || first == "stdio" || first == "doctor")) {
      what += "; the command to run stands after --";
    }
    std::ranges::replace(what, '\n', ' ');
    return "sidespan: " + what + "\nTry: sidespan " + (is_command ? first + " " : "") + "--help\n";
  }

  CLI::App app_{"A sidecar proxy that traces what AI agents call.", "sidespan"};
  CommandLine line_;
  std::string print_;
  std::string intercept_;
  int java_ = 0;  // of the two flags: 1 and -1
  std::string format_;
  std::string ca_;
  std::vector<std::pair<std::string, Command>> commands_;
};

Outcome wrong(const std::string& command, const std::string& what) {
  return {kExitUsage, "", "sidespan: " + what + "\nTry: sidespan " + command + " --help\n"};
}

}  // namespace

std::expected<CommandLine, Outcome> parse_command_line(const std::vector<std::string>& arguments) {
  const auto separator = std::ranges::find(arguments, "--");
  std::expected<CommandLine, Outcome> line = Grammar().parse({arguments.begin(), separator});
  if (!line) return line;
  const bool separated = separator != arguments.end();
  const bool must = line->command == Command::kRun || line->command == Command::kStdio;
  if (!must && line->command != Command::kDoctor && separated) {
    return std::unexpected(
        wrong(arguments.front(), "only run, stdio and doctor take a command after --"));
  }
  if (separated) line->run.argv.assign(separator + 1, arguments.end());
  if ((must || separated) && line->run.argv.empty()) {
    return std::unexpected(
        wrong(arguments.front(), "the command to run is missing; it stands after --"));
  }
  return line;
}

}  // namespace sidespan::app
