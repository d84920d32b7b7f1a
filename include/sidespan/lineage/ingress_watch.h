// Which request on the ingress an egress call is made for, where the call does not say so: the only
// one in flight, if nothing else was under way when it began. One for all workers, a mutex held for
// a few assignments. proxy::Exchange tells it what begins and ends; resolve() weighs what it says.
//
// A wrong parent is worse than none. Where two requests were in flight at once, none of the calls
// that began then is anybody's; and the one that is left is trusted again only if there were none,
// for what one call set going may go on after the request that it was made for.
//
// Work that outlives its request passes unseen between two of its calls. So for the idle time of a
// turn no request is evidence after
//   - an answer 202, 408, 503 or 504, and a request that was given up before it had its answer; a
//     stream of events only where something was done while it was open;
//   - the end of a call that outlived every request that it may have been made for, unless it was a
//     model's last word, or was given up: who waits for that no longer goes on;
//   - the end of a call that began while no request was in flight, if one had been within that time
//     before, or if it belongs to a turn that goes on;
//   - the end of any call of a turn that is known to go on so;
//   - a call that says what a request brought that is answered (Joined::outlives).
// A turn of a request that had another answer is over with it, whatever its model said last.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "sidespan/base/clock.h"
#include "sidespan/lineage/resolver.h"
#include "sidespan/lineage/turn.h"

namespace sidespan::lineage {

class IngressWatch {
 public:
  // Null: not known.
  using Request = std::shared_ptr<const Execution>;

  // How a call ended.
  enum class End : uint8_t {
    kLastWord,  // a model's
    kGivenUp,   // by the agent
    kOther,
  };

  // A request on the ingress, from before the agent can know of it until it is answered.
  class InFlight {
   public:
    InFlight() = default;
    InFlight(InFlight&& other) noexcept
        : watch_(std::exchange(other.watch_, nullptr)),
          number_(other.number_),
          settled_(other.settled_) {}
    InFlight& operator=(InFlight&& other) noexcept {
      std::swap(watch_, other.watch_);
      std::swap(number_, other.number_);
      std::swap(settled_, other.settled_);
      return *this;
    }
    ~InFlight() {
      if (watch_ != nullptr) watch_->drop(number_, settled_);
    }

    // `goes_on`: its answer does not say that the work for it is done.
    void end(MonoTime now, bool goes_on) {
      if (watch_ == nullptr) return;
      IngressWatch& watch = *std::exchange(watch_, nullptr);
      settled_ ? watch.close(now, goes_on) : watch.end(number_, now, goes_on);
    }
    // It stays open and waits for events: no call is its own from now on. As long as it does no
    // other request is evidence, since what it waits for may be what the agent works on.
    void settle() {
      if (watch_ != nullptr && !std::exchange(settled_, true)) watch_->settle(number_);
    }
    explicit operator bool() const { return watch_ != nullptr; }

   private:
    friend class IngressWatch;
    InFlight(IngressWatch& watch, uint64_t number) : watch_(&watch), number_(number) {}

    IngressWatch* watch_ = nullptr;
    uint64_t number_ = 0;  // zero: a probe
    bool settled_ = false;
  };

  // What the agent does on its own account: an egress call, a turn.
  class Work {
   public:
    Work() = default;
    Work(Work&& other) noexcept
        : watch_(std::exchange(other.watch_, nullptr)),
          request_(std::move(other.request_)),
          begun_(other.begun_) {}
    Work& operator=(Work&& other) noexcept {
      std::swap(watch_, other.watch_);
      std::swap(request_, other.request_);
      std::swap(begun_, other.begun_);
      return *this;
    }
    ~Work() { settle(); }

    // The request that it is done for; stays when the work has ended.
    const Request& request() const { return request_; }
    // `turn`: that the call belongs to, if any.
    void end(MonoTime now, End how = End::kOther, ExecutionRef turn = {}) {
      if (watch_ != nullptr) std::exchange(watch_, nullptr)->end_work(begun_, now, how, turn);
    }
    // It is done for a request that was answered before.
    void disown(MonoTime now) {
      if (watch_ != nullptr) watch_->disown_work(now);
    }
    // It stays open and is no work.
    void settle() {
      if (watch_ != nullptr) std::exchange(watch_, nullptr)->settle_work();
    }

   private:
    friend class IngressWatch;
    // What was in flight on the ingress when it began.
    struct Begun {
      uint64_t request = 0;  // the number of request(); zero: not known
      uint64_t period = 0;
      bool alone = false;    // nothing
      bool is_rest = false;  // and it may be the rest of what was so before
    };
    Work(IngressWatch& watch, Request request, const Begun& begun)
        : watch_(&watch), request_(std::move(request)), begun_(begun) {}

    IngressWatch* watch_ = nullptr;
    Request request_;
    Begun begun_;
  };

  // `idle`: how long work may rest and still go on (TurnOptions::idle).
  explicit IngressWatch(Nanoseconds idle) : idle_(idle) {}

  // `request` is null for one that has no span, and so can be nobody's parent.
  [[nodiscard]] InFlight begin(Request request, MonoTime now);
  // A health check: calls may be made for it, too, but it has none.
  [[nodiscard]] InFlight begin_probe();
  [[nodiscard]] Work begin_work(MonoTime now);

 private:
  static constexpr size_t kTurnsMax = 64;

  void end(uint64_t number, MonoTime now, bool goes_on);
  void settle(uint64_t number);
  void close(MonoTime now, bool goes_on);
  void drop(uint64_t number, bool settled);
  void end_work(const Work::Begun& begun, MonoTime now, End how, ExecutionRef turn);
  void disown_work(MonoTime now);
  void settle_work();
  // With the mutex held.
  Request leave(uint64_t number);
  void suspect(MonoTime now);
  static void keep(std::vector<ExecutionRef>& turns, ExecutionRef turn);

  const Nanoseconds idle_;
  std::mutex mutex_;
  size_t requests_ = 0;
  size_t probes_ = 0;
  size_t settled_ = 0;   // that are open
  bool worked_ = false;  // since the first of what is open now began
  size_t work_ = 0;
  uint64_t begun_ = 0;   // requests so far
  uint64_t period_ = 0;  // how often none was left in flight
  // The one in flight that began when nothing was under way; there is one at most.
  Request first_;
  uint64_t first_number_ = 0;                 // zero: there is none
  std::vector<ExecutionRef> first_turns_;     // whose model has not said its last word
  bool mixed_ = false;                        // since then work began that may be another's
  std::vector<ExecutionRef> left_turns_;      // that go on without a request
  MonoTime suspect_until_ = MonoTime::min();  // work that nobody sees may go on
  MonoTime rest_until_ = MonoTime::min();     // calls may be the rest of an answered request's
};

}  // namespace sidespan::lineage
