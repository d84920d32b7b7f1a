#include "app/thread_stack.h"

#include <doctest/doctest.h>
#include <pthread.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <thread>

namespace sidespan::app {
namespace {

constexpr Milliseconds kPatience{5000};

// A thread that does not come back until it is let go of. It sleeps a little, since TSan hands no
// signal to a thread that calls nobody.
class Spinner {
 public:
  explicit Spinner(bool deaf) {
    thread_ = std::thread([this, deaf] {
      sigset_t all;
      sigfillset(&all);
      if (deaf) pthread_sigmask(SIG_SETMASK, &all, nullptr);
      id_ = ::gettid();
      while (!hears_) ::usleep(100);
      pthread_sigmask(SIG_UNBLOCK, &all, nullptr);  // what waited comes now
      heard_ = true;
      while (!over_) ::usleep(100);
    });
    while (id_ == 0) ::usleep(100);
  }
  ~Spinner() {
    hears_ = over_ = true;
    thread_.join();
  }
  pid_t id() const { return id_; }
  void hear() {
    hears_ = true;
    while (!heard_) ::usleep(100);
  }

 private:
  std::atomic<pid_t> id_ = 0;
  std::atomic<bool> hears_ = false;
  std::atomic<bool> heard_ = false;
  std::atomic<bool> over_ = false;
  std::thread thread_;
};

// In this program's loop, called by what begins all threads.
bool is_in(const std::string& stack) {
  const size_t loop = (" " + stack).find(" unit_app+0x");
  return loop != std::string::npos && stack.find(" libc.so.6+0x", loop) != std::string::npos;
}

TEST_CASE("a thread that is busy says where it is") {
  const Spinner spinner(false);
  for (int i = 0; i < 3; ++i) {
    const std::string stack = stack_of(spinner.id(), kPatience);
    CAPTURE(stack);
    CHECK(is_in(stack));
  }
}

TEST_CASE("one that takes no signal says nothing, and is not heard later") {
  Spinner deaf(true);
  CHECK(stack_of(deaf.id(), Milliseconds(50)).empty());
  deaf.hear();
  CHECK(is_in(stack_of(deaf.id(), kPatience)));
  CHECK(stack_of(0, Milliseconds(50)).empty());  // nobody
}

}  // namespace
}  // namespace sidespan::app
