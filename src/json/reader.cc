#include "sidespan/json/reader.h"

#include <array>
#include <boost/json/basic_parser_impl.hpp>
#include <boost/json/src.hpp>
#include <charconv>
#include <cstring>
#include <string>
#include <utility>

#include "json/surrogates.h"
#include "sidespan/base/spares.h"

namespace sidespan::json {
namespace {

using boost::json::error_code;
using Text = boost::json::string_view;

std::string_view view(Text text) {
  return {text.data(), text.size()};
}

// Of what is nested too deep to tell how.
class Scalars final : public Handler {
 public:
  void begin(Handler* listener) { listener_ = listener; }

  void on_text(std::string_view part, bool last) override {
    if (listener_ != nullptr) listener_->on_text(part, last);
  }
  void on_integer(int64_t number) override {
    if (listener_ != nullptr) listener_->on_integer(number);
  }
  void on_natural(uint64_t number) override {
    if (listener_ != nullptr) listener_->on_natural(number);
  }
  void on_number(double number) override {
    if (listener_ != nullptr) listener_->on_number(number);
  }

 private:
  Handler* listener_ = nullptr;
};

// What basic_parser calls, told on.
class Events {
 public:
  // NOLINTBEGIN(readability-identifier-naming): basic_parser's names
  static constexpr size_t max_array_size = static_cast<size_t>(-1);
  static constexpr size_t max_object_size = static_cast<size_t>(-1);
  static constexpr size_t max_string_size = static_cast<size_t>(-1);
  static constexpr size_t max_key_size = static_cast<size_t>(-1);
  // NOLINTEND(readability-identifier-naming)
  static constexpr size_t kDigitsMax = 128;  // of a fraction; a longer one is a null

  Events(Handler& handler, const ReaderLimits& limits)
      : real_(&handler), handler_(&handler), limits_(limits) {}

  void forget() {
    key_.clear();
    digits_.clear();
    open_ = 0;
    handler_ = real_;
  }
  // In an array or object.
  bool inside() const { return open_ > 0; }

  bool on_document_begin(error_code&) { return true; }
  bool on_document_end(error_code&) { return true; }
  bool on_array_begin(error_code&) {
    if (open()) handler_->on_array();
    return true;
  }
  bool on_array_end(size_t, error_code&) {
    if (close()) handler_->on_array_end();
    return true;
  }
  bool on_object_begin(error_code&) {
    if (open()) handler_->on_object();
    return true;
  }
  bool on_object_end(size_t, error_code&) {
    if (close()) handler_->on_object_end();
    return true;
  }
  bool on_string_part(Text part, size_t, error_code&) {
    handler_->on_text(view(part), false);
    return true;
  }
  bool on_string(Text part, size_t, error_code&) {
    handler_->on_text(view(part), true);
    return true;
  }
  bool on_key_part(Text part, size_t, error_code&) {
    const size_t room = limits_.key_bytes_max - key_.size();
    key_.append(view(part).substr(0, room));
    return true;
  }
  bool on_key(Text part, size_t size, error_code& error) {
    if (key_.empty()) {  // nearly always it is whole
      handler_->on_key(view(part).substr(0, limits_.key_bytes_max));
      return true;
    }
    on_key_part(part, size, error);
    handler_->on_key(key_);
    key_.clear();
    return true;
  }
  bool on_number_part(Text part, error_code&) {
    digits_.append(view(part).substr(0, kDigitsMax + 1 - digits_.size()));
    return true;
  }
  bool on_int64(int64_t number, Text, error_code&) {
    digits_.clear();
    handler_->on_integer(number);
    return true;
  }
  bool on_uint64(uint64_t number, Text, error_code&) {
    digits_.clear();
    handler_->on_natural(number);
    return true;
  }
  // The parser's own number is exact in most of its digits, and another where it came in pieces.
  bool on_double(double number, Text last, error_code& error) {
    std::string_view text = view(last);
    if (!digits_.empty()) {
      on_number_part(last, error);
      text = digits_;
    }
    if (text.size() <= kDigitsMax) {
      std::from_chars(text.data(), text.data() + text.size(), number);
      handler_->on_number(number);
    } else {
      handler_->on_null();
    }
    digits_.clear();
    return true;
  }
  bool on_bool(bool truth, error_code&) {
    handler_->on_bool(truth);
    return true;
  }
  bool on_null(error_code&) {
    handler_->on_null();
    return true;
  }
  bool on_comment_part(Text, error_code&) { return true; }
  bool on_comment(Text, error_code&) { return true; }

