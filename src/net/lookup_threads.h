// Threads for calls that block and cannot be cancelled (getaddrinfo), for Resolver. A thread starts
// with the work and ends with it; nobody ever waits for one, so a stuck call holds up only itself.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>

namespace sidespan::net {

class LookupThreads {
 public:
  using Job = std::move_only_function<void()>;

  explicit LookupThreads(size_t threads_max);
  // Jobs not begun are dropped; those begun run to their end with nobody looking.
  ~LookupThreads();
  LookupThreads(const LookupThreads&) = delete;
  LookupThreads& operator=(const LookupThreads&) = delete;

  // `job` must own all it touches. False when the system gives no thread and none is running.
  bool submit(Job job);

 private:
  struct Shared;
  static void work(const std::shared_ptr<Shared>& shared);
  std::shared_ptr<Shared> shared_;
};

}  // namespace sidespan::net
