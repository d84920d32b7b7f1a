#include "app/proxy_command.h"

#include <fmt/format.h>
#include <sys/resource.h>

#include <csignal>
#include <cstdio>
#include <optional>
#include <string>
#include <utility>

#include "app/authority_renewal.h"
#include "app/authority_scope.h"
#include "app/environment.h"
#include "app/log.h"
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

constexpr Milliseconds kLookEvery{10};
constexpr Milliseconds kRenewEvery{std::chrono::hours(1)};

// What becomes of HTTPS, in one sentence, and the setting that changes it.
std::string what_is_seen(const Settings& settings, const TlsSetup& tls) {
  using Mode = proxy::Interception::Mode;
  const Mode mode = settings.tls.interception.mode;
  if (mode == Mode::kOff || !tls.authority) {
    return std::string(
               "HTTPS passes as opaque tunnels: host, bytes and time are seen, the requests "
               "inside are not") +
           (mode == Mode::kOff ? "; tls.intercept.mode opens them" : "");
  }
  return mode == Mode::kAll ? "HTTPS is opened for agents that trust our authority; "
                              "tls.intercept.bypass names hosts that are left alone"
                            : "HTTPS to tls.intercept.hosts is opened, for agents that trust our "
                              "authority; what is not listed passes as it is";
}

// Whoever started it by hand reads a sentence; a log has its lines.
int start_failed(const Error& error, OperatorLog& log) {
  if (terminal_of_stderr().present) {
    std::fprintf(stderr, "sidespan: %s\n", error.what.c_str());
  } else {
    log.write(LogLevel::kError, error.what, {});
  }
  return 1;
}

class ProxyCommand {
 public:
  ProxyCommand(const Settings& settings, const Environment& own, OperatorLog& log,
               const TlsSetup& tls)
      : settings_(settings),
        log_(log),
        tls_(tls),
        mailbox_(loop_),
        sidecar_(settings, tls, log, {}),
        renewal_(settings, own, tls),
        timer_(loop_, [this] { look(); }),
        renewal_timer_(loop_, [this] { renew(); }),
        terminate_(loop_, SIGTERM, [this] { on_stop_signal(); }),
        interrupt_(loop_, SIGINT, [this] { on_stop_signal(); }),
        hang_up_(loop_, SIGHUP, [this] { on_hang_up(); }),
        user_1_(loop_, SIGUSR1, [] {}),
        user_2_(loop_, SIGUSR2, [] {}) {}

  int run();

 private:
  void say_what_is_seen();
  Result<void> check_export();
  void say_who_signs();
  void on_stop_signal();
  void on_hang_up();
  void look();
  void renew();
  void export_rest();
  void say_what_became_of_spans();

  const Settings& settings_;
  OperatorLog& log_;
  const TlsSetup& tls_;
  net::Loop loop_;
  net::Mailbox mailbox_;  // keeps the loop running
  Sidecar sidecar_;
  AuthorityRenewal renewal_;
  net::Timer timer_;
  net::Timer renewal_timer_;
  net::Signal terminate_;
  net::Signal interrupt_;
  net::Signal hang_up_;
  net::Signal user_1_;  // both would end it, and mean nothing here
  net::Signal user_2_;
  std::optional<Drain> drain_;
  MonoTime drain_ends_{};
};

int ProxyCommand::run() {
  // We start no program. Of those that others leave behind, in whose container this is the first
  // process, the kernel then forgets the end by itself.
  std::signal(SIGCHLD, SIG_IGN);
  net::reap_orphans(0);
  Lineage lineage;
  lineage.environment = inherited_context(trace::EnvironmentCarrier::of_process().entries());
  say_what_is_seen();
  if (const Result<void> exported = check_export(); !exported) {
    return start_failed(exported.error(), log_);
  }
  if (const Result<void> opened = sidecar_.open(lineage); !opened) {
    return start_failed(opened.error(), log_);
  }
  renewal_timer_.start(kRenewEvery, true);
  give_start_memory_back();
  loop_.run();
  terminate_.ignore();
  interrupt_.ignore();
  say_what_became_of_spans();
  return 0;
}

void ProxyCommand::say_what_is_seen() {
  for (const std::string& warning : settings_.warnings) log_.write(LogLevel::kWarn, warning, {});
  for (const std::string& warning : tls_.warnings) log_.write(LogLevel::kWarn, warning, {});
  log_.write(LogLevel::kInfo, what_is_seen(settings_, tls_), {});
  const std::string_view why = why_nothing_is_exported(settings_);
  if (!why.empty()) log_.write(LogLevel::kWarn, why, {});
}

