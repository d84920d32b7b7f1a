// WebSocket frames (RFC 6455, section 5): counts the messages that pass in one direction, from
// bytes that arrive in any pieces, keeps the close code, and hands what messages hold to a sink,
// where there is one, without frames and masks. What an extension did to a message is for others to
// undo (websocket_deflate.h). Used by the observers of a tunnel after 101. Holds a header; falls
// silent where what comes is no sequence of frames.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace sidespan::http {

class WebSocketSink {
 public:
  // A message begins. `packed`: its first frame has the bit (RSV1) that permessage-deflate uses.
  virtual void on_message(bool text, bool packed) = 0;
  // Of its payload, without the mask; for this call.
  virtual void on_payload(std::string_view part) = 0;
  virtual void on_message_end() = 0;

 protected:
  ~WebSocketSink() = default;
};

class WebSocketReader {
 public:
  // `sink`, if any, must outlive this.
  explicit WebSocketReader(WebSocketSink* sink = nullptr) : sink_(sink) {}

  void feed(std::string_view bytes);

  // Whole ones: a fragmented message is one, control frames are none.
  uint64_t messages() const { return messages_; }
  // A close frame came; nothing after it is read.
  bool closed() const { return state_ == State::kClosed; }
  // What it says; none where it says nothing.
  std::optional<uint16_t> close_code() const { return close_code_; }
  // What came was malformed: nothing after it is read.
  bool lost() const { return state_ == State::kLost; }

 private:
  enum class State : uint8_t { kHeader, kPayload, kClosed, kLost };
  static constexpr size_t kHeaderBytesMax = 14;

  void read_header(char c);
  size_t header_size() const;
  bool begin_frame();
  bool may_follow() const;
  size_t read_payload(std::string_view bytes);
  void read_close(char c);
  void tell_payload(std::string_view bytes);
  void end_frame();
  uint8_t byte(size_t i) const { return static_cast<uint8_t>(header_[i]); }
  uint8_t opcode() const { return byte(0) & 0x0fU; }
  bool is_final() const { return (byte(0) & 0x80U) != 0; }
  bool is_masked() const { return (byte(1) & 0x80U) != 0; }

  WebSocketSink* const sink_;
  uint64_t messages_ = 0;
  uint64_t size_ = 0;  // of this frame's payload
  uint64_t left_ = 0;  // of it
  std::optional<uint16_t> close_code_;
  std::array<char, kHeaderBytesMax> header_{};
  uint8_t got_ = 0;         // bytes of the header
  uint8_t code_begun_ = 0;  // the close code's first byte
  State state_ = State::kHeader;
  bool in_message_ = false;  // its last fragment has not come
};

}  // namespace sidespan::http
