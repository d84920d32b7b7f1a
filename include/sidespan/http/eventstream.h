// AWS event streams (application/vnd.amazon.eventstream), read from a stream that arrives in any
// pieces: both checksums, of the headers those that say what a message is, the payload told on as
// it comes. Used by the tap on Bedrock's streams; what a payload means is the sink's. Smithy's
// "Amazon Event Stream" specification.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace sidespan::http {

struct EventStreamHead {
  enum class Kind : uint8_t { kEvent, kException, kError };
  Kind kind = Kind::kEvent;  // of :message-type
  // Of :event-type, :exception-type or :error-code; a long one is cut.
  std::string_view name = {};
  std::string_view text = {};  // of :error-message; a long one is cut
};

// Views are for this call. Each message is on_message, on_payload any number of times,
// on_message_end.
class EventStreamSink {
 public:
  virtual void on_message(const EventStreamHead& head) = 0;
  virtual void on_payload(std::string_view part) = 0;
  // `whole`: its checksum is right. What came of the payload cannot be taken back.
  virtual void on_message_end(bool whole) = 0;

 protected:
  ~EventStreamSink() = default;
};

class EventStreamReader {
 public:
  // A message's; the specification has 16 MiB of payload and 128 KiB of headers.
  static constexpr uint32_t kMessageBytesMax = uint32_t{24} << 20;
  static constexpr uint32_t kHeadersBytesMax = uint32_t{128} << 10;
  static constexpr size_t kNameBytesMax = 64;
  static constexpr size_t kTextBytesMax = 1024;

  // Must outlive this.
  explicit EventStreamReader(EventStreamSink& sink) : sink_(sink) {}

  // Once broken it reads nothing.
  void feed(std::string_view bytes);
  // Nothing more comes: a message that was begun ends so.
  void finish();
  bool broken() const { return broken_; }
  // Between two messages.
  bool complete() const { return !broken_ && at_ == At::kPrelude && kept_size_ == 0; }

 private:
  enum class At : uint8_t {
    kPrelude,
    kNameSize,
    kName,
    kType,
    kValueSize,
    kValue,
    kPayload,
    kChecksum
  };
  enum class Header : uint8_t { kOther, kMessageType, kName, kText };
  static constexpr uint32_t kPreludeBytes = 12;

  bool in_headers() const { return at_ > At::kPrelude && at_ < At::kPayload; }
  size_t take(std::string_view bytes);
  void keep(std::string_view part);
  uint32_t number(size_t from, size_t size) const;
  void enter(At at, uint32_t bytes);
  void next();
  void end_prelude();
  void end_name();
  void end_type();
  void end_value();
  void next_header();
  void end_message();
  void fail();

  EventStreamSink& sink_;
  At at_ = At::kPrelude;
  Header header_ = Header::kOther;
  bool broken_ = false;
  bool in_message_ = false;        // on_message was called
  uint32_t left_ = kPreludeBytes;  // of this part
  uint32_t headers_left_ = 0;
  uint32_t payload_bytes_ = 0;
  uint32_t checksum_ = 0;
  EventStreamHead::Kind kind_ = EventStreamHead::Kind::kEvent;
  uint8_t kept_size_ = 0;
  uint8_t name_size_ = 0;
  std::array<char, kNameBytesMax> kept_;  // the beginning of this part, where it is no payload
  std::array<char, kNameBytesMax> name_;
  std::string text_;
};

}  // namespace sidespan::http
