#include "semconv/xml_texts.h"

#include "sidespan/base/text.h"

namespace sidespan::semconv {
namespace {

bool is_blank(char c) {
  return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

}  // namespace

void XmlTexts::feed(std::string_view bytes) {
  for (const char c : bytes) take(c);
}

void XmlTexts::take(char c) {
  switch (at_) {
    case At::kText:
      if (c == '<') {
        at_ = At::kTagBegin;
      } else if (leaf_ && text_.size() < kTextBytesMax) {
        text_.push_back(c);
      } else {
        cut_ = true;
      }
      return;
    case At::kTagBegin:
      return begin_tag(c);
    case At::kName:
      if (c == ':') {
        name_.clear();
        return;
      }
      if (c != '>' && c != '/' && !is_blank(c)) {
        if (name_.size() < kNameBytesMax) name_.push_back(c);
        return;
      }
      at_ = At::kInTag;
      [[fallthrough]];
    case At::kInTag:
      if (c == '>') return open();
      self_closing_ = c == '/';
      if (c == '"' || c == '\'') {
        quote_ = c;
        at_ = At::kQuoted;
      }
      return;
    case At::kQuoted:
      if (c == quote_) at_ = At::kInTag;
      return;
    case At::kEndTag:
      if (c == '>') close();
      return;
    case At::kMarkup:
    case At::kComment:
    case At::kCdata:
      return take_markup(c);
  }
}

void XmlTexts::begin_tag(char c) {
  matched_ = 0;
  if (c == '/') {
    at_ = At::kEndTag;
  } else if (c == '!' || c == '?') {
    at_ = At::kMarkup;
    name_.clear();
  } else {
    at_ = At::kName;
    self_closing_ = false;
    name_.assign(1, c);
  }
}

// Up to '>', but for a comment and CDATA, which end with three characters.
void XmlTexts::take_markup(char c) {
  if (at_ == At::kMarkup) {
    if (c == '>') {
      at_ = At::kText;
      return;
    }
    if (name_.size() < kNameBytesMax) name_.push_back(c);
    if (name_ == "--") at_ = At::kComment;
    if (name_ == "[CDATA[") at_ = At::kCdata;
    return;
  }
  const char mark = at_ == At::kComment ? '-' : ']';
  if (c == '>' && matched_ >= 2) {
    at_ = At::kText;
  } else {
    matched_ = c == mark ? static_cast<uint8_t>(matched_ < 2 ? matched_ + 1 : 2) : 0;
  }
  // Its text is not taken, so that what is left is none.
  if (at_ == At::kText && mark == ']') leaf_ = false;
}

void XmlTexts::open() {
  at_ = At::kText;
  text_.clear();
  cut_ = false;
  leaf_ = !self_closing_;
  if (self_closing_) return;
  if (depth_ < kDepthMax) open_[depth_] = name_;
  ++depth_;
}

void XmlTexts::close() {
  at_ = At::kText;
  if (depth_ == 0) return;
  --depth_;
  if (leaf_ && depth_ < kDepthMax) {
    on_text_({.parent = depth_ > 0 ? std::string_view(open_[depth_ - 1]) : std::string_view(),
              .name = open_[depth_],
              .text = text_,
              .cut = cut_});
  }
  leaf_ = false;
  text_.clear();
}

}  // namespace sidespan::semconv
