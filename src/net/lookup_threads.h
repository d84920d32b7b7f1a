// Threads for calls that block and cannot be cancelled (getaddrinfo), for Resolver. A thread starts
// with the work and ends with it; nobody ever waits for one, so a stuck call holds up only itself.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>

namespace sidespan::net {

class LookupThreads {
 public:
  using Job = std::move_only_function<void()>;
  using Ticket = uint64_t;

  explicit LookupThreads(size_t threads_max);
  // Jobs not begun are dropped; those begun run to their end with nobody looking.
  ~LookupThreads();
  LookupThreads(const LookupThreads&) = delete;
  LookupThreads& operator=(const LookupThreads&) = delete;

  // `job` must own all it touches. Nothing when the system gives no thread and none is running.
  std::optional<Ticket> submit(Job job);
  // Drops a job that has not begun; false where it has.
  bool withdraw(Ticket ticket);

 private:
  struct Shared;
  static void work(const std::shared_ptr<Shared>& shared);
  std::shared_ptr<Shared> shared_;
};

}  // namespace sidespan::net
