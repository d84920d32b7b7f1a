#include "lookup_threads.h"

#include <pthread.h>

#include <csignal>
#include <map>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>

namespace sidespan::net {
namespace {

// Signals are for the threads with loops; a new thread inherits the mask.
class SignalsBlocked {
 public:
  SignalsBlocked() {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~SignalsBlocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  SignalsBlocked(const SignalsBlocked&) = delete;
  SignalsBlocked& operator=(const SignalsBlocked&) = delete;

 private:
  sigset_t before_{};
};

}  // namespace

struct LookupThreads::Shared {
  std::mutex mutex;
  std::map<Ticket, Job> jobs;  // that have not begun, in order
  Ticket next = 0;
  size_t threads = 0;
  size_t threads_max = 0;
};

LookupThreads::LookupThreads(size_t threads_max) : shared_(std::make_shared<Shared>()) {
  shared_->threads_max = threads_max;
}

LookupThreads::~LookupThreads() {
  const std::scoped_lock lock(shared_->mutex);
  shared_->jobs.clear();
}

std::optional<LookupThreads::Ticket> LookupThreads::submit(Job job) {
  const std::scoped_lock lock(shared_->mutex);
  const Ticket ticket = shared_->next++;
  shared_->jobs.emplace(ticket, std::move(job));
  if (shared_->threads == shared_->threads_max) return ticket;
  try {
    const SignalsBlocked blocked;
    std::thread(work, shared_).detach();
    ++shared_->threads;
  } catch (const std::system_error&) {
    if (shared_->threads > 0) return ticket;  // one of those comes to it
    shared_->jobs.erase(ticket);
    return std::nullopt;
  }
  return ticket;
}

bool LookupThreads::withdraw(Ticket ticket) {
  const std::scoped_lock lock(shared_->mutex);
  return shared_->jobs.erase(ticket) > 0;
}

void LookupThreads::work(const std::shared_ptr<Shared>& shared) {
  for (;;) {
    Job job;
    {
      const std::scoped_lock lock(shared->mutex);
      if (shared->jobs.empty()) {
        --shared->threads;
        return;
      }
      job = std::move(shared->jobs.extract(shared->jobs.begin()).mapped());
    }
    job();
  }
}

}  // namespace sidespan::net