// Before anybody is told that we are ready: where agents are to find certificates, they wait for
// them.
Result<void> ProxyCommand::check_export() {
  const bool opens = settings_.tls.interception.mode != proxy::Interception::Mode::kOff;
  if (!tls_.authority && opens && !settings_.tls.export_dir.empty()) {
    return fail(
        Code::kSystem, Side::kSelf,
        "tls.authority.export_dir is to get certificates, and there are none: " + tls_.unopened);
  }
  if (!tls_.authority) return {};
  forbid_core_dumps();
  log_.write(LogLevel::kInfo, "agents are to trust ca.pem", {{"directory", tls_.trust_directory}});
  if (tls_.authority_made) say_who_signs();
  return {};
}

void ProxyCommand::say_who_signs() {
  log_.write(LogLevel::kInfo,
             "a new authority signs: agents that run already do not know it and are to be started "
             "again",
             {{"signs_for", text_of(authority_scope(settings_.tls))}});
}

void ProxyCommand::on_stop_signal() {
  if (drain_) {
    log_.write(LogLevel::kWarn, "a second signal: stopping at once", {});
    drain_ends_ = MonoTime::min();
    export_rest();
    return;
  }
  log_.write(LogLevel::kInfo, "draining: egress serves on until the agent is quiet", {});
  const DrainTimes times = drain_times(settings_.drain.deadline);
  const MonoTime now = loop_.precise_now().mono;
  drain_ends_ = now + times.all;
  drain_.emplace(now, settings_.drain.quiet, times.serving, false);
  sidecar_.drain(false);
  timer_.start(kLookEvery);
}

void ProxyCommand::on_hang_up() {
  log_.write(LogLevel::kInfo, "the configuration is read at start only: SIGHUP changes nothing",
             {});
}

void ProxyCommand::renew() {
  const Result<Renewal> done = renewal_.look(loop_.precise_now().wall);
  if (!done) {
    log_.write(LogLevel::kError, "the authority could not be looked at or renewed",
               {{"what", done.error().what}});
  } else if (*done == Renewal::kExported) {
    log_.write(LogLevel::kInfo,
               "ca.pem has other certificates: a successor of the authority, or a former one less",
               {});
  } else if (*done == Renewal::kSwitched) {
    log_.write(LogLevel::kInfo, "the authority's successor signs from now on", {});
  } else if (*done == Renewal::kReplaced) {
    say_who_signs();
  }
  renewal_timer_.start(kRenewEvery, true);
}

void ProxyCommand::look() {
  if (!drain_) return;
  const Activity activity = sidecar_.activity();
  switch (drain_->look(loop_.precise_now().mono, activity)) {
    case Drain::State::kGoing:
      timer_.start(kLookEvery);
      return;
    case Drain::State::kLate:
      log_.write(LogLevel::kWarn, "drain.deadline came before the agent was quiet",
                 {{"exchanges", std::to_string(activity.busy)}});
      break;
    case Drain::State::kQuiet:
      break;
  }
  export_rest();
}

void ProxyCommand::export_rest() {
  sidecar_.stop_workers();
  timer_.stop();
  sidecar_.telemetry().drain({.deadline = drain_ends_},
                             [this] { mailbox_.post([this] { loop_.stop(); }); });
}

void ProxyCommand::say_what_became_of_spans() {
  const report::Totals totals = sidecar_.telemetry().totals();
  log_.write(LogLevel::kInfo, "stopped",
             {{"spans_emitted", std::to_string(totals.emitted)},
              {"spans_exported", std::to_string(totals.exported)},
              {"spans_dropped", std::to_string(totals.dropped_in_sum())}});
}

// The lower of the two is for programs that select() descriptors, up to 1,023; nothing that we
// start inherits it.
void raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace

int proxy_command(const Settings& settings, const Environment& own) {
  raise_descriptor_limit();
  OperatorLog log = OperatorLog::to_stderr(settings.log);
  const Result<TlsSetup> tls = set_up_tls(settings, own, SystemClock().now().wall);
  if (tls) return ProxyCommand(settings, own, log, *tls).run();
  return start_failed(tls.error(), log);
}

}  // namespace sidespan::app
