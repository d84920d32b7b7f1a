#include "sidespan/json/reader.h"

#include <array>
#include <boost/json/basic_parser_impl.hpp>
#include <boost/json/src.hpp>
#include <string>
#include <utility>

namespace sidespan::json {
namespace {

using boost::json::error_code;
using Text = boost::json::string_view;

std::string_view view(Text text) {
  return {text.data(), text.size()};
}

// What basic_parser calls, told on.
class Events {
 public:
  static constexpr size_t max_array_size = static_cast<size_t>(-1);
  static constexpr size_t max_object_size = static_cast<size_t>(-1);
  static constexpr size_t max_string_size = static_cast<size_t>(-1);
  static constexpr size_t max_key_size = static_cast<size_t>(-1);

  Events(Handler& handler, size_t key_bytes_max)
      : handler_(&handler), key_bytes_max_(key_bytes_max) {}

  void forget() {
    key_.clear();
    open_ = 0;
  }
  // In an array or object.
  bool inside() const { return open_ > 0; }

  bool on_document_begin(error_code&) { return true; }
  bool on_document_end(error_code&) { return true; }
  bool on_array_begin(error_code&) {
    ++open_;
    handler_->on_array();
    return true;
  }
  bool on_array_end(size_t, error_code&) {
    --open_;
    handler_->on_array_end();
    return true;
  }
  bool on_object_begin(error_code&) {
    ++open_;
    handler_->on_object();
    return true;
  }
  bool on_object_end(size_t, error_code&) {
    --open_;
    handler_->on_object_end();
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
    const size_t room = key_bytes_max_ - key_.size();
    key_.append(view(part).substr(0, room));
    return true;
  }
  bool on_key(Text part, size_t size, error_code& error) {
    if (key_.empty()) {  // nearly always it is whole
      handler_->on_key(view(part).substr(0, key_bytes_max_));
      return true;
    }
    on_key_part(part, size, error);
    handler_->on_key(key_);
    key_.clear();
    return true;
  }
  bool on_number_part(Text, error_code&) { return true; }
  bool on_int64(int64_t number, Text, error_code&) {
    handler_->on_integer(number);
    return true;
  }
  bool on_uint64(uint64_t number, Text, error_code&) {
    handler_->on_natural(number);
    return true;
  }
  bool on_double(double number, Text, error_code&) {
    handler_->on_number(number);
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
  Handler* handler_;
  size_t key_bytes_max_;
  std::string key_;  // of one that came in pieces
  size_t open_ = 0;
};

boost::json::parse_options options(const ReaderLimits& limits) {
  boost::json::parse_options out;
  out.max_depth = limits.depth_max;
  out.allow_invalid_utf8 = true;
  return out;
}

}  // namespace

struct Reader::Impl {
  Impl(Handler& handler, const ReaderLimits& limits)
      : parser(options(limits), handler, limits.key_bytes_max) {}

  void write(std::string_view bytes, bool more);

  boost::json::basic_parser<Events> parser;
  State state = State::kReading;
  size_t read = 0;  // by the last write()
};

void Reader::Impl::write(std::string_view bytes, bool more) {
  error_code error;
  read = parser.write_some(more, bytes.data(), bytes.size(), error);
  if (error) {
    state = State::kBroken;
  } else if (parser.done()) {
    state = State::kComplete;
  }
}

Reader::Reader(Handler& handler, const ReaderLimits& limits)
    : impl_(std::make_unique<Impl>(handler, limits)) {}

Reader::~Reader() = default;
Reader::Reader(Reader&&) noexcept = default;
Reader& Reader::operator=(Reader&&) noexcept = default;

size_t Reader::feed(std::string_view bytes) {
  if (impl_->state != State::kReading || bytes.empty()) return 0;
  impl_->write(bytes, true);
  return impl_->read;
}

Reader::State Reader::finish() {
  if (impl_->state != State::kReading) return impl_->state;
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
  impl_->state = State::kReading;
}

}  // namespace sidespan::json
