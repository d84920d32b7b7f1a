#include "app/loop_thread.h"

#include <pthread.h>
#include <unistd.h>

#include <cassert>
#include <future>
#include <utility>

namespace sidespan::app {

LoopThread::LoopThread(const char* name, Rank rank)
    : loop_(std::make_unique<net::Loop>()),
      mailbox_(std::make_unique<net::Mailbox>(*loop_)),
      thread_([this, name, rank] { run(name, rank); }) {}

LoopThread::~LoopThread() {
  stop();
}

void LoopThread::run(const char* name, Rank rank) {
  id_ = ::gettid();
  pthread_setname_np(pthread_self(), name);
  if (rank == Rank::kBehind) {
    // Linux's is the thread's, though POSIX says the process's; 5 makes it 335 parts beside 1024.
    constexpr int kNiceness = 5;
    [[maybe_unused]] const int niceness = nice(kNiceness);
  }
  loop_->run();
}

void LoopThread::call(net::Mailbox::Work work) {
  std::promise<void> done;
  std::future<void> waited = done.get_future();
  const bool posted = mailbox_->post([&] {
    work();
    done.set_value();
  });
  assert(posted && "called after stop()");
  if (posted) waited.wait();
}

void LoopThread::stop() {
  if (!thread_.joinable()) return;
  // With its mailbox closed the loop ends once nothing else is left on it.
  mailbox_->post([this] { mailbox_->close(); });
  thread_.join();
  mailbox_.reset();
  loop_.reset();
}

}  // namespace sidespan::app
