#include "sidespan/net/process.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <optional>

#include "loopback.h"
#include "net/exec.h"
#include "sidespan/net/signal.h"
#include "support/temporary_directory.h"

namespace sidespan::net {
namespace {

using Strings = std::vector<std::string>;

const Strings kEnvironment = {"PATH=/usr/bin:/bin", "GREETING=hello world"};

// How `argv` ended; nothing when it did not start or not end.
std::optional<ProcessExit> run(const Strings& argv, const Strings& environment = kEnvironment) {
  Loop loop;
  std::optional<ProcessExit> out;
  auto process = Process::spawn(loop, argv, environment, [&](ProcessExit exit) { out = exit; });
  if (!process) {
    MESSAGE(process.error().what);
    return std::nullopt;
  }
  run_until(loop, [&] { return out.has_value(); });
  return out;
}

int status_of_shell(const std::string& script, const Strings& environment = kEnvironment) {
  const auto exit = run({"sh", "-c", script}, environment);
  REQUIRE(exit);
  CHECK(exit->signal == 0);
  return exit->status;
}

struct Directory : support::TemporaryDirectory {
  std::string file(const std::string& name, const std::string& text, mode_t mode) const {
    const std::string full = write(name, text);
    ::chmod(full.c_str(), mode);
    return full;
  }
};

TEST_CASE("process: exit status") {
  CHECK(run({"true"})->status == 0);
  CHECK(run({"false"})->status == 1);
  CHECK(status_of_shell("exit 37") == 37);
}

TEST_CASE("process: reads and writes what it is given") {
  std::array<int, 2> in{};
  std::array<int, 2> out{};
  REQUIRE(::pipe2(in.data(), O_CLOEXEC) == 0);
  REQUIRE(::pipe2(out.data(), O_CLOEXEC) == 0);
  REQUIRE(::write(in[1], "hello", 5) == 5);
  ::close(in[1]);
  Loop loop;
  std::optional<ProcessExit> exit;
  const auto process = Process::spawn(loop, {"cat"}, kEnvironment,
                                      [&](ProcessExit ended) { exit = ended; }, {in[0], out[1]});
  REQUIRE(process);
  ::close(in[0]);
  ::close(out[1]);
  CHECK(run_until(loop, [&] { return exit.has_value(); }));
  std::array<char, 8> read{};
  CHECK(::read(out[0], read.data(), read.size()) == 5);
  CHECK(std::string_view(read.data()) == "hello");
  ::close(out[0]);
}

TEST_CASE("process: ended by a signal, its own or ours") {
  CHECK(run({"sh", "-c", "kill -TERM $$"})->signal == SIGTERM);

  Loop loop;
  std::optional<ProcessExit> exit;
  auto process = Process::spawn(loop, {"sleep", "100"}, kEnvironment,
                                [&](ProcessExit ended) { exit = ended; });
  REQUIRE(process);
  CHECK((*process)->pid() > 0);
  (*process)->kill(SIGINT);
  CHECK(run_until(loop, [&] { return exit.has_value(); }));
  CHECK(exit->signal == SIGINT);
  (*process)->kill(SIGKILL);  // nobody's any more
}

TEST_CASE("process: the environment is the given one, all of it") {
  CHECK(status_of_shell("test \"$GREETING\" = 'hello world' && test -z \"$HOME\"") == 0);
}

TEST_CASE("process: signals are as this process was started, not as it changed them") {
  const Loop loop;  // ignores SIGPIPE
  struct sigaction now{};
  ::sigaction(SIGPIPE, nullptr, &now);
  CHECK((now.sa_handler == SIG_IGN));
  sigset_t blocked;
  sigset_t before;
  sigemptyset(&blocked);
  sigaddset(&blocked, SIGUSR1);
  pthread_sigmask(SIG_BLOCK, &blocked, &before);
  CHECK(run({"sh", "-c", "kill -PIPE $$; exit 3"})->signal == SIGPIPE);
  CHECK(run({"sh", "-c", "kill -USR1 $$; exit 3"})->signal == SIGUSR1);
  sigset_t after;
  pthread_sigmask(SIG_SETMASK, &before, &after);
  CHECK(sigismember(&after, SIGUSR1) == 1);
  CHECK(sigismember(&after, SIGTERM) == 0);
}

TEST_CASE("process: same process group and session") {
  const std::string ids = std::to_string(::getpgrp()) + ' ' + std::to_string(::getsid(0));
  CHECK(status_of_shell("test \"$(cut -d' ' -f5,6 /proc/self/stat)\" = '" + ids + "'") == 0);
}

TEST_CASE("process: a program that does not exist, or cannot be run") {
  Loop loop;
  Directory directory;
  const std::string plain = directory.file("plain", "#!/bin/sh\n", 0644);
  struct Row {
    std::string program;
    Code code;
  };
  const Row rows[] = {
      {"no-such-program-here", Code::kInvalid},
      {"/no/such/program", Code::kInvalid},
      {plain + "/below", Code::kInvalid},
      {"", Code::kInvalid},
      {plain, Code::kDenied},
      {directory.path(), Code::kDenied},
  };
  for (const Row& row : rows) {
    CAPTURE(row.program);
    const auto process = Process::spawn(loop, {row.program}, kEnvironment,
                                        [](ProcessExit) { FAIL("it never started"); });
    REQUIRE(!process);
    CHECK(process.error().code == row.code);
    CHECK(process.error().side == Side::kAgent);
    CHECK(process.error().what.find(row.program) != std::string::npos);
  }
  CHECK(!Process::spawn(loop, {}, kEnvironment, nullptr));
  run_briefly(loop);
}

TEST_CASE("process: looked up in the child's PATH, in order, as the shells do") {
  Directory first;
  Directory second;
  first.file("answer", "#!/bin/sh\nexit 1\n", 0644);  // not executable: passed over
  second.file("answer", "#!/bin/sh\nexit 42\n", 0755);
  second.file("bare", "exit 43\n", 0755);  // no "#!": the shell's
  second.file("args", "test \"$1 $2\" = 'a b'\n", 0755);
  const std::string path = "PATH=" + first.path() + ':' + second.path() + ":/usr/bin:/bin";
  CHECK(run({"answer"}, {path})->status == 42);
  CHECK(run({"bare"}, {path})->status == 43);
  CHECK(run({"args", "a", "b"}, {path})->status == 0);
  CHECK(run({"sh", "-c", "exit 5"}, {})->status == 5);

  Loop loop;
  const auto denied =
      Process::spawn(loop, {"answer"}, {"PATH=" + first.path() + ":/nowhere"}, nullptr);
  REQUIRE(!denied);
  CHECK(denied.error().code == Code::kDenied);
}

TEST_CASE("process: candidates") {
  CHECK(candidates("x", {"PATH=/a:/b"}) == Strings{"/a/x", "/b/x"});
  CHECK(candidates("x", {"PATH=:/b:"}) == Strings{"./x", "/b/x", "./x"});
  CHECK(candidates("x", {"PATH="}) == Strings{"./x"});
  CHECK(candidates("x", {"XPATH=/a"}) == Strings{"/bin/x", "/usr/bin/x"});
  CHECK(candidates("./x", {"PATH=/a"}) == Strings{"./x"});
  CHECK(candidates("/x", {}) == Strings{"/x"});
  CHECK(candidates("", {"PATH=/a"}).empty());
}

TEST_CASE("process: several at a time, each told of its own end") {
  Loop loop;
  std::array<int, 5> statuses{-1, -1, -1, -1, -1};
  std::vector<std::unique_ptr<Process>> processes;
  for (size_t i = 0; i < statuses.size(); ++i) {
    auto process = Process::spawn(loop, {"sh", "-c", "exit " + std::to_string(i)}, kEnvironment,
                                  [&, i](ProcessExit exit) { statuses[i] = exit.status; });
    REQUIRE(process);
    processes.push_back(std::move(*process));
  }
  loop.run();
  CHECK(statuses == std::array<int, 5>{0, 1, 2, 3, 4});
}

TEST_CASE("process: somebody else's child is left alone") {
  const pid_t other = ::fork();
  if (other == 0) ::_exit(9);
  CHECK(run({"true"})->status == 0);
  int status = 0;
  CHECK(::waitpid(other, &status, 0) == other);
  CHECK(WEXITSTATUS(status) == 9);
}

pid_t ended_with(int status) {
  const pid_t pid = ::fork();
  if (pid == 0) ::_exit(status);
  siginfo_t info{};
  CHECK(::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOWAIT) == 0);
  return pid;
}

TEST_CASE("process: orphans are reaped, and how our own one ended is kept") {
  const pid_t first = ended_with(1);
  const pid_t own = ended_with(9);
  const pid_t last = ended_with(2);
  const pid_t running = ::fork();
  if (running == 0) {
    ::pause();
    ::_exit(0);
  }
  reap_orphans(own);
  CHECK(::waitpid(first, nullptr, WNOHANG) == -1);
  int status = 0;
  CHECK(::waitpid(own, &status, WNOHANG) == own);
  CHECK(WEXITSTATUS(status) == 9);
  reap_orphans(0);
  CHECK(::waitpid(last, nullptr, WNOHANG) == -1);
  CHECK(::waitpid(running, nullptr, WNOHANG) == 0);
  ::kill(running, SIGKILL);
  ::waitpid(running, nullptr, 0);
}

TEST_CASE("process: destroyed by its own end, and before it") {
  Loop loop;
  std::unique_ptr<Process> process;
  bool ended = false;
  process = std::move(*Process::spawn(loop, {"true"}, kEnvironment, [&](ProcessExit) {
    process.reset();
    ended = true;
  }));
  loop.run();
  CHECK(ended);

  process = std::move(*Process::spawn(loop, {"sleep", "100"}, kEnvironment,
                                      [&](ProcessExit) { FAIL("forgotten"); }));
  const pid_t pid = process->pid();
  process.reset();
  ::kill(pid, SIGKILL);
  ::waitpid(pid, nullptr, 0);
  run_briefly(loop);
}

TEST_CASE("process: no descriptor of ours reaches the child") {
  Loop loop;
  Pair pair(loop);
  CHECK(status_of_shell(
            "for fd in 3 4 5 6 7 8 9; do test -S /proc/self/fd/$fd && exit 1; done; exit 0") == 0);
}

// The parent in this test is a process of its own that starts a child and is then killed.
[[noreturn]] void be_a_parent(int report_fd) {
  Loop loop;
  auto process = Process::spawn(loop, {"sleep", "100"}, kEnvironment, nullptr);
  const pid_t pid = process ? (*process)->pid() : -1;
  if (::write(report_fd, &pid, sizeof pid) != sizeof pid) ::_exit(1);
  ::pause();
  ::_exit(1);
}

TEST_CASE("process: the child dies with its parent") {
  ::prctl(PR_SET_CHILD_SUBREAPER, 1);
  std::array<int, 2> report{};
  REQUIRE(::pipe(report.data()) == 0);
  const pid_t parent = ::fork();
  if (parent == 0) be_a_parent(report[1]);
  pid_t child = -1;
  REQUIRE(::read(report[0], &child, sizeof child) == sizeof child);
  REQUIRE(child > 0);
  ::kill(parent, SIGKILL);
  CHECK(::waitpid(parent, nullptr, 0) == parent);
  int status = 0;
  CHECK(::waitpid(child, &status, 0) == child);  // ours now
  CHECK(WIFSIGNALED(status));
  CHECK(WTERMSIG(status) == SIGKILL);
  ::close(report[0]);
  ::close(report[1]);
  ::prctl(PR_SET_CHILD_SUBREAPER, 0);
}

TEST_CASE("signal: told for each delivery, until it is gone, without holding the loop") {
  Loop loop;
  int count = 0;
  auto signal = std::make_unique<Signal>(loop, SIGUSR2, [&] { ++count; });
  loop.run();
  ::raise(SIGUSR2);
  CHECK(run_until(loop, [&] { return count == 1; }));
  ::raise(SIGUSR2);
  CHECK(run_until(loop, [&] { return count == 2; }));
  Signal other(loop, SIGUSR2, [] {});
  signal.reset();
  ::raise(SIGUSR2);
  run_briefly(loop);
  CHECK(count == 2);
}

TEST_CASE("signal: ignored, it ends nothing, not even when nobody watches it any more") {
  Loop loop;
  int count = 0;
  auto signal = std::make_unique<Signal>(loop, SIGUSR2, [&] { ++count; });
  signal->ignore();
  ::raise(SIGUSR2);
  run_briefly(loop);
  signal.reset();
  ::raise(SIGUSR2);
  run_briefly(loop);
  CHECK(count == 0);
  std::signal(SIGUSR2, SIG_DFL);
}

TEST_CASE("signal: destroyed by its own signal") {
  Loop loop;
  int count = 0;
  std::unique_ptr<Signal> signal;
  signal = std::make_unique<Signal>(loop, SIGUSR2, [&] {
    signal.reset();
    ++count;
  });
  ::raise(SIGUSR2);
  CHECK(run_until(loop, [&] { return count == 1; }));
}

}  // namespace
}  // namespace sidespan::net
