#include "sidespan/net/stream.h"

#include <linux/sockios.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cassert>
#include <cerrno>
#include <utility>

#include "stream_impl.h"
#include "uv_error.h"

namespace sidespan::net {
namespace {

constexpr size_t kBlocksMax = 16;
// libuv reports a request when all of it is written, so smaller ones give the writer its window
// back sooner; the rest goes by send() when the socket is writable again.
constexpr size_t kLentBytesMax = size_t{64} * 1024;

// Blocks that come at once are read before others have their turn.
constexpr int kReadsMax = 32;

constexpr int kSendFlags = MSG_DONTWAIT | MSG_NOSIGNAL;

constexpr int kKeepaliveIdleSeconds = 60;
constexpr int kKeepaliveIntervalSeconds = 15;
constexpr int kKeepaliveProbes = 4;

struct Blocks {
  std::array<uv_buf_t, kBlocksMax> buffers;  // NOLINT: the first `count` are set
  unsigned count = 0;
  size_t bytes = 0;
};

void fill(Blocks& blocks, const Chain& chain, size_t bytes_max) {
  chain.visit([&](std::string_view block) {
    if (blocks.count == kBlocksMax || blocks.bytes == bytes_max) return;
    const std::string_view part = block.substr(0, bytes_max - blocks.bytes);
    // libuv's buffers have no const; it only reads these.
    blocks.buffers[blocks.count++] =
        uv_buf_init(const_cast<char*>(part.data()), static_cast<unsigned>(part.size()));
    blocks.bytes += part.size();
  });
}

// How many bytes the socket takes there and then; -1 and errno as from send(2), which libc makes a
// point where the thread may be cancelled: nobody does, and it costs as much as the call itself.
ssize_t send_now(int fd, std::string_view bytes) {
  return ::syscall(SYS_sendto, fd, bytes.data(), bytes.size(), kSendFlags, nullptr, 0);
}

ssize_t send_now(int fd, Blocks& blocks) {
  // libuv's buffers are made to be taken for these.
  msghdr message{};
  message.msg_iov = reinterpret_cast<iovec*>(blocks.buffers.data());
  message.msg_iovlen = blocks.count;
  return ::syscall(SYS_sendmsg, fd, &message, kSendFlags);
}

// The same of recv(2).
ssize_t receive_now(int fd, std::span<char> room) {
  return ::syscall(SYS_recvfrom, fd, room.data(), room.size(), MSG_DONTWAIT, nullptr, nullptr);
}

void set_option(int fd, int level, int name, int value) {
  ::setsockopt(fd, level, name, &value, sizeof value);
}

void make_close_reset(int fd) {
  const linger now{.l_onoff = 1, .l_linger = 0};
  ::setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
}

}  // namespace

void set_tcp_options(int fd) {
  set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
  set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
  set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, kKeepaliveIdleSeconds);
  set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, kKeepaliveIntervalSeconds);
  set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, kKeepaliveProbes);
}

Stream::Impl::Impl(Loop& owner) {
  uv_tcp_init(owner.uv(), &tcp);  // cannot fail without a socket
  tcp.data = this;
}

Result<std::unique_ptr<Stream>> Stream::Impl::adopt(Loop& loop, int fd, const Address& peer) {
  auto* impl = new Impl(loop);
  std::unique_ptr<Stream> stream = make_stream(impl);
  impl->peer = peer;
  if (const int status = impl->open(fd); status != 0) {
    return std::unexpected(stream_error(status, peer));
  }
  return stream;
}

std::unique_ptr<Stream> Stream::Impl::make_stream(Impl* impl) {
  return std::make_unique<SocketStream>(impl);
}

int Stream::Impl::open(int socket) {
  const int status = uv_tcp_open(&tcp, socket);
  if (status == 0) {
    fd = socket;
  } else {
    ::close(socket);
  }
  return status;
}

// libuv, which is given no buffer, only says when there is something to read. Reading itself it
// would take a short read together with POLLHUP for the end and not ask the socket, which may have
// been reset: the peer's unfinished message would look finished.
void Stream::Impl::read() {
  if (closed || paused || ended || reader == nullptr) return;
  uv_read_start(
      stream(), [](uv_handle_t*, size_t, uv_buf_t* buffer) { *buffer = {}; },
      [](uv_stream_t* handle, ssize_t, const uv_buf_t*) {
        static_cast<Impl*>(handle->data)->on_readable();
      });
}

