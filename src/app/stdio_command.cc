#include "app/stdio_command.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <memory>
#include <optional>
#include <utility>

#include "app/child_status.h"
#include "app/command_log.h"
#include "app/run_signals.h"
#include "app/stdio_calls.h"
#include "app/telemetry.h"
#include "app/tls_setup.h"
#include "sidespan/net/loop.h"
#include "sidespan/net/mailbox.h"
#include "sidespan/net/process.h"
#include "sidespan/net/pump.h"
#include "sidespan/net/signal.h"
#include "sidespan/trace/carrier.h"

namespace sidespan::app {
namespace {

// Another process that the server left behind may hold its pipe open for ever.
constexpr Milliseconds kLastWords{2000};
constexpr int kVainAttemptsMax = 2;
constexpr int kOwnFailure = 1;

int failed(const std::string& what) {
  std::fprintf(stderr, "sidespan: %s\n", what.c_str());
  return kOwnFailure;
}

bool asks_to_end(const ReceivedSignal& signal) {
  return signal.number == SIGTERM || signal.number == SIGINT || signal.number == SIGHUP ||
         signal.number == SIGQUIT;
}

std::string log_id(Random& random) {
  return trace::SpanId::make(random).to_string();
}

class StdioCommand {
 public:
  StdioCommand(const Settings& settings, const Environment& own, const TlsSetup& tls);
  ~StdioCommand() { signals_.stop(); }
  StdioCommand(const StdioCommand&) = delete;
  StdioCommand& operator=(const StdioCommand&) = delete;

  int run(const std::vector<std::string>& argv);

 private:
  void warn_of_export();
  int start(const std::vector<std::string>& argv);
  void start_pumps(int to_server, int from_server);
  void on_signal(const ReceivedSignal& signal);
  void on_exit(net::ProcessExit exit);
  void look();
  void export_rest();

