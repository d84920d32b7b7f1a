// The event loop of one thread (libuv), and the order of a turn: poll for I/O, run timers, then the
// end of the turn, where whatever asked for it is flushed and reaped exactly once. Objects of net
// belong to the loop they were made on and are touched by its thread only; Mailbox is the one door.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "sidespan/base/buffer.h"
#include "sidespan/base/clock.h"
#include "sidespan/base/error.h"

struct uv_loop_s;  // NOLINT(readability-identifier-naming): libuv's own spelling

namespace sidespan::net {

// Something with work for the end of the turn: bytes to write out, slots to reap.
class TurnEnd {
 public:
  virtual void on_turn_end() = 0;

 protected:
  ~TurnEnd() = default;

 private:
  friend class Loop;
  size_t place_ = 0;  // in the loop's queue, counted from 1; 0: not in it
};

// Something that has done its share of this turn, and goes on in the next: after the sockets were
// looked at, which it does not wait for.
class NextTurn {
 public:
  virtual void on_next_turn() = 0;

 protected:
  ~NextTurn() = default;
};

class Loop {
 public:
  // Aborts when the system has no descriptors left for a loop. From the first loop on SIGPIPE is
  // ignored in this process: a write to a dead connection is an Error, not the end.
  Loop();
  // Everything made on the loop must be gone; runs the remaining close callbacks.
  ~Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  // Until stop(), or until nothing is left that could wake it.
  void run();
  // From the loop's own thread; takes effect at the end of the turn.
  void stop();

  // The time at which this part of the turn (I/O, or timers and what follows) began; cheap. Wall
  // and monotonic are read together.
  Moment now() const;
  // The time now, for what must not be rounded to the turn.
  Moment precise_now() const;
  // Whatever had come by then has been handed up, to the millisecond. How long a peer has been
  // silent is counted to here: since then this thread may have been without a processor.
  MonoTime looked() const;

  // Calls `work.on_turn_end()` once at the end of this turn, however often it is asked. Work asked
  // for during the end of the turn is done in the same end. cancel_turn_end before destroying it.
  void at_turn_end(TurnEnd& work);
  // The same, but as soon as what was read last has been handed up: for a writer whose blocks the
  // next read could have, warm in the cache. One a read; who comes later in it waits for the turn's
  // end.
  void after_read(TurnEnd& work);
  void cancel_turn_end(TurnEnd& work);

  // Calls `work.on_next_turn()` once, in the next turn, and keeps the loop going until then; asked
  // for from within, in the one after. Once at a time. cancel_next_turn before destroying it.
  void at_next_turn(NextTurn& work);
  void cancel_next_turn(NextTurn& work);
  // Which turn this is: another number after each poll.
  uint64_t turn() const;

  // Where a read lands, Chunk::kReadBytes: bytes are read and handed up in one go, so all streams
  // of a loop use one block in turn. Where a reader keeps a share of what came, the next read has a
  // fresh one.
  std::span<char> landing();
  // What landed there, `n` bytes.
  const Chunk& landed(size_t n);
  // Whoever read calls it when the reader has had the bytes and no more wait in the socket.
  void end_read();
  uv_loop_s* uv();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace sidespan::net
