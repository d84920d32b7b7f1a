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

// Together a terminal's usual width.
constexpr size_t kNameColumns = 22;
constexpr size_t kSentenceColumns = 58;

std::string wrapped(const std::string& sentence, size_t columns_max = kSentenceColumns) {
  std::string out;
  size_t column = 0;
  std::istringstream words(sentence);
  for (std::string word; words >> word; column += word.size()) {
    if (column + 1 + word.size() > columns_max) {
      out.push_back('\n');
      column = 0;
    } else if (column > 0) {
      out.push_back(' ');
      ++column;
    }
    out += word;
  }
  return out;
}

// Names and values alone, as people write them; and what stands after `--`, of which CLI11 knows
// nothing.
class HelpFormatter final : public CLI::Formatter {
 public:
  HelpFormatter() {
    column_width(kNameColumns);
    label("Positionals", "Arguments");
    label("SUBCOMMAND", "COMMAND");
  }

  std::string make_description(const CLI::App* app) const override {
    return wrapped(app->get_description(), kNameColumns + kSentenceColumns) + "\n";
  }
  std::string make_usage(const CLI::App* app, std::string name) const override {
    std::string usage = CLI::Formatter::make_usage(app, std::move(name));
    const char* command = app->get_name() == "run"      ? " -- CMD [ARG...]\n"
                          : app->get_name() == "stdio"  ? " -- SERVER [ARG...]\n"
                          : app->get_name() == "doctor" ? " [-- CMD [ARG...]]\n"
                                                        : nullptr;
    if (command == nullptr) return usage;
    return usage.erase(usage.find_last_not_of('\n') + 1) + command;
  }
  std::string make_option_name(const CLI::Option* option, bool positional) const override {
    if (positional) return option->get_type_name();
    std::string names;
    for (const std::string& letter : option->get_snames()) names += ", -" + letter;
    for (const std::string& word : option->get_lnames()) names += ", --" + word;
    return names.substr(2);
  }
  std::string make_option_opts(const CLI::Option* option) const override {
    const bool named = option->get_type_size() != 0 && !option->get_positional();
    return named ? " " + option->get_type_name() : "";
  }
  std::string make_option_desc(const CLI::Option* option) const override {
    return wrapped(option->get_description());
  }
  std::string make_subcommand(const CLI::App* command) const override {
    std::ostringstream out;
    CLI::detail::format_help(out, command->get_name(), wrapped(command->get_description()),
                             kNameColumns);
    return out.str();
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
    app_.formatter(std::make_shared<HelpFormatter>());
    app_.require_subcommand(1);
    app_.set_help_flag("-h,--help", "Print this and exit.");
    app_.set_version_flag(
        "--version", [] { return std::string("version"); }, "As the command `version`.");
    app_.footer(
        "Settings are read from --config, SIDESPAN_CONFIG or /etc/sidespan/sidespan.yaml,\n"
        "and each can be a variable: log.level is SIDESPAN_LOG_LEVEL. They are listed by\n"
        "`sidespan check --reference`. Exit status: 0 fine, 1 failed, 2 wrong usage or\n"
        "configuration; of `run` and `stdio`, the command's.");
    add_run();
    with_config(
        add("proxy", Command::kProxy,
            "Run a sidecar in the foreground, on localhost:17001 where listen.egress says nothing "
            "else; SIGTERM drains it."));
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
    return *app_.add_subcommand(name, sentence)->group("Commands");
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
    add_word(run, "--print", print_, kPrints,
             "tree, json or none: what to print on stderr at the end; else a tree where that is a "
             "terminal.")
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
             "all or off: whether the command's HTTPS is opened; else tls.intercept.mode says so, "
             "and where that is not set, all.")
        ->type_name("WHICH");
  }

  void add_java(CLI::App& command) {
    command.add_flag("--java,!--no-java", java_,
                     "Set JAVA_TOOL_OPTIONS, or not; else it is set for a command by the name of "
                     "java, mvn, gradle, ..., or where JAVA_HOME or JAVA_TOOL_OPTIONS is.");
  }

  void add_doctor() {
    CLI::App& doctor = with_config(
        add("doctor", Command::kDoctor,
            "Say why calls are not seen or sidespan is not trusted, and what to do: exit status 0 "
            "or 1. With a command it is run and watched."));
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
    CLI::App& env =
        with_config(add("env", Command::kEnv,
                        "Print the variables that send a process through a running sidecar, for "
                        "variables=$(sidespan env) && eval \"$variables\"."));
    add_word(env, "--format", format_, kFormats, "sh, json or dotenv; else sh.")
        ->type_name("FORMAT");
    add_java(env);
  }

  void add_ca() {
    CLI::App& ca = with_config(
        add("ca", Command::kCa, "The authority that agents trust where their HTTPS is opened."));
    add_word(ca, "action", ca_, kCaActions,
             "show: who it is, and until when. export: print its certificate, never its key. "
             "rotate: make a new one, which signs from the next start on.")
        ->required()
        ->type_name("show|export|rotate");
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
    if (dynamic_cast<const CLI::RequiredError*>(&error) != nullptr && first == "ca") {
      what = "an action is missing: show, export or rotate";
    }
    std::ranges::replace(what, '\n', ' ');
    return "sidespan: " + what + "\nTry: sidespan " + (is_command ? first + " " : "") + "--help\n";
  }

  CLI::App app_{"A sidecar proxy that traces what AI agents call: sidespan run -- python agent.py",
                "sidespan"};
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
  std::vector<std::string> words(arguments.begin(), separator);
  if (!words.empty() && words.front() == "help") {  // as --help at the end
    words.erase(words.begin());
    words.emplace_back("--help");
  }
  std::expected<CommandLine, Outcome> line = Grammar().parse(words);
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
