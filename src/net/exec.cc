#include "exec.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <optional>

#include "sidespan/base/text.h"

namespace sidespan::net {
namespace {

constexpr std::string_view kDefaultPath = "/bin:/usr/bin";
constexpr const char* kShell = "/bin/sh";

// How this process was started, read before main: nohup and shells speak to a program by it, and by
// then Loop and Signal have changed it.
struct StartSignals {
  StartSignals() {
    sigemptyset(&ignored);
    pthread_sigmask(SIG_SETMASK, nullptr, &mask);
    for (int number = 1; number < NSIG; ++number) {
      struct sigaction action{};
      if (::sigaction(number, nullptr, &action) == 0 && action.sa_handler == SIG_IGN) {
        sigaddset(&ignored, number);
      }
    }
  }
  sigset_t ignored{};
  sigset_t mask{};
};
const StartSignals kStartSignals;

// In the child, with all signals blocked.
void restore_signals() {
  for (int number = 1; number < NSIG; ++number) {
    struct sigaction action{};
    action.sa_handler = sigismember(&kStartSignals.ignored, number) == 1 ? SIG_IGN : SIG_DFL;
    ::sigaction(number, &action, nullptr);
  }
  pthread_sigmask(SIG_SETMASK, &kStartSignals.mask, nullptr);
}

[[noreturn]] void run_child(const Command& command, ChildFiles files, int error_fd, pid_t parent) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(127);  // it died before the line above
  restore_signals();
  const bool placed = ::dup2(files.in, STDIN_FILENO) >= 0 && ::dup2(files.out, STDOUT_FILENO) >= 0;
  const int error = placed ? command.exec() : errno;
  // The pipe holds an int; nothing can be done when even that fails.
  if (::write(error_fd, &error, sizeof error) < 0) ::_exit(126);
  ::_exit(127);
}

// Errno of the child's exec, 0 when it succeeded and so closed the pipe.
int read_error(int fd) {
  int error = 0;
  ssize_t n = -1;
  do {
    n = ::read(fd, &error, sizeof error);
  } while (n < 0 && errno == EINTR);
  return n == sizeof error ? error : 0;
}

pid_t fork_with_signals_blocked(const Command& command, ChildFiles files, int error_fd) {
  // A handler that ran in the child would write to libuv's signal pipe, which is the parent's too.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  const pid_t parent = ::getpid();
  const pid_t pid = ::fork();
  if (pid == 0) run_child(command, files, error_fd, parent);
  const int error = errno;
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  errno = error;
  return pid;
}

std::vector<char*> pointers(const std::vector<std::string>& strings) {
  std::vector<char*> out;
  out.reserve(strings.size() + 1);
  // execve's prototype has no const; it only reads these.
  for (const std::string& one : strings) out.push_back(const_cast<char*>(one.c_str()));
  out.push_back(nullptr);
  return out;
}

}  // namespace

std::vector<std::string> candidates(std::string_view program,
                                    const std::vector<std::string>& environment) {
  if (program.empty()) return {};
  if (program.find('/') != std::string_view::npos) return {std::string(program)};
  std::string_view path = kDefaultPath;
  for (const std::string_view variable : environment) {
    if (variable.starts_with("PATH=")) path = variable.substr(5);
  }
  std::vector<std::string> out;
  std::optional<std::string_view> rest = path;
  while (rest) {
    const std::string_view directory = text::split_first(rest, ':');
    // An empty entry is the current directory, as ever.
    out.push_back((directory.empty() ? "." : std::string(directory)) + '/' + std::string(program));
  }
  return out;
}

Command::Command(const std::vector<std::string>& argv, const std::vector<std::string>& environment)
    : candidates_(candidates(argv.empty() ? std::string_view() : argv[0], environment)),
      argv_(pointers(argv)),
      environment_(pointers(environment)) {
  script_argv_ = argv_;
  if (argv.empty()) script_argv_.insert(script_argv_.begin(), nullptr);
  script_argv_.insert(script_argv_.begin(), const_cast<char*>(kShell));
}

int Command::exec() const {
  int result = ENOENT;
  for (const std::string& path : candidates_) {
    const int error = exec_one(path);
    if (error == EACCES) {
      result = EACCES;  // worth telling, unless a later entry works
    } else if (error != ENOENT && error != ENOTDIR && error != ESTALE && error != ENODEV &&
               error != ETIMEDOUT) {
      return error;
    }
  }
  return result;
}

int Command::exec_one(const std::string& path) const {
  ::execve(path.c_str(), argv_.data(), environment_.data());
  if (errno != ENOEXEC) return errno;
  script_argv_[1] = const_cast<char*>(path.c_str());
  ::execve(kShell, script_argv_.data(), environment_.data());
  return errno;
}

int start_child(const Command& command, ChildFiles files, pid_t& pid, bool& exec_failed) {
  exec_failed = false;
  std::array<int, 2> error_pipe{};
  if (::pipe2(error_pipe.data(), O_CLOEXEC) != 0) return errno;
  pid = fork_with_signals_blocked(command, files, error_pipe[1]);
  int error = pid < 0 ? errno : 0;
  ::close(error_pipe[1]);
  if (pid > 0) {
    error = read_error(error_pipe[0]);
    exec_failed = error != 0;
    if (exec_failed) ::waitpid(pid, nullptr, 0);
  }
  ::close(error_pipe[0]);
  return error;
}

}  // namespace sidespan::net
