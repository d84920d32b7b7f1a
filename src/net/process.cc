#include "sidespan/net/process.h"

#include <sys/wait.h>
#include <uv.h>

#include <cerrno>
#include <csignal>
#include <utility>

#include "exec.h"
#include "uv_error.h"

namespace sidespan::net {
namespace {

Error exec_error(const std::string& program, int error) {
  if (error == ENOENT || error == ENOTDIR) {
    return {Code::kInvalid, Side::kAgent, false, "there is no program " + program};
  }
  return {Code::kDenied, Side::kAgent, false,
          "cannot execute " + program + ": " + uv_strerror(-error)};
}

}  // namespace

struct Process::Impl {
  void watch(Loop& loop);
  void reap();
  void close();

  uv_signal_t child_signal;
  pid_t pid = 0;
  OnExit on_exit;
  bool ended = false;
  bool closing = false;
};

// Before the fork: a child may end before anything else happens here.
void Process::Impl::watch(Loop& loop) {
  uv_signal_init(loop.uv(), &child_signal);
  child_signal.data = this;
  uv_signal_start(
      &child_signal, [](uv_signal_t* signal, int) { static_cast<Impl*>(signal->data)->reap(); },
      SIGCHLD);
}

// SIGCHLD says "some child": only ours is waited for, the others are somebody else's.
void Process::Impl::reap() {
  if (ended || closing) return;
  int status = 0;
  const pid_t found = ::waitpid(pid, &status, WNOHANG);
  if (found == 0 || (found < 0 && errno == EINTR)) return;
  ended = true;
  uv_signal_stop(&child_signal);
  ProcessExit exit;
  if (found < 0) {
    exit.status = 255;  // reaped behind our back; how it ended is lost
  } else if (WIFSIGNALED(status)) {
    exit.signal = WTERMSIG(status);
  } else {
    exit.status = WEXITSTATUS(status);
  }
  if (on_exit) on_exit(exit);
}

void Process::Impl::close() {
  closing = true;
  uv_close(reinterpret_cast<uv_handle_t*>(&child_signal),
           [](uv_handle_t* handle) { delete static_cast<Impl*>(handle->data); });
}

Result<std::unique_ptr<Process>> Process::spawn(Loop& loop, const std::vector<std::string>& argv,
                                                const std::vector<std::string>& environment,
                                                OnExit on_exit, ChildFiles files) {
  if (argv.empty()) return fail(Code::kInvalid, Side::kAgent, "there is no program to run");
  auto* impl = new Impl();
  impl->watch(loop);
  std::unique_ptr<Process> process(new Process(impl));
  impl->on_exit = std::move(on_exit);
  const Command command(argv, environment);
  bool exec_failed = false;
  const int error = start_child(command, files, impl->pid, exec_failed);
  if (error == 0) return process;
  if (exec_failed) return std::unexpected(exec_error(argv[0], error));
  return std::unexpected(system_error(-error, "start a process"));
}

Process::~Process() {
  impl_->close();
}

int Process::pid() const {
  return impl_->pid;
}

void Process::kill(int signal) {
  // Until it is reaped the number is nobody else's.
  if (!impl_->ended) ::kill(impl_->pid, signal);
}

void reap_orphans(int own) {
  for (;;) {
    siginfo_t info{};
    // Only looked at: if it is `own`, another has to find it there, too.
    if (::waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) != 0) return;
    if (info.si_pid == 0 || info.si_pid == own) return;
    ::waitpid(info.si_pid, nullptr, WNOHANG);
  }
}

}  // namespace sidespan::net
