#include "head_guard.h"

#include <algorithm>
#include <cstring>
#include <string>

#include "known_names.h"
#include "scan.h"
#include "sidespan/base/text.h"

namespace sidespan::http {
namespace {

// RFC 9112 section 2.2 asks to ignore at least one empty line before a request line.
constexpr uint8_t kEmptyLinesMax = 2;
constexpr std::string_view kVersion = "HTTP/1.";
constexpr size_t kStatusDigits = 3;
constexpr int kStatusMin = 100;

using scan::is_in;

// Among the bytes that a value may have.
bool is_blank(char c) {
  return static_cast<unsigned char>(c) <= ' ';
}

// Whether that text stands there, compared in words.
template <size_t kSizeAndNul>
bool stands_at(std::string_view bytes, size_t at, const char (&text)[kSizeAndNul]) {
  constexpr size_t kSize = kSizeAndNul - 1;
  return bytes.size() - at >= kSize && std::memcmp(bytes.data() + at, text, kSize) == 0;
}

bool is_crlf(std::string_view bytes, size_t at) {
  return stands_at(bytes, at, "\r\n");
}

bool is_minor_version(char c) {
  return c == '0' || c == '1';
}

}  // namespace

HeadGuard::HeadGuard(Section section, Side side, const CodecLimits& limits, Headers& lines)
    : limits_(&limits),
      lines_(&lines),
      section_(section),
      state_(section == Section::kRequest    ? State::kBeforeStart
             : section == Section::kResponse ? State::kVersion
                                             : State::kLineStart),
      side_(side) {}

Guarded HeadGuard::feed(std::string_view bytes) {
  const std::string_view within(bytes.data(),
                                std::min(bytes.size(), limits_->head_bytes_max - bytes_));
  size_t at = 0;
  Fault fault = nullptr;
  while (at < within.size() && state_ != State::kDone && fault == nullptr) fault = step(within, at);
  bytes_ += at;
  if (fault == nullptr && state_ != State::kDone && at < bytes.size()) {
    fault = pass_limit(Code::kHeadTooLarge, limits_->head_bytes_max, "the head has more bytes");
  }
  fault_ = fault;
  return {at, fault == nullptr && state_ == State::kDone, fault != nullptr};
}

HeadGuard::Fault HeadGuard::pass_limit(Code code, size_t limit, Fault what) {
  fault_code_ = code;
  passed_limit_ = limit;
  return what;
}

Error HeadGuard::error() const {
  std::string what = fault_;
  if (passed_limit_ > 0) what += " than the limit of " + std::to_string(passed_limit_);
  return {fault_code_, side_, false, std::move(what)};
}

// What is whole and well-formed needs no look at its single bytes. A fault leaves `at` on the byte
// it is about, so that the bytes before it can still be judged: the verdict must not depend on how
// the bytes were cut.
HeadGuard::Fault HeadGuard::step(std::string_view bytes, size_t& at) {
  switch (state_) {
    case State::kBeforeStart:
      if (skip_request_line(bytes, at)) return nullptr;
      break;
    case State::kVersion:
      if (bytes_ + at == 0 && skip_status_line(bytes, at)) return nullptr;
      break;
    case State::kLineStart:
      if (skip_lines(bytes, at)) return nullptr;
      break;
    case State::kMethod:
    case State::kName:
      at = scan::end_of<scan::Token>(bytes, at);
      break;
    case State::kTarget:
      if (const Fault fault = skip_target(bytes, at); fault != nullptr) return fault;
      break;
    case State::kReason:
      at = scan::end_of<scan::Value>(bytes, at);
      break;
    case State::kValue:
      skip_value(bytes, at);
      break;
    default:
      break;
  }
  if (at == bytes.size()) return nullptr;
  const Fault fault = take(bytes[at], static_cast<uint32_t>(bytes_ + at));
  if (fault == nullptr) ++at;
  return fault;
}

bool HeadGuard::skip_request_line(std::string_view bytes, size_t& at) {
  const size_t method_end = scan::end_of<scan::Token>(bytes, at);
  if (method_end == at || method_end == bytes.size() || bytes[method_end] != ' ') return false;
  const size_t target = method_end + 1;
  const size_t target_end = scan::end_of<scan::Target>(bytes, target);
  const size_t version = target_end + 1 + kVersion.size();
  if (target_end == target || target_end - target > limits_->target_bytes_max) return false;
  if (version >= bytes.size() || !stands_at(bytes, target_end, " HTTP/1.")) return false;
  if (!is_minor_version(bytes[version]) || !is_crlf(bytes, version + 1)) return false;
  start_.method = range(at, method_end);
  start_.target = range(target, target_end);
  start_.minor_version = bytes[version] - '0';
  state_ = State::kLineStart;
  at = version + 3;
  return true;
}

bool HeadGuard::skip_status_line(std::string_view bytes, size_t& at) {
  const size_t version = at + kVersion.size();
  const size_t status = version + 2;
  const size_t status_end = status + kStatusDigits;
  if (status_end >= bytes.size() || !stands_at(bytes, at, "HTTP/1.")) return false;
  if (!is_minor_version(bytes[version]) || bytes[version + 1] != ' ') return false;
  int code = 0;
  for (size_t i = status; i < status_end; ++i) {
    if (!text::is_digit(bytes[i])) return false;
    code = code * 10 + (bytes[i] - '0');
  }
  const bool has_reason = bytes[status_end] == ' ';
  const size_t reason = status_end + (has_reason ? 1 : 0);
  const size_t end = has_reason ? scan::end_of<scan::Value>(bytes, reason) : reason;
  if (code < kStatusMin || !is_crlf(bytes, end)) return false;
  start_.status = code;
  start_.minor_version = bytes[version] - '0';
  start_.reason = range(reason, end);
  state_ = State::kLineStart;
  at = end + 2;
  return true;
}

// Whole lines, and the empty one behind them.
bool HeadGuard::skip_lines(std::string_view bytes, size_t& at) {
  const size_t room = limits_->fields_max - fields_;
  const size_t begin = at;
  size_t next = at;
  size_t lines = 0;
  while (lines < room && next < bytes.size() && bytes[next] != '\r') {
    const size_t end = skip_line(bytes, next);
    if (end == next) break;
    ++lines;
    next = end;
  }
  fields_ += lines;
  if (is_crlf(bytes, next)) {
    state_ = State::kDone;
    next += 2;
  }
  at = next;
  return next > begin;
}

// The end of the line that starts at `at`, if all of it is there and has no fault; else `at`.
[[gnu::always_inline]] inline size_t HeadGuard::skip_line(std::string_view bytes, size_t at) {
  const char* const data = bytes.data();
  const size_t colon = scan::end_of<scan::Token, ':'>(bytes, at);
  if (colon == at || colon == bytes.size() || data[colon] != ':') return at;
  const size_t end = scan::end_of<scan::Value, '\r'>(bytes, colon + 1);
  if (!is_crlf(bytes, end)) return at;
  size_t value = colon + 2;
  size_t value_end = end;
  const bool plain =
      value < end && data[colon + 1] == ' ' && !is_blank(data[value]) && !is_blank(data[end - 1]);
  if (!plain) {
    --value;
    while (value < value_end && is_blank(data[value])) ++value;
    while (value_end > value && is_blank(data[value_end - 1])) --value_end;
  }
  const FieldName known = classified({data + at, colon - at});
  lines_->new_line() = {
      .name = range(at, colon), .value = range(value, value_end), .known = known, .plain = plain};
  lines_->count_in(known);
  return end + 2;
}

// More of a value that comes in pieces: the blanks before it do not count, those behind it only
// when something follows.
void HeadGuard::skip_value(std::string_view bytes, size_t& at) {
  const size_t end = scan::end_of<scan::Value>(bytes, at);
  size_t last = end;
  while (value_.size == 0 && at < end && is_blank(bytes[at])) ++at;
  while (last > at && is_blank(bytes[last - 1])) --last;
  if (last > at) {
    if (value_.size == 0) value_.begin = static_cast<uint32_t>(bytes_ + at);
    value_.size = static_cast<uint32_t>(bytes_ + last) - value_.begin;
  }
  at = end;
}

HeadGuard::Fault HeadGuard::skip_target(std::string_view bytes, size_t& at) {
  const size_t length = scan::end_of<scan::Target>(bytes, at) - at;
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

HeadGuard::Fault HeadGuard::end_part(Range& part, uint32_t offset, bool good, State next,
                                     Fault otherwise) {
  part.size = offset - part.begin;
  return move_on(good, next, otherwise);
}

HeadGuard::Fault HeadGuard::take(char c, uint32_t offset) {
  constexpr Fault kBareCr = "a CR is not followed by an LF";
  switch (state_) {
    case State::kBeforeStart:
      return take_first(c, offset);
    case State::kEmptyLf:
      return move_on(c == '\n', State::kBeforeStart, kBareCr);
    case State::kMethod:
      start_.target.begin = offset + 1;
      return end_part(start_.method, offset, c == ' ', State::kTarget,
                      "the method is not followed by one space");
    case State::kTarget:
      return end_part(start_.target, offset, c == ' ' && target_bytes_ > 0, State::kVersion,
                      "the request target is missing or holds what no URL may");
    case State::kVersion:
      return take_version(c);
    case State::kStatus:
      start_.reason.begin = offset + 1;
      return take_status(c);
    case State::kReason:
      return end_part(start_.reason, offset, c == '\r', State::kLf,
                      "the reason phrase holds a control character");
    case State::kLineStart:
      return take_line_start(c, offset);
    case State::kName:
      value_ = {offset + 1, 0};
      return end_part(name_, offset, c == ':', State::kValue,
                      "a field name is not followed by a colon at once");
    case State::kValue:
      if (c != '\r') return "a field value holds a control character";
      if (value_.size == 0) value_.begin = offset;
      lines_->new_line() = {name_, value_};
      in_pieces_ = true;
      return move_on(true, State::kLf, nullptr);
    case State::kLf:
      return move_on(c == '\n', State::kLineStart, kBareCr);
    case State::kLastLf:
      return move_on(c == '\n', State::kDone, kBareCr);
    case State::kDone:
      break;
  }
  return nullptr;
}

HeadGuard::Fault HeadGuard::take_first(char c, uint32_t offset) {
  if (c == '\r' && empty_lines_++ < kEmptyLinesMax) return move_on(true, State::kEmptyLf, nullptr);
  start_.method.begin = offset;
  return move_on(is_in(scan::Token::kTable, c), State::kMethod,
                 "the request line does not start with a method");
}

HeadGuard::Fault HeadGuard::take_version(char c) {
  const size_t at = matched_++;
  if (at < kVersion.size()) return c == kVersion[at] ? nullptr : "this is not HTTP/1";
  if (at == kVersion.size()) {
    start_.minor_version = c - '0';
    return is_minor_version(c) ? nullptr : "the version is not HTTP/1.0 or HTTP/1.1";
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
    start_.status = start_.status * 10 + (c - '0');
    return text::is_digit(c) && (at > 0 || c != '0') ? nullptr : kWhat;
  }
  return move_on(c == ' ' || c == '\r', c == ' ' ? State::kReason : State::kLf, kWhat);
}

HeadGuard::Fault HeadGuard::take_line_start(char c, uint32_t offset) {
  if (c == '\r') return move_on(true, State::kLastLf, nullptr);
  if (c == ' ' || c == '\t') return "a line starts with white space";
  if (!is_in(scan::Token::kTable, c)) return "a field name is empty or holds what it may not";
  if (++fields_ > limits_->fields_max) {
    return pass_limit(Code::kHeadTooLarge, limits_->fields_max, "the head has more fields");
  }
  name_ = {offset, 0};
  return move_on(true, State::kName, nullptr);
}

}  // namespace sidespan::http
