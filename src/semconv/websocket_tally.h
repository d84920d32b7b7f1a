// What every span of a WebSocket tells: messages each way, and the code of the close frame that
// came first. Used by the observers of exchanges that switch to one; who reads what messages hold
// gives sinks. Two headers' worth of state, whatever passes.
#pragma once

#include <string_view>

#include "sidespan/base/error.h"
#include "sidespan/http/websocket.h"
#include "sidespan/trace/span.h"

namespace sidespan::semconv {

class WebSocketTally {
 public:
  // Both, where there are any, must outlive this.
  explicit WebSocketTally(http::WebSocketSink* sent = nullptr,
                          http::WebSocketSink* received = nullptr)
      : sent_(sent), received_(received) {}

  void on_sent(std::string_view bytes) { feed(sent_, bytes); }
  void on_received(std::string_view bytes) { feed(received_, bytes); }

  // What came is no sequence of frames.
  bool lost() const { return sent_.lost() || received_.lost(); }
  // The agent's close frame came first.
  bool agent_closed() const { return closer_ == &sent_; }
  bool origin_closed() const { return closer_ == &received_; }

  bool said_close(Side side) const { return (side == Side::kAgent ? sent_ : received_).closed(); }

  void describe(trace::Span& span) const;

 private:
  void feed(http::WebSocketReader& reader, std::string_view bytes) {
    reader.feed(bytes);
    if (closer_ == nullptr && reader.closed()) closer_ = &reader;
  }

  http::WebSocketReader sent_;
  http::WebSocketReader received_;
  const http::WebSocketReader* closer_ = nullptr;
};

}  // namespace sidespan::semconv
