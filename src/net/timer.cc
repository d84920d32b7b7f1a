#include "sidespan/net/timer.h"

#include <uv.h>

#include <algorithm>
#include <optional>
#include <utility>

namespace sidespan::net {
namespace {

// Later than this a timer is never by libuv's own doing.
constexpr Milliseconds kHeldUp{20};

}  // namespace

// Most deadlines are moved or dropped long before they come. So libuv's timer is set only when it
// would fire too late; when it fires too early it is set again, and when nothing is due any more it
// just passes. A restart costs two stores instead of two walks through libuv's heap.
//
// libuv runs timers before it looks at sockets. When this process was held up (stopped, throttled,
// a machine asleep), what others had sent in time would lose to a deadline that passed meanwhile;
// so a timer that is late waits for one look at the sockets.
struct Timer::Impl {
  Impl(Loop& owner, std::function<void()> callback) : loop(owner), on_time(std::move(callback)) {
    uv_timer_init(loop.uv(), &timer);
    timer.data = this;
  }

  uv_handle_t* handle() { return reinterpret_cast<uv_handle_t*>(&timer); }
  void set();
  void set_after(uint64_t milliseconds);
  void fire();
  void hold_loop(bool hold) { hold ? uv_ref(handle()) : uv_unref(handle()); }

  uv_timer_t timer;
  Loop& loop;
  std::function<void()> on_time;
  std::optional<MonoTime> due;
  MonoTime set_for{};   // when libuv's timer will fire, if it is active
  bool waited = false;  // for what came while the process was held up
};

// libuv counts whole milliseconds of the same clock. Rounding up, it never fires before `due`.
void Timer::Impl::set() {
  const auto since_epoch = std::chrono::ceil<Milliseconds>(due->time_since_epoch()).count();
  const auto now = static_cast<int64_t>(uv_now(loop.uv()));
  set_after(static_cast<uint64_t>(std::max<int64_t>(since_epoch - now, 0)));
}

void Timer::Impl::set_after(uint64_t milliseconds) {
  set_for = *due;
  uv_timer_start(
      &timer, [](uv_timer_t* fired) { static_cast<Impl*>(fired->data)->fire(); }, milliseconds, 0);
}

void Timer::Impl::fire() {
  if (!due) return;
  const MonoTime now = loop.now().mono;
  if (now < *due) return set();
  if (now - *due > kHeldUp && !std::exchange(waited, true)) return set_after(1);
  waited = false;
  due.reset();
  on_time();
}

Timer::Timer(Loop& loop, std::function<void()> on_time)
    : impl_(new Impl(loop, std::move(on_time))) {}

Timer::~Timer() {
  impl_->due.reset();
  uv_close(impl_->handle(), [](uv_handle_t* handle) { delete static_cast<Impl*>(handle->data); });
}

void Timer::start(Milliseconds delay, bool background) {
  impl_->waited = false;
  impl_->due = impl_->loop.now().mono + std::max(delay, Milliseconds(0));
  impl_->hold_loop(!background);
  const bool set = uv_is_active(impl_->handle()) != 0;
  if (!set || *impl_->due < impl_->set_for) impl_->set();
}

void Timer::stop() {
  impl_->due.reset();
  impl_->hold_loop(false);
}

bool Timer::active() const {
  return impl_->due.has_value();
}

}  // namespace sidespan::net
