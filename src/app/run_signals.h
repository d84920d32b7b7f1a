// Signals that reach `sidespan run` while its command has the terminal. Ctrl-C and its kin go to
// the whole foreground process group, so the command has them already; what somebody sends to
// sidespan alone is meant for the command. siginfo tells the two apart, which is why a thread of
// its own waits for signals here instead of net::Signal. One case looks like the other: a process
// of another group that signals our whole group (killpg) has reached the command already, and
// siginfo has no word for that, so the command gets such a signal twice.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <csignal>
#include <functional>
#include <thread>

namespace sidespan::app {

struct ReceivedSignal {
  int number = 0;
  bool by_kernel = false;  // the terminal's: to everybody in the foreground
  pid_t sender = 0;        // 0 where it is in another PID namespace
  pid_t sender_group = 0;  // 0 where it is gone
};

// Whether the command, `child`, has not got it by itself. `own` is this process, `own_group` its
// group.
bool is_for_the_command(const ReceivedSignal& signal, pid_t child, pid_t own, pid_t own_group);

class RunSignals {
 public:
  // Blocks what it will wait for, in this thread and those it starts later: make it first.
  RunSignals();
  // stop(); the signals stay blocked.
  ~RunSignals();
  RunSignals(const RunSignals&) = delete;
  RunSignals& operator=(const RunSignals&) = delete;

  // Calls `on_signal`, on a thread of its own, for each that comes or has come.
  void start(std::function<void(ReceivedSignal)> on_signal);
  // None comes after it has returned. Also without start().
  void stop();

 private:
  void wait();

  sigset_t waited_{};
  std::function<void(ReceivedSignal)> on_signal_;
  std::atomic<bool> stopping_ = false;
  std::thread thread_;
};

}  // namespace sidespan::app
