#include "sidespan/net/signal.h"

#include <uv.h>

#include <cassert>
#include <csignal>
#include <utility>

namespace sidespan::net {

struct Signal::Impl {
  uv_signal_t signal;
  std::function<void()> on_signal;
};

Signal::Signal(Loop& loop, int number, std::function<void()> on_signal)
    : impl_(new Impl{{}, std::move(on_signal)}) {
  uv_signal_init(loop.uv(), &impl_->signal);
  impl_->signal.data = impl_;
  const int status = uv_signal_start(
      &impl_->signal,
      [](uv_signal_t* signal, int) { static_cast<Impl*>(signal->data)->on_signal(); }, number);
  assert(status == 0 && "a signal that can be caught");
  static_cast<void>(status);
  uv_unref(reinterpret_cast<uv_handle_t*>(&impl_->signal));
}

Signal::~Signal() {
  uv_close(reinterpret_cast<uv_handle_t*>(&impl_->signal),
           [](uv_handle_t* handle) { delete static_cast<Impl*>(handle->data); });
}

void Signal::ignore() {
  const int number = impl_->signal.signum;
  uv_signal_stop(&impl_->signal);
  std::signal(number, SIG_IGN);
}

}  // namespace sidespan::net
