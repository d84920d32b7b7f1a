// A tap on one exchange: sees heads and body bytes as they pass, as const views, and afterwards
// adds what it learnt to the span. It never changes, delays or fails traffic; it keeps bounded
// state and falls silent at its limit.
#pragma once

#include <memory>
#include <string_view>

#include "sidespan/base/clock.h"
#include "sidespan/http/message.h"
#include "sidespan/trace/span.h"

namespace sidespan::semconv {

class Observer {
 public:
  virtual ~Observer() = default;
  virtual void on_response_bytes(std::string_view, MonoTime) {}
  // After 101 alone: what the agent says in the protocol that was switched to.
  virtual void on_switched_request_bytes(std::string_view) {}
  virtual void finish(trace::Span&) {}
};

// The observer an answer asks for: by its media type (text/event-stream: counts events), or by the
// protocol that 101 switches to (websocket: counts messages). Null when none.
std::unique_ptr<Observer> make_response_observer(const http::Head& response);

}  // namespace sidespan::semconv
