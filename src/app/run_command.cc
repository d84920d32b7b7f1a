#include "app/run_command.h"

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdio>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>

#include "app/agent_variables.h"
#include "app/child_status.h"
#include "app/command_log.h"
#include "app/environment.h"
#include "app/java.h"
#include "app/run_report.h"
#include "app/run_root.h"
#include "app/run_signals.h"
#include "app/run_terminal.h"
#include "app/sidecar.h"
#include "app/start_memory.h"
#include "app/tls_setup.h"
#include "sidespan/net/loop.h"
#include "sidespan/net/mailbox.h"
#include "sidespan/net/process.h"
#include "sidespan/net/signal.h"
#include "sidespan/net/timer.h"
#include "sidespan/trace/carrier.h"

namespace sidespan::app {
namespace {

constexpr Milliseconds kLookEvery{5};
// A signal that the command died of may be seen here after its end; later ones mean sidespan.
constexpr Milliseconds kSettle{100};
// Nobody at the collector's address twice in a row: the prompt comes back.
constexpr int kVainAttemptsMax = 2;
constexpr int kOwnFailure = 1;

void print_line(const std::string& line) {
  std::fprintf(stderr, "%s\n", line.c_str());
}

RunPrint resolved(RunPrint asked, const Terminal& terminal) {
  if (asked != RunPrint::kAuto) return asked;
  return terminal.present ? RunPrint::kTree : RunPrint::kNone;
}

class RunCommand {
 public:
  RunCommand(const Settings& settings, const RunOptions& options, const TlsSetup& tls);
  ~RunCommand() { signals_.stop(); }
  RunCommand(const RunCommand&) = delete;
  RunCommand& operator=(const RunCommand&) = delete;
  int run();
  // The same without a word about the run. Nothing: the command did not run.
  std::optional<RunSeen> watch();

 private:
  int start();
  int run_until_exported();
  Pairs further_variables() const;
  void on_signal(const ReceivedSignal& signal);
  void on_child_change();
  void stop_with_child();
  void on_exit(net::ProcessExit exit);
  void look();
  void end_run();
  void export_rest(MonoTime deadline);
  void warn();
  void print_run();
  void print_outcome();