// The turn's end may make room, and mostly nothing comes before that: two calls into the kernel for
// each big body are saved.
void Stream::Impl::on_no_room() {
  if (std::exchange(roomless, true)) pause();
}

std::span<char> Stream::Impl::room() const {
  const std::span<char> landing = loop().landing();
  return forsaken ? landing : landing.first(std::min(reader->room(), landing.size()));
}

void Stream::Impl::pause() {
  // Nothing that could happen here would ever let it go on.
  if (failed && !ended && !closed && reader != nullptr && !reader->reads_on()) {
    forsaken = true;
    return;
  }
  if (std::exchange(paused, true)) return;
  if (!closed) uv_read_stop(stream());
}

// Whoever owns this may end it in whatever it is told.
void Stream::Impl::on_readable() {
  Loop& owner = loop();
  for (int reads = 0; reads < kReadsMax && !closed && !paused && !ended; ++reads) {
    if (memory::full() && !forsaken) return;  // libuv says it again next turn
    const std::span<char> place = room();
    if (place.empty()) return on_no_room();
    roomless = false;
    const ssize_t n = receive_now(fd, place);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (n <= 0) return on_read_end(n == 0 ? UV_EOF : -errno);
    const auto size = static_cast<size_t>(n);
    if (forsaken) continue;
    reader->on_bytes(owner.landed(size));
    // Else what comes may go with this: the end of an upload, by one write.
    if (size < place.size()) return owner.end_read();
  }
}

void Stream::Impl::on_read_end(int status) {
  uv_read_stop(stream());
  ended = true;
  if (failed) return report_failure(write_status);
  if (status == UV_EOF) return reader->on_end();
  failed = true;  // the queue stays: a part of it may be lent to libuv
  report_failure(status);
}

size_t Stream::Impl::write(Chain&& bytes) {
  assert((!fin_wanted || bytes.empty()) && "write after shutdown");
  if (closed || failed || bytes.empty()) return 0;
  const std::string_view first = bytes.front();
  size_t taken = 0;
  bool full = outbox != nullptr;
  if (!full && first.size() == bytes.size()) {
    taken = took(send_now(fd, first));
    if (taken == first.size()) return taken;  // as mostly; the block goes with `bytes`
    full = true;
  }
  return write_rest(std::move(bytes), taken, full);
}

[[gnu::noinline]] size_t Stream::Impl::write_rest(Chain&& bytes, size_t taken, bool full) {
  bytes.consume(taken);
  if (!full) taken += send(bytes);
  if (bytes.empty()) return taken;
  queue.append(std::move(bytes));
  if (!outbox) lend_rest();
  return taken;
}

size_t Stream::Impl::send(Chain& bytes) {
  size_t taken = 0;
  bool full = false;
  while (!bytes.empty() && !full) {
    Blocks blocks;
    fill(blocks, bytes, SIZE_MAX);
    const size_t n = took(send_now(fd, blocks));
    full = n < blocks.bytes;
    bytes.consume(n);
    taken += n;
  }
  return taken;
}

size_t Stream::Impl::took(ssize_t sent) {
  if (sent >= 0) return static_cast<size_t>(sent);
  const bool failing = errno != EAGAIN && errno != ENOBUFS && errno != EINTR;
  if (failing && write_status == 0) write_status = -errno;
  return 0;
}

// Also how an error of a send is reported: libuv meets it again and calls back later, as it must
// be, since the owner is still inside write().
void Stream::Impl::lend_rest() {
  outbox = std::make_unique<Outbox>();
  Blocks blocks;
  fill(blocks, queue, kLentBytesMax);
  outbox->bytes = blocks.bytes;
  outbox->request.data = this;
  const int status = uv_write(&outbox->request, stream(), blocks.buffers.data(), blocks.count,
                              [](uv_write_t* request, int result) {
                                static_cast<Impl*>(request->data)->on_lent_written(result);
                              });
  assert(status == 0 && "only a handle without a connection refuses a write");
  static_cast<void>(status);
}

void Stream::Impl::on_lent_written(int status) {
  const size_t lent = std::exchange(outbox, nullptr)->bytes;
  if (closed) return;
  if (failed) return queue.clear();  // reading has found out first
  if (status < 0) return write_failed(status);
  write_status = 0;
  queue.consume(lent);
  const size_t written = lent + send(queue);
  queue.empty() ? finish_writing() : lend_rest();
  if (reader != nullptr) reader->on_written(written);
}

