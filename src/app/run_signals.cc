#include "app/run_signals.h"

#include <pthread.h>
#include <unistd.h>

#include <array>
#include <utility>

namespace sidespan::app {
namespace {

// SIGTSTP is among them because sidespan stops when its command does, not before (a command may
// refuse).
constexpr std::array kWaited = {SIGHUP,  SIGINT,  SIGQUIT, SIGTERM,  SIGUSR1,
                                SIGUSR2, SIGCONT, SIGTSTP, SIGWINCH, SIGALRM};

}  // namespace

bool is_for_the_command(const ReceivedSignal& signal, pid_t child, pid_t own, pid_t own_group) {
  if (signal.by_kernel || signal.sender == child) return false;
  // Under a shell with job control we lead our group: a member of it that signals (vim suspends all
  // of its group, a script kills 0) has reached the command as well. Where somebody else leads, as
  // in a script, that somebody may well mean sidespan alone.
  const bool leads = own == own_group;
  return !(leads && signal.sender_group == own_group);
}

RunSignals::RunSignals() {
  sigemptyset(&waited_);
  for (const int number : kWaited) sigaddset(&waited_, number);
  sigset_t blocked = waited_;
  // Printing the tree from the background must not stop us.
  sigaddset(&blocked, SIGTTOU);
  pthread_sigmask(SIG_BLOCK, &blocked, nullptr);
}

RunSignals::~RunSignals() {
  stop();
}

void RunSignals::stop() {
  if (!thread_.joinable()) return;
  stopping_ = true;
  pthread_kill(thread_.native_handle(), SIGUSR1);
  thread_.join();
}

void RunSignals::start(std::function<void(ReceivedSignal)> on_signal) {
  on_signal_ = std::move(on_signal);
  thread_ = std::thread([this] { wait(); });
}

void RunSignals::wait() {
  while (!stopping_) {
    siginfo_t info{};
    const int number = sigwaitinfo(&waited_, &info);
    if (number < 0 || stopping_) continue;
    ReceivedSignal signal;
    signal.number = number;
    signal.by_kernel = info.si_code > 0;
    if (!signal.by_kernel) {
      signal.sender = info.si_pid;
      const pid_t group = signal.sender > 0 ? ::getpgid(signal.sender) : 0;
      signal.sender_group = group > 0 ? group : 0;
    }
    on_signal_(signal);
  }
}

}  // namespace sidespan::app
