// Two streams that are each other's socket.
#include <algorithm>
#include <array>
#include <cassert>
#include <memory>
#include <utility>

#include "sidespan/net/stream.h"

namespace sidespan::net {
namespace {

// As a socket's reader gets it.
constexpr size_t kReadBytesMax = size_t{64} * 1024;

// Both ends; lives as long as either.
class Link final : public TurnEnd, public std::enable_shared_from_this<Link> {
 public:
  struct End {
    StreamReader* reader = nullptr;
    Chain inbox;  // written by the other, and not read
    bool paused = false;
    bool closed = false;
    bool fin_wanted = false;  // it writes no more
    bool fin_told = false;    // the other's was
    bool broken = false;      // to be told that the other is gone
    bool failed = false;      // was told
  };

  Link(Loop& loop, const Address& peer) : loop_(loop), peer_(peer) {}
  ~Link() { loop_.cancel_turn_end(*this); }

  End& end(size_t which) { return ends_[which]; }
  End& other(size_t which) { return ends_[1 - which]; }
  Loop& loop() { return loop_; }
  const Address& peer() const { return peer_; }
  void later() { loop_.at_turn_end(*this); }
  // True: something was handed up, and there may be more.
  bool hand_up(size_t which);

 private:
  void on_turn_end() override {
    const std::shared_ptr<Link> alive = shared_from_this();
    bool more = false;
    for (const size_t which : {size_t{0}, size_t{1}}) more = hand_up(which) || more;
    if (more) later();
  }

  Loop& loop_;
  Address peer_;
  std::array<End, 2> ends_;
};

bool Link::hand_up(size_t which) {
  End& to = end(which);
  if (to.closed || to.failed || to.reader == nullptr) return false;
  if (to.broken) {
    to.failed = true;
    to.reader->on_failure({Code::kConnectionReset, Side::kSelf, false, "the other end was closed"});
    return false;
  }
  if (to.inbox.empty() && to.fin_told) {
    // Who is gone reads nothing more; without a socket nobody else finds that out, and who has had
    // the end may have paused.
    to.broken = other(which).closed && !to.fin_wanted;
    return to.broken;
  }
  if (to.paused) return false;
  if (to.inbox.empty()) {
    const End& from = other(which);
    if (!from.fin_wanted) return false;
    to.fin_told = true;
    to.reader->on_end();
    return from.closed;
  }
  const size_t most = std::min({to.reader->room(), kReadBytesMax, to.inbox.size()});
  if (most == 0) {
    to.paused = true;
    return false;
  }
  const Chain part = to.inbox.take(most);
  Chunk read(part.size());
  part.visit([&](std::string_view bytes) { read.append(bytes); });
  const size_t bytes = read.size();
  to.reader->on_bytes(read);
  End& from = other(which);
  if (!from.closed && !from.failed && from.reader != nullptr) from.reader->on_written(bytes);
  return true;
}

class PairedStream final : public Stream {
 public:
  PairedStream(std::shared_ptr<Link> link, size_t which) : link_(std::move(link)), which_(which) {}
  ~PairedStream() override { PairedStream::close(false); }

  void start(StreamReader& reader) override {
    me().reader = &reader;
    link_->later();
  }
  void pause() override { me().paused = true; }
  void resume() override {
    if (std::exchange(me().paused, false)) link_->later();
  }
  bool paused() const override { return me().paused; }
  size_t write(Chain&& bytes) override {
    assert((!me().fin_wanted || bytes.empty()) && "write after shutdown");
    if (me().closed || me().failed || bytes.empty()) return 0;
    if (you().closed) {
      me().broken = true;
    } else {
      you().inbox.append(std::move(bytes));
    }
    link_->later();
    return 0;
  }
  size_t write_now(std::string_view) override { return 0; }
  size_t pending() const override { return you().inbox.size(); }
  size_t writable() const override {
    return you().paused || you().reader == nullptr ? 0 : you().reader->room();
  }
  bool is_quiet() const override {
    return !me().closed && !me().broken && me().inbox.empty() && !you().fin_wanted;
  }
  bool read_now() override {
    const std::shared_ptr<Link> alive = link_;
    if (me().inbox.empty() || me().paused) return false;
    alive->hand_up(which_);
    return true;
  }
  void shutdown() override {
    if (!std::exchange(me().fin_wanted, true)) link_->later();
  }
  // As of a socket: who has not read all, or closes with a reset, breaks what the other has.
  void close(bool reset) override {
    if (std::exchange(me().closed, true)) return;
    me().reader = nullptr;
    if (reset || !me().inbox.empty()) {
      you().broken = true;
      you().inbox.clear();
    }
    me().inbox.clear();
    me().fin_wanted = true;
    link_->later();
  }
  Address local() const override { return {}; }
  const Address& peer() const override { return link_->peer(); }
  Loop& loop() override { return link_->loop(); }

 private:
  Link::End& me() const { return link_->end(which_); }
  Link::End& you() const { return link_->other(which_); }

  std::shared_ptr<Link> link_;
  const size_t which_;
};

}  // namespace

Stream::Pair Stream::pair(Loop& loop, const Address& peer) {
  const auto link = std::make_shared<Link>(loop, peer);
  return {std::make_unique<PairedStream>(link, 0), std::make_unique<PairedStream>(link, 1)};
}

}  // namespace sidespan::net
