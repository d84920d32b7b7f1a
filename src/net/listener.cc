#include "sidespan/net/listener.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

#include <cerrno>
#include <string>
#include <utility>

#include "descriptors.h"
#include "stream_impl.h"
#include "uv_error.h"

namespace sidespan::net {
namespace {

// A burst must not keep the loop from the connections it already has.
constexpr int kAcceptsPerTurn = 64;
constexpr uint64_t kBackOffMilliseconds = 100;

Error listen_error(const Address& address, int error) {
  const std::string at = "cannot listen on " + address.to_string() + ": ";
  if (error == EADDRINUSE) {
    return {Code::kSystem, Side::kSelf, false, at + "another process listens there"};
  }
  return {Code::kSystem, Side::kSelf, false, at + uv_strerror(-error)};
}

int set_flag(int fd, int level, int name) {
  const int on = 1;
  return ::setsockopt(fd, level, name, &on, sizeof on);
}

// 0, or errno.
int bind_and_listen(int fd, const Address& address, const Listener::Options& options) {
  set_flag(fd, SOL_SOCKET, SO_REUSEADDR);
  set_tcp_options(fd);
  if (address.family() == AF_INET6 && set_flag(fd, IPPROTO_IPV6, IPV6_V6ONLY) != 0) return errno;
  if (options.reuse_port && set_flag(fd, SOL_SOCKET, SO_REUSEPORT) != 0) return errno;
  if (::bind(fd, address.get(), address.size()) != 0) return errno;
  return ::listen(fd, options.backlog) != 0 ? errno : 0;
}

Address name_of_socket(int fd) {
  sockaddr_storage storage{};
  socklen_t size = sizeof storage;
  auto* address = reinterpret_cast<sockaddr*>(&storage);
  ::getsockname(fd, address, &size);
  return Address::from_sockaddr(address);
}

int open_spare() {
  return ::open("/dev/null", O_RDONLY | O_CLOEXEC);
}

bool out_of_descriptors(int error) {
  return error == EMFILE || error == ENFILE;
}

// Errors of the one connection that was to be accepted; the next may be fine (accept(2), Linux).
bool is_about_one_connection(int error) {
  switch (error) {
    case ECONNABORTED:
    case EINTR:
    case EPROTO:
    case EPERM:
    case ENETDOWN:
    case ENOPROTOOPT:
    case EHOSTDOWN:
    case ENONET:
    case EHOSTUNREACH:
    case EOPNOTSUPP:
    case ENETUNREACH:
      return true;
    default:
      return false;
  }
}

}  // namespace

// Accepts by itself instead of by uv_listen: that can neither pause nor survive without a spare
// descriptor other than by spinning.
struct Listener::Impl {
  Impl(Loop& owner, int socket, int kept, OnAccept callback);

  void watch();
  void accept_some();
  // False when there is nothing more to do in this turn.
  bool accept_one();
  bool shed();  // the same
  void back_off();
  void close();
  void on_handle_closed();

  Loop& loop;
  int fd;
  int descriptors_kept;
  int spare = open_spare();
  OnAccept on_accept;
  Address address;
  uint64_t shed_count = 0;
  uv_poll_t poll;
  uv_timer_t retry;
  int handles_open = 2;
  bool paused = false;
  bool closed = false;
};

Listener::Impl::Impl(Loop& owner, int socket, int kept, OnAccept callback)
    : loop(owner),
      fd(socket),
      descriptors_kept(kept),
      on_accept(std::move(callback)),
      address(name_of_socket(socket)) {
  uv_timer_init(loop.uv(), &retry);
  retry.data = this;
  uv_poll_init(loop.uv(), &poll, fd);
  poll.data = this;
}

void Listener::Impl::watch() {
  uv_poll_start(&poll, UV_READABLE, [](uv_poll_t* handle, int, int) {
    static_cast<Impl*>(handle->data)->accept_some();
  });
}

void Listener::Impl::accept_some() {
  for (int i = 0; i < kAcceptsPerTurn && !closed && !paused; ++i) {
    if (!accept_one()) return;
  }
}

bool Listener::Impl::accept_one() {
  sockaddr_storage storage{};
  socklen_t size = sizeof storage;
  auto* from = reinterpret_cast<sockaddr*>(&storage);
  const int socket = ::accept4(fd, from, &size, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (socket >= 0 && is_kept(socket, descriptors_kept)) {
    ::close(socket);
    ++shed_count;
    return true;
  }
  if (socket >= 0) {
    auto stream = Stream::Impl::adopt(loop, socket, Address::from_sockaddr(from));
    if (stream) on_accept(std::move(*stream));
    return true;
  }
  if (errno == EAGAIN || errno == EWOULDBLOCK) return false;
  if (is_about_one_connection(errno)) return true;
  if (out_of_descriptors(errno)) return shed();
  back_off();
  return false;
}

// Closing the connection tells the peer more than letting it wait in the backlog, and a poll that
// stays readable would burn the processor.
bool Listener::Impl::shed() {
  if (spare >= 0) ::close(spare);
  const int socket = ::accept4(fd, nullptr, nullptr, SOCK_CLOEXEC);
  // Without a free descriptor accept says so even when nobody waits; now it is EAGAIN then.
  const bool none_waits = socket < 0 && errno == EAGAIN;
  if (socket >= 0) ::close(socket);
  spare = open_spare();
  if (socket >= 0) {
    ++shed_count;
    return true;
  }
  if (!none_waits) back_off();  // another thread was quicker to take the descriptor
  return false;
}

void Listener::Impl::back_off() {
  uv_poll_stop(&poll);
  uv_timer_start(
      &retry,
      [](uv_timer_t* timer) {
        auto* self = static_cast<Impl*>(timer->data);
        if (!self->paused) self->watch();
      },
      kBackOffMilliseconds, 0);
}

void Listener::Impl::close() {
  closed = true;
  const auto on_closed = [](uv_handle_t* handle) {
    static_cast<Impl*>(handle->data)->on_handle_closed();
  };
  uv_close(reinterpret_cast<uv_handle_t*>(&poll), on_closed);
  uv_close(reinterpret_cast<uv_handle_t*>(&retry), on_closed);
  ::close(fd);
  if (spare >= 0) ::close(spare);
}

void Listener::Impl::on_handle_closed() {
  if (--handles_open == 0) delete this;
}

Result<std::unique_ptr<Listener>> Listener::listen(Loop& loop, const Address& address,
                                                   Options options, OnAccept on_accept) {
  const int fd =
      ::socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_TCP);
  if (fd < 0) return std::unexpected(listen_error(address, errno));
  if (const int error = bind_and_listen(fd, address, options); error != 0) {
    ::close(fd);
    return std::unexpected(listen_error(address, error));
  }
  auto* impl = new Impl(loop, fd, options.descriptors_kept, std::move(on_accept));
  impl->watch();
  return std::unique_ptr<Listener>(new Listener(impl));
}

Listener::~Listener() {
  impl_->close();
}

const Address& Listener::address() const {
  return impl_->address;
}

void Listener::pause() {
  impl_->paused = true;
  uv_poll_stop(&impl_->poll);
}

void Listener::resume() {
  if (!impl_->paused) return;
  impl_->paused = false;
  impl_->watch();
}

uint64_t Listener::shed() const {
  return impl_->shed_count;
}

}  // namespace sidespan::net
