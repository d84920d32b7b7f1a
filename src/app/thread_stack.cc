#include "app/thread_stack.h"

#include <dlfcn.h>
#include <execinfo.h>
#include <semaphore.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdint>
#include <mutex>
#include <span>
#include <string_view>

namespace sidespan::app {
namespace {

constexpr int kFramesMax = 48;

// What the handler, which can be given nothing, works on.
struct Asked {
  std::atomic<pid_t> thread = 0;  // 0: nobody, or it has taken the question
  std::array<void*, kFramesMax> frames{};
  std::atomic<int> count = 0;
  void* interrupted = nullptr;  // what was to run next; above it are the signal's own frames
  sem_t answered{};
};
Asked asked;

int stack_signal() {
  return SIGRTMIN + 4;
}

// NOLINTBEGIN(performance-no-int-to-ptr): registers are numbers
void* interrupted_at(const ucontext_t& context) {
#if defined(__x86_64__)
  return reinterpret_cast<void*>(context.uc_mcontext.gregs[REG_RIP]);
#elif defined(__aarch64__)
  return reinterpret_cast<void*>(context.uc_mcontext.pc);
#else
  return nullptr;
#endif
}
// NOLINTEND(performance-no-int-to-ptr)

void note_stack(int, siginfo_t*, void* context) {
  const int before = errno;
  auto self = static_cast<pid_t>(::syscall(SYS_gettid));
  if (asked.thread.compare_exchange_strong(self, 0)) {
    asked.interrupted = interrupted_at(*static_cast<ucontext_t*>(context));
    asked.count = ::backtrace(asked.frames.data(), kFramesMax);
    ::sem_post(&asked.answered);
  }
  errno = before;
}

bool wait_for_answer(Milliseconds patience) {
  timespec until{};
  ::clock_gettime(CLOCK_REALTIME, &until);
  const Nanoseconds end =
      std::chrono::seconds(until.tv_sec) + Nanoseconds(until.tv_nsec) + patience;
  until.tv_sec = std::chrono::floor<std::chrono::seconds>(end).count();
  until.tv_nsec = (end - std::chrono::floor<std::chrono::seconds>(end)).count();
  int status;
  do {
    status = ::sem_timedwait(&asked.answered, &until);
  } while (status != 0 && errno == EINTR);
  return status == 0;
}

std::string named(void* frame) {
  Dl_info info{};
  const auto address = reinterpret_cast<uintptr_t>(frame);
  const bool known = ::dladdr(frame, &info) != 0 && info.dli_fname != nullptr;
  std::string_view file = known ? info.dli_fname : "";
  file.remove_prefix(file.rfind('/') + 1);  // all of it where there is none
  std::array<char, 2 * sizeof address> digits;
  const uintptr_t offset = known ? address - reinterpret_cast<uintptr_t>(info.dli_fbase) : address;
  const auto end = std::to_chars(digits.begin(), digits.end(), offset, 16).ptr;
  return std::string(file) + "+0x" + std::string(digits.data(), end);
}

void prepare() {
  static std::once_flag once;
  std::call_once(once, [] {
    ::sem_init(&asked.answered, 0, 0);
    // The first call loads a library, which no handler may.
    std::array<void*, 1> frame{};
    ::backtrace(frame.data(), 1);
    struct sigaction action{};
    action.sa_sigaction = note_stack;
    action.sa_flags = SA_RESTART | SA_SIGINFO;
    ::sigaction(stack_signal(), &action, nullptr);
  });
}

}  // namespace

std::string stack_of(pid_t thread, Milliseconds patience) {
  prepare();
  while (::sem_trywait(&asked.answered) == 0) {
  }  // an answer that came too late
  asked.thread = thread;
  if (::syscall(SYS_tgkill, ::getpid(), thread, stack_signal()) != 0) {
    asked.thread = 0;
    return "";
  }
  if (!wait_for_answer(patience)) {
    pid_t unanswered = thread;
    if (asked.thread.compare_exchange_strong(unanswered, 0)) return "";
    if (!wait_for_answer(patience)) return "";  // it is at it
  }
  const auto all = std::span(asked.frames).first(static_cast<size_t>(asked.count));
  const auto first = std::ranges::find(all, asked.interrupted);
  std::string out;
  for (auto frame = first == all.end() ? all.begin() : first; frame != all.end(); ++frame) {
    if (!out.empty()) out.push_back(' ');
    out += named(*frame);
  }
  return out;
}

}  // namespace sidespan::app
