#include "semconv/websocket_texts.h"

namespace sidespan::semconv {

void WebSocketTexts::set_packed() {
  inflater_.emplace(limits_.inflate, static_cast<http::PlainSink&>(*this));
}

void WebSocketTexts::on_message(bool text, bool packed) {
  form_ = !packed ? Form::kPlain : inflater_ ? Form::kPacked : Form::kUnread;
  text_ = text && form_ != Form::kUnread;
  left_ = limits_.plain_bytes_max;
  if (text_) document_.begin("", false, false);
  other_ |= in_other_ = !text_;
}

void WebSocketTexts::on_payload(std::string_view part) {
  // One that is no text is unpacked for those behind it.
  if (form_ == Form::kPacked) inflater_->feed(part);
  if (form_ == Form::kPlain) on_plain(part);
}

void WebSocketTexts::on_message_end() {
  if (form_ == Form::kPacked) inflater_->end_message();
  if (text_) document_.end(state() == http::Inflater::State::kReading);
  form_ = Form::kUnread;
  text_ = in_other_ = false;
}

void WebSocketTexts::on_plain(std::string_view part) {
  if (!text_) return;
  const bool too_long = part.size() > left_;
  part = part.substr(0, left_);
  left_ -= part.size();
  document_.feed(part);
  if (!too_long) return;
  document_.end(false);
  text_ = false;
  other_ = in_other_ = true;
}

}  // namespace sidespan::semconv
