#include "semconv/websocket_tally.h"

#include <cstdint>
#include <optional>

#include "sidespan/semconv/attributes.h"

namespace sidespan::semconv {

void WebSocketTally::describe(trace::Span& span) const {
  span.attributes.add(attribute::kWebSocketMessagesSent, static_cast<int64_t>(sent_.messages()));
  span.attributes.add(attribute::kWebSocketMessagesReceived,
                      static_cast<int64_t>(received_.messages()));
  const std::optional<uint16_t> code = closer_ ? closer_->close_code() : std::nullopt;
  if (code) span.attributes.add(attribute::kWebSocketCloseCode, static_cast<int64_t>(*code));
}

}  // namespace sidespan::semconv
