#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "descriptors.h"
#include "stream_impl.h"
#include "uv_error.h"

namespace sidespan::net {

// One try to connect. Lives until libuv is through with it and its Connecting is gone.
struct Stream::Impl::Attempt final : TurnEnd {
  Attempt(Loop& loop, const Address& address, int kept, OnConnect on_connect)
      : impl(new Impl(loop)), descriptors_kept(kept), done(std::move(on_connect)) {
    impl->peer = address;
    request.data = this;
  }

  void begin(std::shared_ptr<Attempt> share);
  int open_and_connect();
  void on_turn_end() override { finish(refused_at_once); }
  void finish(int uv_status);
  void cancel();
  void drop_handle();

  Impl* impl;  // null once a Stream has it, or libuv alone
  const int descriptors_kept;
  OnConnect done;  // empty once called or cancelled
  uv_connect_t request{};
  int refused_at_once = 0;
  std::shared_ptr<Attempt> self;  // the share of whoever will call finish()
};

void Stream::Impl::Attempt::begin(std::shared_ptr<Attempt> share) {
  self = std::move(share);
  refused_at_once = open_and_connect();
  // Nobody is called back from inside connect().
  if (refused_at_once != 0) impl->loop().at_turn_end(*this);
}

int Stream::Impl::Attempt::open_and_connect() {
  const int opened =
      ::socket(impl->peer.family(), SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_TCP);
  if (opened < 0) return -errno;
  if (is_kept(opened, descriptors_kept)) {
    ::close(opened);
    return UV_EMFILE;
  }
  set_tcp_options(opened);
  if (const int status = impl->open(opened); status != 0) return status;
  return uv_tcp_connect(&request, &impl->tcp, impl->peer.get(),
                        [](uv_connect_t* connect, int status) {
                          static_cast<Attempt*>(connect->data)->finish(status);
                        });
}

void Stream::Impl::Attempt::finish(int uv_status) {
  const std::shared_ptr<Attempt> alive = std::move(self);
  if (!done) return;
  OnConnect callback = std::exchange(done, OnConnect());
  if (uv_status == 0) return callback(make_stream(std::exchange(impl, nullptr)));
  Error error = connect_error(uv_status, impl->peer);
  drop_handle();
  callback(std::unexpected(std::move(error)));
}

void Stream::Impl::Attempt::cancel() {
  if (!done) return;
  done = nullptr;
  if (refused_at_once != 0) {
    impl->loop().cancel_turn_end(*this);
    self.reset();
  }
  drop_handle();  // libuv then ends a request in flight by ECANCELED
}

void Stream::Impl::Attempt::drop_handle() {
  impl->close(false);
  std::exchange(impl, nullptr)->release();
}

class Stream::Impl::Handle final : public Stream::Connecting {
 public:
  explicit Handle(std::shared_ptr<Attempt> attempt) : attempt_(std::move(attempt)) {}
  ~Handle() override { attempt_->cancel(); }
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;

 private:
  std::shared_ptr<Attempt> attempt_;
};

std::unique_ptr<Stream::Connecting> Stream::connect(Loop& loop, const Address& address,
                                                    OnConnect done, int descriptors_kept) {
  auto attempt = std::make_shared<Impl::Attempt>(loop, address, descriptors_kept, std::move(done));
  attempt->begin(attempt);
  return std::make_unique<Impl::Handle>(std::move(attempt));
}

}  // namespace sidespan::net
