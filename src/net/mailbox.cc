#include "sidespan/net/mailbox.h"

#include <uv.h>

#include <mutex>
#include <utility>
#include <vector>

namespace sidespan::net {

struct Mailbox::Impl {
  uv_handle_t* handle() { return reinterpret_cast<uv_handle_t*>(&async); }
  bool post(Work work);
  void deliver();
  void run_batch();
  void close();

  uv_async_t async;
  std::shared_ptr<Impl> self;  // libuv's share, until it has given the handle back
  std::vector<Work> batch;     // being run; the loop's thread only
  size_t next = 0;

  std::mutex mutex;
  std::vector<Work> inbox;
  bool closed = false;
};

bool Mailbox::Impl::post(Work work) {
  const std::scoped_lock lock(mutex);
  if (closed) return false;
  inbox.push_back(std::move(work));
  // Under the lock, so that the handle cannot be closed meanwhile. Later posts ride along.
  if (inbox.size() == 1) uv_async_send(&async);
  return true;
}

void Mailbox::Impl::deliver() {
  const std::shared_ptr<Impl> alive = self;  // the work may destroy the mailbox
  run_batch();
  {
    const std::scoped_lock lock(mutex);
    std::swap(batch, inbox);
  }
  run_batch();
}

// The work may close the mailbox, which runs the rest of the batch from inside; hence the index.
void Mailbox::Impl::run_batch() {
  while (next < batch.size()) {
    Work work = std::move(batch[next++]);
    work();
  }
  batch.clear();
  next = 0;
}

void Mailbox::Impl::close() {
  {
    const std::scoped_lock lock(mutex);
    if (closed) return;
    closed = true;
  }
  deliver();
  uv_close(handle(), [](uv_handle_t* handle) {
    // Moved out first: the share may be the last one.
    const auto last = std::move(static_cast<Impl*>(handle->data)->self);
  });
}

Mailbox::Mailbox(Loop& loop) : impl_(std::make_shared<Impl>()) {
  uv_async_init(loop.uv(), &impl_->async,
                [](uv_async_t* async) { static_cast<Impl*>(async->data)->deliver(); });
  impl_->async.data = impl_.get();
  impl_->self = impl_;
}

Mailbox::~Mailbox() {
  impl_->close();
}

bool Mailbox::post(Work work) {
  return impl_->post(std::move(work));
}

void Mailbox::close() {
  impl_->close();
}

void Mailbox::set_background(bool background) {
  background ? uv_unref(impl_->handle()) : uv_ref(impl_->handle());
}

Mailbox::Sender Mailbox::sender() const {
  return Sender(impl_);
}

bool Mailbox::Sender::post(Work work) const {
  return impl_->post(std::move(work));
}

}  // namespace sidespan::net
