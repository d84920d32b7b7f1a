#include "app/run_signals.h"

#include <doctest/doctest.h>
#include <unistd.h>

#include <future>
#include <vector>

namespace sidespan::app {
namespace {

TEST_CASE("which signals are for the command") {
  constexpr pid_t kChild = 20;
  constexpr pid_t kOwn = 10;
  struct Row {
    const char* name;
    ReceivedSignal signal;
    pid_t own_group;
    bool expected;
  };
  const std::vector<Row> rows = {
      {"Ctrl-C", {SIGINT, true, 0, 0}, kOwn, false},
      {"a window that changed its size", {SIGWINCH, true, 0, 0}, kOwn, false},
      {"kill from a shell elsewhere", {SIGTERM, false, 5, 5}, kOwn, true},
      {"kill from outside the container", {SIGTERM, false, 0, 0}, kOwn, true},
      {"the command itself", {SIGTSTP, false, kChild, kOwn}, kOwn, false},
      {"a member of our job", {SIGINT, false, 30, kOwn}, kOwn, false},
      {"a script that started us without job control", {SIGINT, false, 5, 5}, 5, true},
      {"the command itself, in such a script", {SIGINT, false, kChild, 5}, 5, false},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    CHECK(is_for_the_command(row.signal, kChild, kOwn, row.own_group) == row.expected);
  }
}

TEST_CASE("a signal is received with its sender") {
  sigset_t before;
  pthread_sigmask(SIG_SETMASK, nullptr, &before);
  {
    RunSignals signals;
    std::promise<ReceivedSignal> received;
    ::kill(::getpid(), SIGUSR2);  // before the thread starts: it waits
    signals.start([&](ReceivedSignal signal) { received.set_value(signal); });
    const ReceivedSignal signal = received.get_future().get();
    CHECK(signal.number == SIGUSR2);
    CHECK_FALSE(signal.by_kernel);
    CHECK(signal.sender == ::getpid());
    CHECK(signal.sender_group == ::getpgrp());
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

}  // namespace
}  // namespace sidespan::app
