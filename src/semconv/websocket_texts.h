// The JSON texts that come as text messages in one direction of a WebSocket, one a message, without
// masks and permessage-deflate: each is a document of the sink's, as body_reader.h has them. Used
// by observers that read what is said over a WebSocket. Nothing of a message is kept; one that is
// longer than the limit is read no further, and is not whole.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>

#include "semconv/json_document.h"
#include "sidespan/http/websocket.h"
#include "sidespan/http/websocket_deflate.h"
#include "sidespan/semconv/body_reader.h"

namespace sidespan::semconv {

class WebSocketTexts final : public http::WebSocketSink, private http::PlainSink {
 public:
  // `sink` must outlive this.
  WebSocketTexts(const BodyLimits& limits, BodySink& sink)
      : limits_(limits), document_(sink, limits.json) {}

  // Before the first message: both sides agreed on permessage-deflate.
  void set_packed();
  // Packed messages can be read no more, since each may refer to those before it.
  http::Inflater::State state() const {
    return inflater_ ? inflater_->state() : http::Inflater::State::kReading;
  }

  // Whether anything came since it was last asked that is part of no text: of a binary message, of
  // a packed one where nobody agreed on that, of what is beyond the limit.
  bool take_other() { return std::exchange(other_, in_other_); }

  void on_message(bool text, bool packed) override;
  void on_payload(std::string_view part) override;
  void on_message_end() override;

 private:
  enum class Form : uint8_t { kUnread, kPlain, kPacked };

  void on_plain(std::string_view part) override;

  const BodyLimits limits_;
  JsonDocument document_;
  std::optional<http::WebSocketInflater> inflater_;
  uint64_t left_ = 0;  // of this message, plain
  Form form_ = Form::kUnread;
  bool text_ = false;      // this message is
  bool in_other_ = false;  // it is none, or is read no further
  bool other_ = false;
};

}  // namespace sidespan::semconv
