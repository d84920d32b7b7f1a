#include "sidespan/http/websocket_deflate.h"

#include "http/decoder.h"
#include "sidespan/base/text.h"

namespace sidespan::http {
namespace {

constexpr size_t kPieceBytes = size_t{16} * 1024;
// What the sender took off the end (RFC 7692 section 7.2.1).
constexpr std::string_view kTail("\0\0\xff\xff", 4);

}  // namespace

WebSocketExtension websocket_extension(const Headers& response) {
  size_t deflates = 0;
  bool others = false;
  response.for_each("sec-websocket-extensions", [&](std::string_view value) {
    while (!value.empty()) {
      const size_t comma = value.find(',');
      const std::string_view one = value.substr(0, comma);
      value.remove_prefix(comma == std::string_view::npos ? value.size() : comma + 1);
      const std::string_view name = text::trim(one.substr(0, one.find(';')));
      if (name.empty()) continue;
      const bool deflate = text::equal_ignoring_case(name, "permessage-deflate");
      deflate ? void(++deflates) : void(others = true);
    }
  });
  if (others || deflates > 1) return WebSocketExtension::kOther;
  return deflates == 1 ? WebSocketExtension::kDeflate : WebSocketExtension::kNone;
}

WebSocketInflater::WebSocketInflater(const InflateLimits& limits, PlainSink& sink)
    : limits_(limits), sink_(sink) {}

WebSocketInflater::~WebSocketInflater() = default;

void WebSocketInflater::feed(std::string_view packed) {
  packed_bytes_ += packed.size();
  run(packed);
}

// Whoever keeps no context between messages refers to none: one decoder does for both kinds.
void WebSocketInflater::end_message() {
  run(kTail);
  message_bytes_ = 0;
}

void WebSocketInflater::run(std::string_view packed) {
  if (state_ != Inflater::State::kReading || packed.empty()) return;
  if (!decoder_) {
    decoder_ = make_bare_deflate_decoder();
    charge_.set(decoder_->memory_bytes());
  }
  char plain[kPieceBytes];
  bool full = false;  // there may be more where it came from
  while (state_ == Inflater::State::kReading && (full || !packed.empty())) {
    const size_t before = packed.size();
    const Decoder::Step step = decoder_->step(packed, plain);
    full = step.written == kPieceBytes;
    pass({plain, step.written});
    const bool stuck = step.written == 0 && packed.size() == before && before > 0;
    if (step.outcome == Decoder::Outcome::kTooLarge) {
      stop(Inflater::State::kLimit);
    } else if (step.outcome != Decoder::Outcome::kGoesOn || stuck) {
      // Also where a sender ends the whole text with a message, which is allowed and not done.
      stop(Inflater::State::kBroken);
    }
  }
  if (state_ != Inflater::State::kReading) decoder_.reset();
}

void WebSocketInflater::pass(std::string_view plain) {
  const uint64_t room = limits_.plain_bytes_max - message_bytes_;
  const bool too_long = plain.size() > room;
  plain = plain.substr(0, room);
  message_bytes_ += plain.size();
  plain_bytes_ += plain.size();
  if (InflateBacklog* const backlog = InflateBacklog::current()) backlog->spend(plain.size());
  if (!plain.empty()) sink_.on_plain(plain);
  const bool bomb = limits_.ratio_max > 0 && plain_bytes_ > limits_.plain_bytes_free &&
                    plain_bytes_ / limits_.ratio_max > packed_bytes_;
  if (too_long || bomb) stop(Inflater::State::kLimit);
}

void WebSocketInflater::stop(Inflater::State why) {
  if (state_ != Inflater::State::kReading) return;
  state_ = why;
  charge_.set(0);
}

}  // namespace sidespan::http
