// A body with a Content-Encoding, or what is said in a packed protocol, on its way past those who
// read it: what a turn of the loop allows is decoded, and the rest goes on in the next one, so that
// no body of few bytes keeps the thread from other connections. What is not read yet is not passed
// on either: whoever reads an answer knows it before the agent does. Bytes and what comes behind
// them wait here meanwhile, unconsumed, which stops the other side by its own flow control. Used by
// Exchange, one for each direction.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string_view>
#include <vector>

#include "sidespan/base/buffer.h"
#include "sidespan/base/clock.h"
#include "sidespan/http/event.h"
#include "sidespan/http/inflate.h"
#include "sidespan/net/loop.h"

namespace sidespan::proxy {

class PackedBody final : public net::NextTurn {
 public:
  // Plain bytes that are read of a body within a turn.
  static constexpr size_t kTurnBytes = size_t{64} * 1024;
  // What those who read get at once, and may have to copy. Of a message of a WebSocket, whose
  // decoder does not wait: what that may become is within the turn's bytes.
  static constexpr size_t kPieceBytes = 1024;
  static constexpr size_t kMessagePieceBytes = 64;

  // None of them may destroy this.
  struct Way {
    // To those who read; empty when they went on with what they had.
    std::function<void(std::string_view)> show;
    std::function<void(Chain)> pass;
    std::function<void(http::Event&&)> handle;
  };

  PackedBody(net::Loop& loop, size_t piece_bytes, Way way);
  PackedBody(const PackedBody&) = delete;
  PackedBody& operator=(const PackedBody&) = delete;
  ~PackedBody();

  // Something waits for the next turn: what comes now must wait() behind it.
  bool behind() const { return behind_; }
  // How long it was, by now.
  Nanoseconds behind_for() const;
  void take(Chain data);
  // The message's end, or what else comes behind its body.
  void wait(http::Event&& event);
  // The message is here to its end.
  bool has_end() const;
  // Nobody wants what waits here, or comes: from within its calls, too.
  void stop();
  size_t held() const;

 private:
  void on_next_turn() override;
  void begin_turn();
  // False: they are behind, or the turn is over.
  bool show_front();
  void read();

  net::Loop& loop_;
  const size_t piece_bytes_;
  const Way way_;
  http::InflateBacklog backlog_;
  Chain unread_;
  size_t shown_ = 0;                  // of its first bytes
  std::vector<http::Event> waiting_;  // behind unread_
  uint64_t turn_ = 0;
  bool behind_ = false;
  MonoTime behind_since_ = {};
  Nanoseconds behind_before_ = {};
};

}  // namespace sidespan::proxy
