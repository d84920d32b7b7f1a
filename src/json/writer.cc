#include "sidespan/json/writer.h"

#include <cassert>
#include <charconv>
#include <cmath>

#include "sidespan/base/text.h"

namespace sidespan::json {
namespace {

// Long enough for every int64_t, uint64_t and shortest double.
constexpr size_t kNumberBytes = 32;

template <class Number>
void append_number(std::string& out, Number number) {
  std::array<char, kNumberBytes> digits;
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
  out.append(digits.data(), end);
}

// What stands for `c` behind a backslash; 0 when it needs none or has no short form.
char short_escape(char c) {
  switch (c) {
    case '"':
    case '\\':
      return c;
    case '\b':
      return 'b';
    case '\f':
      return 'f';
    case '\n':
      return 'n';
    case '\r':
      return 'r';
    case '\t':
      return 't';
    default:
      return 0;
  }
}

// What a terminal or a viewer of lines takes for an order, at the beginning of `text`, which is
// UTF-8: a control of C1, an end of a line or paragraph, or a change of the writing's direction
// that may hide what follows. 0: none.
unsigned hidden_order(std::string_view text) {
  const auto byte = [&](size_t at) { return static_cast<unsigned char>(text[at]); };
  if (text.size() >= 2 && byte(0) == 0xc2 && byte(1) < 0xa0) return byte(1);
  if (text.size() < 3 || byte(0) != 0xe2) return 0;
  const unsigned code = 0x2000U | (byte(1) & 0x3fU) << 6U | (byte(2) & 0x3fU);
  const bool ends_or_turns = code >= 0x2028 && code <= 0x202e;
  const bool isolates = code >= 0x2066 && code <= 0x2069;
  return ends_or_turns || isolates ? code : 0;
}

void append_escaped(std::string& out, std::string_view text) {
  const auto append_code = [&](unsigned code) {
    out.append("\\u");
    text::append_hex(out, code, 4);
  };
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (const char escape = short_escape(c); escape != 0) {
      out.push_back('\\');
      out.push_back(escape);
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      append_code(static_cast<unsigned char>(c));
    } else if (const unsigned code = hidden_order(text.substr(i)); code != 0) {
      append_code(code);
      i += code < 0x100 ? 1 : 2;
    } else {
      out.push_back(c);
    }
  }
}

}  // namespace

Writer& Writer::key(std::string_view key) {
  assert(depth_ > 0 && !after_key_);
  if (separate()) {
    append_text(key);
    out_.push_back(':');
  }
  after_key_ = true;
  return *this;
}

Writer& Writer::value(std::string_view text) {
  if (separate()) append_text(text);
  return *this;
}

Writer& Writer::value(bool truth) {
  if (separate()) out_.append(truth ? "true" : "false");
  return *this;
}

Writer& Writer::value(double number) {
  if (!std::isfinite(number)) return null();
  if (separate()) append_number(out_, number);
  return *this;
}

Writer& Writer::integer(int64_t number) {
  if (separate()) append_number(out_, number);
  return *this;
}

Writer& Writer::natural(uint64_t number) {
  if (separate()) append_number(out_, number);
  return *this;
}

Writer& Writer::null() {
  if (separate()) out_.append("null");
  return *this;
}

Writer& Writer::written(std::string_view json) {
  if (separate()) out_.append(json);
  return *this;
}

Writer& Writer::begin(char bracket) {
  if (separate()) {
    if (depth_ < kDepthMax) {
      out_.push_back(bracket);
    } else {
      out_.append("null");
    }
  }
  ++depth_;
  if (depth_ <= kDepthMax) filled_[depth_] = false;
  return *this;
}

Writer& Writer::end(char bracket) {
  assert(depth_ > 0 && !after_key_);
  if (depth_ <= kDepthMax) out_.push_back(bracket);
  --depth_;
  return *this;
}

bool Writer::separate() {
  begun_ = true;
  const bool follows_key = after_key_;
  after_key_ = false;
  if (depth_ > kDepthMax) return false;
  if (depth_ > 0 && !follows_key) {
    if (filled_[depth_]) out_.push_back(',');
    filled_[depth_] = true;
  }
  return true;
}

void Writer::append_text(std::string_view text) {
  out_.push_back('"');
  if (text::is_valid_utf8(text)) {
    append_escaped(out_, text);
  } else {
    append_escaped(out_, text::to_valid_utf8(std::string(text)));
  }
  out_.push_back('"');
}

std::string quoted(std::string_view text) {
  std::string out;
  Writer(out).value(text);
  return out;
}

}  // namespace sidespan::json
