#include "head_guard.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <string>

#include "sidespan/base/text.h"

namespace sidespan::http {
namespace {

// RFC 9112 section 2.2 asks to ignore at least one empty line before a request line.
constexpr uint8_t kEmptyLinesMax = 2;
constexpr std::string_view kVersion = "HTTP/1.";
constexpr size_t kStatusDigits = 3;

using ByteTable = std::array<bool, 256>;

template <class In>
constexpr ByteTable table_of(In in) {
  ByteTable table{};
  for (size_t c = 0; c < table.size(); ++c) table[c] = in(static_cast<char>(c));
  return table;
}

// RFC 9110 section 5.6.2.
constexpr ByteTable kTokenBytes = table_of([](char c) {
  return text::is_alpha(c) || text::is_digit(c) ||
         std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
});
// RFC 9110 section 5.5: VCHAR, SP, HTAB and obs-text. Other controls have no meaning in a value.
constexpr ByteTable kValueBytes = table_of([](char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte == '\t' || (byte >= 0x20 && byte != 0x7f);
});
// RFC 3986: a target has visible ASCII only, and no fragment.
constexpr ByteTable kTargetBytes =
    table_of([](char c) { return c > 0x20 && c < 0x7f && c != '#'; });

bool is_in(const ByteTable& table, char c) {
  return table[static_cast<unsigned char>(c)];
}

// Where the bytes that are `in` end, from `at` on.
size_t end_of_run(std::string_view bytes, size_t at, const ByteTable& in) {
  while (at < bytes.size() && is_in(in, bytes[at])) ++at;
  return at;
}

// Where the first of the eight bytes is that is below 0x20 or is 0x7f; 8: nowhere.
size_t first_control(const char* eight) {
  static_assert(std::endian::native == std::endian::little, "the first byte is the lowest one");
  constexpr uint64_t kOnes = 0x0101010101010101;
  uint64_t word;
  std::memcpy(&word, eight, sizeof word);
  const uint64_t is_del = word ^ (kOnes * 0x7f);
  // A borrow can mark bytes above the first that is marked rightly, never one below it.
  const uint64_t marks = ((word - kOnes * 0x20) & ~word) | ((is_del - kOnes) & ~is_del);
  return static_cast<size_t>(std::countr_zero(marks & (kOnes * 0x80))) / 8;
}

// Values are most of a head.
size_t end_of_value(std::string_view bytes, size_t at) {
  while (bytes.size() - at >= 8) {
    const size_t plain = first_control(bytes.data() + at);
    at += plain;
    if (plain == 8) continue;
    if (bytes[at] != '\t') return at;
    ++at;
  }
  return end_of_run(bytes, at, kValueBytes);
}

// The end of the field line that starts at `at`, if all of it is there and has no fault; else `at`.
size_t end_of_line(std::string_view bytes, size_t at) {
  const size_t colon = end_of_run(bytes, at, kTokenBytes);
  if (colon == at || colon == bytes.size() || bytes[colon] != ':') return at;
  const size_t end = end_of_value(bytes, colon + 1);
  return bytes.substr(end, 2) == "\r\n" ? end + 2 : at;
}

}  // namespace

HeadGuard::HeadGuard(Section section, Side side, const CodecLimits& limits)
    : limits_(&limits),
      section_(section),
      state_(section == Section::kRequest    ? State::kBeforeStart
             : section == Section::kResponse ? State::kVersion
                                             : State::kLineStart),
      side_(side) {}

Guarded HeadGuard::feed(std::string_view bytes) {
  const std::string_view within = bytes.substr(0, limits_->head_bytes_max - bytes_);
  size_t at = 0;
  Fault fault = nullptr;
  while (at < within.size() && state_ != State::kDone && fault == nullptr) fault = step(within, at);
  bytes_ += at;
  if (fault == nullptr && state_ != State::kDone && at < bytes.size()) {
    fault = pass_limit(Code::kHeadTooLarge, limits_->head_bytes_max, "the head has more bytes");
  }
  if (fault != nullptr) return {at, false, error_of(fault)};
  return {at, state_ == State::kDone, std::nullopt};
}

HeadGuard::Fault HeadGuard::pass_limit(Code code, size_t limit, Fault what) {
  fault_code_ = code;
  passed_limit_ = limit;
  return what;
}

Error HeadGuard::error_of(Fault fault) const {
  std::string what = fault;
  if (passed_limit_ > 0) what += " than the limit of " + std::to_string(passed_limit_);
  return {fault_code_, side_, false, std::move(what)};
}

// A fault leaves `at` on the byte it is about, so that the bytes before it can still be judged: the
// verdict must not depend on how the bytes were cut.
HeadGuard::Fault HeadGuard::step(std::string_view bytes, size_t& at) {
  switch (state_) {
    case State::kLineStart:
      if (skip_lines(bytes, at)) return nullptr;
      break;
    case State::kMethod:
    case State::kName:
      at = end_of_run(bytes, at, kTokenBytes);
      break;
    case State::kTarget:
      if (const Fault fault = skip_target(bytes, at); fault != nullptr) return fault;
      break;
    case State::kReason:
    case State::kValue:
      at = end_of_value(bytes, at);
      break;
    default:
      break;
  }
  if (at == bytes.size()) return nullptr;
  const Fault fault = take(bytes[at]);
  if (fault == nullptr) ++at;
  return fault;
}

// What is whole and well-formed needs no look at its single steps.
bool HeadGuard::skip_lines(std::string_view bytes, size_t& at) {
  const size_t begin = at;
  while (fields_ < limits_->fields_max) {
    const size_t end = end_of_line(bytes, at);
    if (end == at) break;
    at = end;
    ++fields_;
  }
  return at > begin;
}

HeadGuard::Fault HeadGuard::skip_target(std::string_view bytes, size_t& at) {
  const size_t length = end_of_run(bytes, at, kTargetBytes) - at;
  const size_t room = limits_->target_bytes_max - target_bytes_;
  const size_t taken = std::min(length, room);
  at += taken;
  target_bytes_ += taken;
  if (length <= room) return nullptr;
  return pass_limit(Code::kTargetTooLong, limits_->target_bytes_max,
                    "the request target has more bytes");
}

HeadGuard::Fault HeadGuard::move_on(bool good, State next, Fault otherwise) {
  if (!good) return otherwise;
  state_ = next;
  return nullptr;
}

HeadGuard::Fault HeadGuard::take(char c) {
  constexpr Fault kBareCr = "a CR is not followed by an LF";
  switch (state_) {
    case State::kBeforeStart:
      return take_first(c);
    case State::kEmptyLf:
      return move_on(c == '\n', State::kBeforeStart, kBareCr);
    case State::kMethod:
      return move_on(c == ' ', State::kTarget, "the method is not followed by one space");
    case State::kTarget:
      return move_on(c == ' ' && target_bytes_ > 0, State::kVersion,
                     "the request target is missing or holds what no URL may");
    case State::kVersion:
      return take_version(c);
    case State::kStatus:
      return take_status(c);
    case State::kReason:
      return move_on(c == '\r', State::kLf, "the reason phrase holds a control character");
    case State::kLineStart:
      return take_line_start(c);
    case State::kName:
      return move_on(c == ':', State::kValue, "a field name is not followed by a colon at once");
    case State::kValue:
      return move_on(c == '\r', State::kLf, "a field value holds a control character");
    case State::kLf:
      return move_on(c == '\n', State::kLineStart, kBareCr);
    case State::kLastLf:
      return move_on(c == '\n', State::kDone, kBareCr);
    case State::kDone:
      break;
  }
  return nullptr;
}

HeadGuard::Fault HeadGuard::take_first(char c) {
  if (c == '\r' && empty_lines_++ < kEmptyLinesMax) return move_on(true, State::kEmptyLf, nullptr);
  return move_on(is_in(kTokenBytes, c), State::kMethod,
                 "the request line does not start with a method");
}

HeadGuard::Fault HeadGuard::take_version(char c) {
  const size_t at = matched_++;
  if (at < kVersion.size()) return c == kVersion[at] ? nullptr : "this is not HTTP/1";
  if (at == kVersion.size()) {
    return c == '0' || c == '1' ? nullptr : "the version is not HTTP/1.0 or HTTP/1.1";
  }
  matched_ = 0;
  const bool request = section_ == Section::kRequest;
  return move_on(c == (request ? '\r' : ' '), request ? State::kLf : State::kStatus,
                 "something other than it must follows the version");
}

HeadGuard::Fault HeadGuard::take_status(char c) {
  constexpr Fault kWhat = "the status code is not three digits from 100 on";
  const size_t at = matched_++;
  if (at < kStatusDigits) {
    return text::is_digit(c) && (at > 0 || c != '0') ? nullptr : kWhat;
  }
  return move_on(c == ' ' || c == '\r', c == ' ' ? State::kReason : State::kLf, kWhat);
}

HeadGuard::Fault HeadGuard::take_line_start(char c) {
  if (c == '\r') return move_on(true, State::kLastLf, nullptr);
  if (c == ' ' || c == '\t') return "a line starts with white space";
  if (!is_in(kTokenBytes, c)) return "a field name is empty or holds what it may not";
  if (++fields_ > limits_->fields_max) {
    return pass_limit(Code::kHeadTooLarge, limits_->fields_max, "the head has more fields");
  }
  return move_on(true, State::kName, nullptr);
}

}  // namespace sidespan::http
