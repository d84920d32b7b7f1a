// The floor of a hop: bytes from one TCP connection to another and back, nothing read into them.
//   relay ORIGIN_PORT               prints its own port
//   relay PROXY_PORT HOST:PORT      asks the proxy for a tunnel to there first: for who cannot
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <memory>
#include <string>
#include <utility>

#include "wire.h"

namespace sidespan::bench {
namespace {

class Pair;

// One of the two connections of a pair, with what waits to be written to it.
class Side final : public Watched {
 public:
  Side(Poller& poller, Pair& pair, int fd) : poller_(poller), pair_(pair), fd_(fd) {
    poller_.add(fd_, interest_, *this);
  }
  ~Side() override { close(fd_); }

  void set_other(Side& other) { other_ = &other; }
  void on_ready(uint32_t events) override;
  bool over() const { return read_ended_ && write_ended_; }

 private:
  void on_readable();
  void on_writable();
  bool put(std::string_view bytes);
  void end_writing();
  void want(uint32_t interest) {
    if (interest == interest_) return;
    interest_ = interest;
    poller_.change(fd_, interest_, *this);
  }

  Poller& poller_;
  Pair& pair_;
  Side* other_ = nullptr;
  int fd_;
  uint32_t interest_ = kReadable;
  std::string waiting_;  // at most what one read brought: the other side is not read meanwhile
  bool read_ended_ = false;
  bool write_ended_ = false;
};

class Pair {
 public:
  Pair(Poller& poller, int agent, int origin)
      : poller_(poller),
        agent_(std::make_unique<Side>(poller, *this, agent)),
        origin_(std::make_unique<Side>(poller, *this, origin)) {
    agent_->set_other(*origin_);
    origin_->set_other(*agent_);
  }

  bool ended() const { return ended_; }
  void end() {
    if (std::exchange(ended_, true)) return;
    poller_.retire(std::make_unique<Remains>(this));
  }
  void end_when_over() {
    if (agent_->over() && origin_->over()) end();
  }

 private:
  // The pair goes when the turn is over, and its sockets with it.
  class Remains final : public Watched {
   public:
    explicit Remains(Pair* pair) : pair_(pair) {}
    void on_ready(uint32_t) override {}

   private:
    std::unique_ptr<Pair> pair_;
  };

  Poller& poller_;
  std::unique_ptr<Side> agent_;
  std::unique_ptr<Side> origin_;
  bool ended_ = false;
};

void Side::on_ready(uint32_t events) {
  if (pair_.ended()) return;
  if ((events & kWritable) != 0) on_writable();
  // Errors and hang-ups show in the read.
  if ((events & ~kWritable) != 0 && !pair_.ended() && !read_ended_) on_readable();
}

void Side::on_readable() {
  std::string_view bytes;
  switch (read_once(fd_, bytes)) {
    case Io::kLater:
      return;
    case Io::kGone:
      read_ended_ = true;
      want(interest_ & ~kReadable);
      other_->end_writing();
      return;
    case Io::kDone:
      if (!other_->put(bytes)) want(interest_ & ~kReadable);
  }
}

void Side::on_writable() {
  std::string_view bytes = waiting_;
  if (write_some(fd_, bytes) == Io::kGone) return pair_.end();
  waiting_.erase(0, waiting_.size() - bytes.size());
  if (!waiting_.empty()) return;
  want(interest_ & ~kWritable);
  if (other_->read_ended_) return end_writing();
  other_->want(other_->interest_ | kReadable);
}

// False when some of it has to wait.
bool Side::put(std::string_view bytes) {
  // A connection that is still being made says EAGAIN like a full one.
  if (write_some(fd_, bytes) == Io::kGone) {
    pair_.end();
    return true;
  }
  if (bytes.empty()) return true;
  waiting_ = bytes;
  want(interest_ | kWritable);
  return false;
}

void Side::end_writing() {
  if (!waiting_.empty()) return;
  write_ended_ = true;
  shutdown(fd_, SHUT_WR);
  pair_.end_when_over();
}

void wait_for(int fd, short what) {
  pollfd one{fd, what, 0};
  if (poll(&one, 1, -1) != 1) die("poll");
}

// Everything else waits meanwhile: it is done before a measurement begins.
int tunnel_to(uint16_t proxy_port, std::string_view authority) {
  const int fd = connect_to(proxy_port);
  wait_for(fd, POLLOUT);
  std::string ask = "CONNECT ";
  ask.append(authority).append(" HTTP/1.1\r\nHost: ").append(authority).append("\r\n\r\n");
  std::string_view left = ask;
  while (write_some(fd, left) == Io::kLater) wait_for(fd, POLLOUT);
  // Byte by byte: what is behind the answer is for the agent.
  std::string answer;
  while (!answer.ends_with("\r\n\r\n")) {
    wait_for(fd, POLLIN);
    char byte = 0;
    if (read(fd, &byte, 1) != 1) die("the proxy makes no tunnel");
    answer.push_back(byte);
  }
  if (!answer.starts_with("HTTP/1.1 200 ")) die("the proxy refuses the tunnel");
  return fd;
}

int serve(uint16_t port, std::string_view tunnel) {
  Poller poller;
  // A pair owns itself until it is over: it is then retired with its two sockets.
  Listener listener(poller, [&](int fd) {
    new Pair(poller, fd, tunnel.empty() ? connect_to(port) : tunnel_to(port, tunnel));
  });
  announce(listener.port());
  while (true) poller.turn(-1);
}

}  // namespace
}  // namespace sidespan::bench

int main(int argc, char** argv) {
  const int port = argc == 2 || argc == 3 ? std::atoi(argv[1]) : 0;
  if (port <= 0) return 2;
  return sidespan::bench::serve(static_cast<uint16_t>(port), argc == 3 ? argv[2] : "");
}