  const Settings& settings_;
  const RunOptions& options_;
  const TlsSetup& tls_;
  const std::vector<std::string> own_;  // this process's environment
  const Environment own_map_;
  const std::vector<RunWarning> warnings_ = run_warnings(own_map_);
  const Terminal terminal_ = terminal_of_stderr();
  const RunPrint printed_;
  RunSignals signals_;  // before any thread
  Random random_ = Random::from_system();
  const RunRoot root_;
  CommandLog log_;
  RunRecord record_;  // the telemetry thread's, until that is asked for its totals
  net::Loop loop_;
  net::Mailbox mailbox_;  // keeps the loop running
  Sidecar sidecar_;
  net::Timer timer_;
  net::Signal child_changed_;
  std::unique_ptr<net::Process> child_;
  Moment began_{};
  std::optional<RunEnd> end_;
  std::optional<Drain> drain_;  // the command has ended, its last calls may not have
  bool exporting_ = false;
};

RunCommand::RunCommand(const Settings& settings, const RunOptions& options, const TlsSetup& tls)
    : settings_(settings),
      options_(options),
      tls_(tls),
      own_(trace::EnvironmentCarrier::of_process().entries()),
      own_map_(to_environment(own_)),
      printed_(resolved(options.print, terminal_)),
      root_(open_run(settings, options.argv.front(), own_, random_)),
      log_(open_command_log(settings, own_map_, root_.id)),
      mailbox_(loop_),
      sidecar_(settings, tls, log_.log,
               [this](const trace::Span& span) { record_.add(span, settings_.limits.run_spans); }),
      timer_(loop_, [this] { look(); }),
      child_changed_(loop_, SIGCHLD, [this] { on_child_change(); }) {
  record_.trace_id = root_.context.span.trace_id;
  record_.root = root_.context.span.span_id;
}

int RunCommand::run() {
  warn();
  const int status = run_until_exported();
  if (end_) print_outcome();
  return status;
}

std::optional<RunSeen> RunCommand::watch() {
  run_until_exported();
  if (!end_) return std::nullopt;
  return RunSeen{.record = std::move(record_),
                 .requests = sidecar_.activity().requests,
                 .totals = sidecar_.telemetry().totals(),
                 .status = exit_status(end_->exit)};
}

int RunCommand::run_until_exported() {
  if (const int status = start(); status != 0) return status;
  signals_.start([this, sender = mailbox_.sender()](const ReceivedSignal& signal) {
    sender.post([this, signal] { on_signal(signal); });
  });
  give_start_memory_back();
  loop_.run();
  return end_ ? exit_status(end_->exit) : kOwnFailure;
}

void RunCommand::warn() {
  for (const std::string& warning : settings_.warnings) {
    log_.log.write(LogLevel::kWarn, warning, {});
  }
  // The terminal will be the command's; there it is said afterwards.
  const bool now = !terminal_.present;
  for (const std::string& warning : tls_.warnings) {
    log_.log.write(LogLevel::kWarn, warning, {});
    if (now) print_line("sidespan: " + warning);
  }
  for (const RunWarning& warning : warnings_) {
    log_.log.write(LogLevel::kWarn, warning.text, {});
    if (now && warning.changes_calls) print_line("sidespan: " + warning.text);
  }
}

int RunCommand::start() {
  if (const Result<void> opened = sidecar_.open(root_.lineage); !opened) {
    print_line("sidespan: " + opened.error().what);
    return kOwnFailure;
  }
  if (root_.sampled) sidecar_.telemetry().hold(root_.context.span.trace_id);
  const std::vector<std::string> environment =
      run_environment(own_, proxy_url(sidecar_.egress()), further_variables(), root_.context);
  began_ = loop_.precise_now();
  Result<std::unique_ptr<net::Process>> child = net::Process::spawn(
      loop_, options_.argv, environment, [this](net::ProcessExit exit) { on_exit(exit); });
  if (child) {
    if (tls_.authority) forbid_core_dumps();  // the command has its own limit
    child_ = std::move(*child);
    return 0;
  }
  print_line("sidespan: " + child.error().what);
  return exit_status(child.error());
}

Pairs RunCommand::further_variables() const {
  const bool java = wants_java(options_.java, options_.argv.front(), own_map_);
  return agent_variables(reachable(sidecar_.egress()), tls_.trust_directory, tls_.trust_variables,
                         own_map_, java);
}

void RunCommand::on_signal(const ReceivedSignal& signal) {
  if (!end_) {
    if (is_for_the_command(signal, child_->pid(), ::getpid(), ::getpgrp())) {
      child_->kill(signal.number);
    }
    return;
  }
  constexpr std::array kEnding = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
  const bool ends = std::ranges::find(kEnding, signal.number) != kEnding.end();
  if (!ends || loop_.precise_now().mono - end_->ended < kSettle) return;
  exporting_ ? export_rest(MonoTime::min()) : end_run();
}

// As the first process of a container we are given what the command's own children leave behind.
void RunCommand::on_child_change() {
  stop_with_child();
  net::reap_orphans(child_ && !end_ ? child_->pid() : 0);
}

// A shell with job control waits for its whole job, and sidespan is part of it. Only the terminal's
// stops count: whoever stops the command alone may also continue it alone.
void RunCommand::stop_with_child() {
  if (!child_ || end_) return;
  siginfo_t info{};
  const int pid = child_->pid();
  if (::waitid(P_PID, static_cast<id_t>(pid), &info, WSTOPPED | WNOHANG) != 0) return;
  if (info.si_pid != pid) return;
  const int by = info.si_status;
  if (by == SIGTSTP || by == SIGTTIN || by == SIGTTOU) ::kill(::getpid(), SIGSTOP);
}

void RunCommand::on_exit(net::ProcessExit exit) {
  const MonoTime now = loop_.precise_now().mono;
  log_.log.write(LogLevel::kInfo, "the command has ended",
                 {{"status", std::to_string(exit_status(exit))}});
  end_ = RunEnd{.began = began_, .ended = now, .pid = child_->pid(), .exit = exit};
  const DrainTimes times = drain_times(settings_.drain.deadline);
  drain_.emplace(now, settings_.drain.quiet, times.serving, true);
  sidecar_.drain(true);
  timer_.start(kLookEvery);
}

void RunCommand::look() {
  if (exporting_ || !drain_) return;
  if (drain_->look(loop_.precise_now().mono, sidecar_.activity()) == Drain::State::kGoing) {
    timer_.start(kLookEvery);
  } else {
    end_run();
  }
}

void RunCommand::end_run() {
  exporting_ = true;
  sidecar_.stop_workers();
  if (root_.sampled && end_) {
    sidecar_.telemetry().emit(close_run(root_, settings_.limits.attributes, *end_));
    sidecar_.telemetry().release(root_.context.span.trace_id);
  }
  sidecar_.telemetry().totals();  // what was emitted before is in record_ when this returns
  print_run();
  export_rest(loop_.precise_now().mono + settings_.limits.run_export);
}

void RunCommand::export_rest(MonoTime deadline) {
  sidecar_.telemetry().drain({.deadline = deadline, .vain_attempts_max = kVainAttemptsMax},
                             [this] { mailbox_.post([this] { loop_.stop(); }); });
}

void RunCommand::print_run() {
  record_.name = settings_.service.name;
  if (printed_ == RunPrint::kJson) print_line(run_json(record_));
  if (printed_ != RunPrint::kTree) return;
  const TreeStyle style = tree_style(own_map_, terminal_);
  for (const std::string& line : run_report(settings_, root_, record_, style)) print_line(line);
}

void RunCommand::print_outcome() {
  const report::Totals totals = sidecar_.telemetry().totals();
  const std::string spans = where_spans_went(settings_, totals, log_.path);
  const bool tree = printed_ == RunPrint::kTree;
  const uint64_t left_out = totals.dropped[static_cast<size_t>(report::DropReason::kTail)];
  const bool lost = settings_.exporting.endpoint && totals.exported + left_out != totals.emitted;
  if ((tree || lost) && !spans.empty()) print_line(spans);
  for (const RunWarning& warning : warnings_) {
    const bool said = warning.changes_calls && !terminal_.present;
    if (!said && (tree || warning.changes_calls)) print_line("sidespan: " + warning.text);
  }
  for (const std::string& warning : tls_.warnings) {
    if (terminal_.present) print_line("sidespan: " + warning);
  }
  if (!tree) return;
  for (const std::string& warning : settings_.warnings) print_line("sidespan: " + warning);
  if (!log_.fault.empty()) print_line("sidespan: this run has no log: " + log_.fault);
}

}  // namespace

int run_command(const Settings& settings, const Environment& own, const RunOptions& options) {
  const Result<TlsSetup> tls = set_up_command_tls(settings, own, SystemClock().now().wall);
  if (tls) return RunCommand(settings, options, *tls).run();
  print_line("sidespan: " + tls.error().what);
  return kOwnFailure;
}

std::optional<RunSeen> watch_command(const Settings& settings, const TlsSetup& tls,
                                     const RunOptions& options) {
  return RunCommand(settings, options, tls).watch();
}

}  // namespace sidespan::app