 private:
  // What is nested deeper is a null.
  bool open() {
    if (++open_ <= limits_.depth_max) return true;
    if (open_ > limits_.depth_max + 1) return false;
    real_->on_null();
    scalars_.begin(real_->deep());
    handler_ = &scalars_;
    return false;
  }
  bool close() {
    if (open_-- <= limits_.depth_max) return true;
    if (open_ == limits_.depth_max) handler_ = real_;
    return false;
  }

  Handler* real_;
  Handler* handler_;  // real_, or scalars_
  Scalars scalars_;
  ReaderLimits limits_;
  std::string key_;     // of one that came in pieces
  std::string digits_;  // likewise
  size_t open_ = 0;
};

boost::json::parse_options options() {
  boost::json::parse_options out;
  out.max_depth = Reader::kNestingMax;
  out.allow_invalid_utf8 = true;
  return out;
}

}  // namespace

struct Reader::Impl final : Recycled<Impl, 32> {
  Impl(Handler& handler, const ReaderLimits& limits) : parser(options(), handler, limits) {}

  size_t feed(std::string_view bytes);
  size_t write(std::string_view bytes, bool more = true);
  void settle_held();

  boost::json::basic_parser<Events> parser;
  State state = State::kReading;
  std::string held;  // of an escape, until more tells whether it is half a character
};

size_t Reader::Impl::feed(std::string_view bytes) {
  // Most pieces have no escape.
  if (held.empty() && std::memchr(bytes.data(), '\\', bytes.size()) == nullptr) {
    return write(bytes);
  }
  size_t read = 0;
  while (!held.empty() && read < bytes.size() && state == State::kReading) {
    held += bytes[read++];
    settle_held();
  }
  while (read < bytes.size() && state == State::kReading) {
    const std::string_view rest = bytes.substr(read);
    const FoundHalf half = find_half(rest);
    if (half.at > 0) read += write(rest.substr(0, half.at));
    if (half.at == rest.size() || state != State::kReading) break;
    // What is behind a number at the top ends it, and must not be held; a text there is nobody's.
    if (!parser.handler().inside()) return read + write(bytes.substr(read));
    if (half.what == Escape::kUnfinished) {
      held = rest.substr(half.at);
      return bytes.size();
    }
    write(kNoCharacter);
    read += kEscapeBytes;
  }
  return read;
}

// Inside of a text: none of it is behind the end.
void Reader::Impl::settle_held() {
  Escape what = escape_of(held);
  if (what == Escape::kHalf) {
    write(kNoCharacter);
    held.erase(0, kEscapeBytes);
    what = escape_of(held);
  }
  if (what == Escape::kUnfinished || state != State::kReading) return;
  write(held);
  held.clear();
}

// Returns how much was read.
size_t Reader::Impl::write(std::string_view bytes, bool more) {
  error_code error;
  const size_t read = parser.write_some(more, bytes.data(), bytes.size(), error);
  if (error) {
    state = State::kBroken;
  } else if (parser.done()) {
    state = State::kComplete;
  }
  return read;
}

Reader::Reader(Handler& handler, const ReaderLimits& limits)
    : impl_(std::make_unique<Impl>(handler, limits)) {}

Reader::~Reader() = default;
Reader::Reader(Reader&&) noexcept = default;
Reader& Reader::operator=(Reader&&) noexcept = default;

size_t Reader::feed(std::string_view bytes) {
  if (impl_->state != State::kReading || bytes.empty()) return 0;
  return impl_->feed(bytes);
}

Reader::State Reader::finish() {
  if (impl_->state != State::kReading) return impl_->state;
  if (!impl_->held.empty()) impl_->write(std::exchange(impl_->held, {}));
  // The parser would take what has come of a number inside for the whole of it.
  if (impl_->parser.handler().inside()) {
    impl_->state = State::kBroken;
  } else {
    impl_->write("", false);
  }
  return impl_->state;
}

Reader::State Reader::state() const {
  return impl_->state;
}

void Reader::reset() {
  impl_->parser.reset();
  impl_->parser.handler().forget();
  impl_->held.clear();
  impl_->state = State::kReading;
}

}  // namespace sidespan::json
