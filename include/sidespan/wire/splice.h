// Two sockets whose bytes pass from one to the other as they are, both ways: what is left of a
// tunnel once it is known that nobody reads it. It is as slow as the slower side, passes a FIN on
// as one, and keeps nothing of what has passed. Who uses it: proxy's tunnels.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>

#include "sidespan/base/clock.h"
#include "sidespan/base/error.h"
#include "sidespan/net/stream.h"

namespace sidespan::wire {

class Splice {
 public:
  class Owner {
   public:
    // Both sides have sent FIN, and all that they sent has left. Or one broke off: `broken` tells
    // which, by its side. Once, and never from inside a call of the owner's but look_for_reset();
    // only close(), reset() and destruction are left, which may happen in it.
    virtual void on_splice_end(const Error* broken) = 0;

   protected:
    ~Owner() = default;
  };

  // Begins at once, but for what was read already. `queue_bytes_max`: a side is not read while that
  // much of it waits for the other.
  Splice(std::unique_ptr<net::Stream> agent, std::unique_ptr<net::Stream> origin,
         size_t queue_bytes_max, Owner& owner);

  // Ends both: by FIN, which they have had, or by RST.
  void close() { end_with(false); }
  void reset() { end_with(true); }

  // Of an agent that is not read for now, see net::Stream; the owner is told within the call.
  void look_for_reset() { agent_.stream->look_for_reset(); }

  uint64_t from_agent() const { return agent_.read; }  // bytes, as they came
  uint64_t from_origin() const { return origin_.read; }
  // What waits for the sockets.
  size_t held() const { return agent_.pending() + origin_.pending(); }
  // Who is to move next: who does not take what waits for it, else the origin.
  Side awaited() const { return agent_.pending() > 0 ? Side::kAgent : Side::kOrigin; }
  MonoTime last_activity() const { return last_activity_; }
  // Whose FIN, or failure, came first; nobody's: it is open.
  std::optional<Side> closed_by() const { return closed_by_; }

 private:
  // One of the two, which reads for the other.
  struct End final : net::StreamReader {
    End(Splice& s, Side of, std::unique_ptr<net::Stream> socket)
        : splice(s), stream(std::move(socket)), side(of) {}
    void on_bytes(const Chunk& chunk) override { splice.pass(*this, chunk); }
    size_t room() const override { return splice.room(*this); }
    // An agent's reset says that what it sent before counts no more, even where that came whole.
    bool reads_on() const override { return side == Side::kOrigin; }
    void on_end() override { splice.end(*this); }
    void on_failure(Error) override { splice.fail(*this); }
    void on_written(size_t) override { splice.on_written(*this); }
    size_t pending() const { return stream->pending(); }

    Splice& splice;
    std::unique_ptr<net::Stream> stream;
    uint64_t read = 0;
    const Side side;
    bool ended = false;  // FIN was read
  };

  End& other(const End& end) { return &end == &agent_ ? origin_ : agent_; }
  const End& other(const End& end) const { return &end == &agent_ ? origin_ : agent_; }
  size_t room(const End& from) const;
  void pass(End& from, const Chunk& chunk);
  void end(End& from);
  void fail(const End& from);
  void on_written(End& to);
  void settle();
  void end_with(bool rst);

  Owner& owner_;
  const size_t queue_bytes_max_;
  MonoTime last_activity_;
  End agent_;
  End origin_;
  bool over_ = false;
  std::optional<Side> closed_by_;
};

}  // namespace sidespan::wire