void Stream::Impl::write_failed(int status) {
  if (write_status == 0) write_status = status;
  failed = true;
  queue.clear();
  // After a reset the kernel still holds what the peer had sent before, maybe the answer that
  // explains why it would not read on. Reading then ends by itself.
  const bool gone = write_status == UV_EPIPE || write_status == UV_ECONNRESET;
  const bool reads = reader != nullptr && (reader->reads_on() || !(roomless || paused));
  if (gone && reads && !ended) return;
  ended = true;
  uv_read_stop(stream());
  report_failure(write_status);
}

void Stream::Impl::finish_writing() {
  // An error here means that the connection is gone, which reading tells.
  if (fin_wanted && !closed && !failed) ::shutdown(fd, SHUT_WR);
}

void Stream::Impl::report_failure(int status) {
  if (reader != nullptr) reader->on_failure(stream_error(status, peer));
}

void Stream::Impl::close(bool reset) {
  if (closed) return;
  closed = true;
  reader = nullptr;
  queue.clear();
  if (reset) make_close_reset(fd);
  uv_close(handle(), [](uv_handle_t* handle) {
    auto* self = static_cast<Impl*>(handle->data);
    self->handle_closed = true;
    if (self->released) delete self;
  });
}

void Stream::Impl::release() {
  released = true;
  if (handle_closed) delete this;
}

SocketStream::~SocketStream() {
  impl_->close(false);
  impl_->release();
}

void SocketStream::start(StreamReader& reader) {
  impl_->reader = &reader;
  impl_->read();
}

void SocketStream::resume() {
  if (!impl_->paused) return;
  impl_->paused = impl_->roomless = false;
  impl_->read();
}

size_t SocketStream::write_now(std::string_view bytes) {
  if (impl_->outbox || impl_->closed || impl_->failed || impl_->fin_wanted) return 0;
  const ssize_t n = send_now(impl_->fd, bytes);
  return n > 0 ? static_cast<size_t>(n) : 0;
}

bool SocketStream::is_quiet() const {
  char byte = 0;
  if (impl_->closed || ::recv(impl_->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) >= 0) return false;
  return errno == EAGAIN || errno == EWOULDBLOCK;
}

size_t SocketStream::unacknowledged() const {
  int bytes = 0;
  if (impl_->closed || ::ioctl(impl_->fd, SIOCOUTQ, &bytes) != 0) return 0;
  return static_cast<size_t>(bytes);
}

bool SocketStream::read_now() {
  if (impl_->closed || impl_->paused || impl_->ended || impl_->forsaken || !impl_->reader) {
    return false;
  }
  const std::span<char> room = impl_->room();
  if (room.empty()) return false;
  const ssize_t n = receive_now(impl_->fd, room);
  if (n <= 0) return false;  // an end or an error is the loop's to find
  impl_->reader->on_bytes(loop().landed(static_cast<size_t>(n)));
  return true;
}

void SocketStream::look_for_reset() {
  if (!impl_->paused || impl_->closed || impl_->ended || impl_->failed) return;
  pollfd asked{.fd = impl_->fd, .events = 0, .revents = 0};
  // After a FIN of either side there is no error, and what came before it may still wait.
  if (::poll(&asked, 1, 0) != 1 || (asked.revents & POLLERR) == 0) return;
  int error = 0;
  socklen_t size = sizeof error;
  ::getsockopt(impl_->fd, SOL_SOCKET, SO_ERROR, &error, &size);
  impl_->ended = impl_->failed = true;
  impl_->report_failure(error != 0 ? -error : UV_ECONNRESET);
}

void SocketStream::shutdown() {
  if (impl_->fin_wanted) return;
  impl_->fin_wanted = true;
  if (impl_->queue.empty()) impl_->finish_writing();
}

Address SocketStream::local() const {
  sockaddr_storage storage{};
  socklen_t size = sizeof storage;
  auto* address = reinterpret_cast<sockaddr*>(&storage);
  if (impl_->closed || ::getsockname(impl_->fd, address, &size) != 0) return {};
  return Address::from_sockaddr(address);
}

size_t Stream::idle_bytes() {
  return sizeof(SocketStream) - sizeof(Stream) + sizeof(Impl);
}

}  // namespace sidespan::net
