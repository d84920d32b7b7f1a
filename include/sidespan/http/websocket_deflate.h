// permessage-deflate (RFC 7692): whether the two sides of a WebSocket agreed on it, and the plain
// text of the messages of one direction, one after another, from bytes that arrive in any pieces.
// Bounded as inflate.h is: pieces of 16 KiB, a limit for each message, another for bombs; 40 KiB
// from the first packed message on, which the memory ledger counts. Used by observers that read
// what is said over a WebSocket.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "sidespan/base/memory_ledger.h"
#include "sidespan/http/inflate.h"
#include "sidespan/http/message.h"

namespace sidespan::http {

enum class WebSocketExtension : uint8_t {
  kNone,
  kDeflate,
  kOther,  // what it does to messages is not known here
};

// Of an answer's Sec-WebSocket-Extensions.
WebSocketExtension websocket_extension(const Headers& response);

class WebSocketInflater {
 public:
  // `limits.plain_bytes_max` is of a message. `sink` must outlive this.
  WebSocketInflater(const InflateLimits& limits, PlainSink& sink);
  ~WebSocketInflater();
  WebSocketInflater(const WebSocketInflater&) = delete;
  WebSocketInflater& operator=(const WebSocketInflater&) = delete;

  // The payload of a packed message.
  void feed(std::string_view packed);
  // It is over.
  void end_message();
  // Once it is not kReading it takes bytes for nothing: a message may refer to those before it.
  Inflater::State state() const { return state_; }

 private:
  void run(std::string_view packed);
  void pass(std::string_view plain);
  void stop(Inflater::State why);

  const InflateLimits limits_;
  PlainSink& sink_;
  std::unique_ptr<Decoder> decoder_;
  uint64_t message_bytes_ = 0;  // plain, of this one
  uint64_t packed_bytes_ = 0;   // of all
  uint64_t plain_bytes_ = 0;
  Inflater::State state_ = Inflater::State::kReading;
  MemoryCharge charge_;
};

}  // namespace sidespan::http
