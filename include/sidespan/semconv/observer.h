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
  // The request's body as the agent sends it, and that it is whole.
  virtual void on_request_bytes(std::string_view) {}
  virtual void on_request_end() {}
  // The answer as the origin sends it: its head, where the observer was made for the request, then
  // the body. After 101 what it says in the protocol that was switched to.
  virtual void on_response_head(const http::Head&, MonoTime) {}
  virtual void on_response_bytes(std::string_view, MonoTime) {}
  // After 101 alone: what the agent says in that protocol.
  virtual void on_switched_request_bytes(std::string_view) {}
  // Nothing more comes. `whole`: both directions ended as they should.
  virtual void on_end(bool) {}
  // Adds what is known by now; once for each attempt.
  virtual void describe(trace::Span&) const {}
};

// The observer an answer asks for: by its media type (text/event-stream: counts events), or by the
// protocol that 101 switches to (websocket: counts messages). Null when none.
std::unique_ptr<Observer> make_response_observer(const http::Head& response);

}  // namespace sidespan::semconv
