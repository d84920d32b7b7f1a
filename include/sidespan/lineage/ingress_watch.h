// Which request on the ingress an egress call is made for, where the call does not say so: the only
// one in flight, if nothing else was under way when it began. One for all workers, a mutex held for
// a few assignments. proxy::Exchange tells it what begins and ends; resolve() weighs what it says.
//
// A wrong parent is worse than none. Where two requests were in flight at once, none of the calls
// that began then is anybody's; and the one that is left is trusted again only if there were none,
// for what one call set going may go on after the request that it was made for.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <utility>

#include "sidespan/lineage/resolver.h"

namespace sidespan::lineage {

class IngressWatch {
 public:
  // Null: not known.
  using Request = std::shared_ptr<const Execution>;

  // A request on the ingress, from before the agent can know of it until it is answered.
  class InFlight {
   public:
    InFlight() = default;
    InFlight(InFlight&& other) noexcept
        : watch_(std::exchange(other.watch_, nullptr)), number_(other.number_) {}
    InFlight& operator=(InFlight&& other) noexcept {
      std::swap(watch_, other.watch_);
      std::swap(number_, other.number_);
      return *this;
    }
    ~InFlight() { end(); }

    void end() {
      if (watch_ != nullptr) std::exchange(watch_, nullptr)->end(number_);
    }
    explicit operator bool() const { return watch_ != nullptr; }

   private:
    friend class IngressWatch;
    InFlight(IngressWatch& watch, uint64_t number) : watch_(&watch), number_(number) {}

    IngressWatch* watch_ = nullptr;
    uint64_t number_ = 0;
  };

  // What the agent does on its own account: an egress call, a turn.
  class Work {
   public:
    Work() = default;
    Work(Work&& other) noexcept
        : watch_(std::exchange(other.watch_, nullptr)), request_(std::move(other.request_)) {}
    Work& operator=(Work&& other) noexcept {
      std::swap(watch_, other.watch_);
      std::swap(request_, other.request_);
      return *this;
    }
    ~Work() { end(); }

    // The request that it is done for; stays when the work has ended.
    const Request& request() const { return request_; }
    void end() {
      if (watch_ != nullptr) std::exchange(watch_, nullptr)->end_work();
    }

   private:
    friend class IngressWatch;
    Work(IngressWatch& watch, Request request) : watch_(&watch), request_(std::move(request)) {}

    IngressWatch* watch_ = nullptr;
    Request request_;
  };

  // `request` is null for one that has no span, and so can be nobody's parent.
  [[nodiscard]] InFlight begin(Request request);
  [[nodiscard]] Work begin_work();

 private:
  void end(uint64_t number);
  void end_work();

  std::mutex mutex_;
  size_t requests_ = 0;
  size_t work_ = 0;
  uint64_t begun_ = 0;  // requests so far
  // The one in flight that began when nothing was under way; there is one at most.
  Request first_;
  uint64_t first_number_ = 0;
  bool mixed_ = false;  // since then work began that may be another's
};

}  // namespace sidespan::lineage