  const Settings& settings_;
  const std::vector<std::string> environment_;
  RunSignals signals_;  // before any thread
  Random random_ = Random::from_system();
  CommandLog log_;
  net::Loop loop_;
  net::Mailbox mailbox_;  // keeps the loop running
  Telemetry telemetry_;
  StdioCalls calls_;
  net::Signal child_changed_;
  std::unique_ptr<net::Process> server_;
  std::unique_ptr<net::Pump> from_agent_;
  std::unique_ptr<net::Pump> from_server_;
  bool server_said_all_ = false;
  std::optional<net::ProcessExit> exit_;
  bool exporting_ = false;
};

StdioCommand::StdioCommand(const Settings& settings, const Environment& own, const TlsSetup& tls)
    : settings_(settings),
      environment_(trace::EnvironmentCarrier::of_process().entries()),
      log_(open_command_log(settings, own, log_id(random_))),
      mailbox_(loop_),
      telemetry_(settings, memory_shares(), tls, log_.log, {}),
      calls_(settings, inherited_context(environment_), random_,
             [this](trace::Span span) { telemetry_.emit(std::move(span)); }),
      // As the first process of a container we are given what the server leaves behind.
      child_changed_(loop_, SIGCHLD,
                     [this] { net::reap_orphans(server_ && !exit_ ? server_->pid() : 0); }) {}

int StdioCommand::run(const std::vector<std::string>& argv) {
  for (const std::string& warning : settings_.warnings) {
    log_.log.write(LogLevel::kWarn, warning, {});
  }
  warn_of_export();
  if (const int status = start(argv); status != 0) return status;
  signals_.start([this, sender = mailbox_.sender()](const ReceivedSignal& signal) {
    sender.post([this, signal] { on_signal(signal); });
  });
  loop_.run();
  const report::Totals totals = telemetry_.totals();
  log_.log.write(LogLevel::kInfo, "stopped",
                 {{"spans_emitted", std::to_string(totals.emitted)},
                  {"spans_exported", std::to_string(totals.exported)},
                  {"spans_dropped", std::to_string(totals.dropped_in_sum())}});
  return exit_status(*exit_);
}

// On stderr, which clients keep as the server's log, only what nobody has decided.
void StdioCommand::warn_of_export() {
  const std::string_view why = why_nothing_is_exported(settings_);
  if (why.empty()) return;
  log_.log.write(LogLevel::kWarn, why, {});
  if (settings_.tracing && !settings_.exporting.decided) {
    std::fprintf(stderr, "sidespan: %s\n", std::string(why).c_str());
  }
}

int StdioCommand::start(const std::vector<std::string>& argv) {
  std::array<int, 2> to{};
  std::array<int, 2> from{};
  if (::pipe2(to.data(), O_CLOEXEC) != 0 || ::pipe2(from.data(), O_CLOEXEC) != 0) {
    return failed(std::string("there is no pipe to the server: ") + std::strerror(errno));
  }
  Result<std::unique_ptr<net::Process>> server = net::Process::spawn(
      loop_, argv, environment_, [this](net::ProcessExit exit) { on_exit(exit); },
      {.in = to[0], .out = from[1]});
  ::close(to[0]);
  ::close(from[1]);
  if (!server) {
    failed(server.error().what);
    return exit_status(server.error());
  }
  server_ = *std::move(server);
  start_pumps(to[1], from[0]);
  return 0;
}

void StdioCommand::start_pumps(int to_server, int from_server) {
  from_agent_ = std::make_unique<net::Pump>(
      STDIN_FILENO, to_server,
      net::Pump::Hooks{.pass = [this](std::string_view read) { return calls_.from_agent(read); },
                       .rest = [this](net::Pump::End why) { return calls_.agent_ended(why); },
                       .on_end = [] {}});
  from_server_ = std::make_unique<net::Pump>(
      from_server, STDOUT_FILENO,
      net::Pump::Hooks{.pass = [this](std::string_view read) { return calls_.from_server(read); },
                       .rest = [this](net::Pump::End why) { return calls_.server_ended(why); },
                       .on_end =
                           [this, sender = mailbox_.sender()] {
                             sender.post([this] {
                               server_said_all_ = true;
                               look();
                             });
                           }});
}

void StdioCommand::on_signal(const ReceivedSignal& signal) {
  const bool ends = asks_to_end(signal);
  if (exit_) {
    // Nobody else ends the wait for an agent that does not take the last words.
    if (ends) export_rest();
    return;
  }
  if (ends) calls_.ended_by(semconv::Ending::kAgentCancelled);
  if (is_for_the_command(signal, server_->pid(), ::getpid(), ::getpgrp())) {
    server_->kill(signal.number);
  }
}

void StdioCommand::on_exit(net::ProcessExit exit) {
  exit_ = exit;
  log_.log.write(LogLevel::kInfo, "the server has ended",
                 {{"status", std::to_string(exit_status(exit))}});
  // Before the agent's pump ends for it.
  calls_.ended_by(semconv::Ending::kOriginClosed);
  from_agent_->stop();
  from_server_->finish_when_quiet(kLastWords);
  look();
}

void StdioCommand::look() {
  if (exit_ && server_said_all_) export_rest();
}

void StdioCommand::export_rest() {
  if (std::exchange(exporting_, true)) return;
  // Waits for their threads: nothing is counted after that.
  from_agent_.reset();
  from_server_.reset();
  calls_.end();
  telemetry_.drain({.deadline = loop_.precise_now().mono + settings_.limits.stdio_export,
                    .vain_attempts_max = kVainAttemptsMax},
                   [this] { mailbox_.post([this] { loop_.stop(); }); });
}

}  // namespace

int stdio_command(const Settings& settings, const Environment& own,
                  const std::vector<std::string>& argv) {
  const Result<TlsSetup> tls = set_up_origin_tls(settings, own);
  return tls ? StdioCommand(settings, own, *tls).run(argv) : failed(tls.error().what);
}

}  // namespace sidespan::app
