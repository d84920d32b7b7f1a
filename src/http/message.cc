#include "sidespan/http/message.h"

#include <algorithm>
#include <array>
#include <utility>

#include "scan.h"
#include "sidespan/base/text.h"

namespace sidespan::http {
namespace {

bool is_safe_value(std::string_view value) {
  const auto is_bad = [](char c) { return c == '\r' || c == '\n' || c == '\0'; };
  const size_t plain = scan::end_of<scan::Value>(value, 0);
  return plain == value.size() || std::none_of(value.begin() + plain, value.end(), is_bad);
}

bool is_good(const Wanted& name, std::string_view value) {
  return (name.known != FieldName::kOther || text::is_token(name.text)) && is_safe_value(value);
}

// Whether a list's `value` has that member.
bool holds(std::string_view value, std::string_view member) {
  const auto blanks = [](std::string_view text) {
    size_t n = 0;
    while (n < text.size() && (text[n] == ' ' || text[n] == '\t')) ++n;
    return n;
  };
  for (;;) {
    const size_t end = std::min(value.find(','), value.size());
    std::string_view part = value.substr(0, end);
    part.remove_prefix(blanks(part));
    if (text::equal_ignoring_case(part.substr(0, member.size()), member)) {
      part.remove_prefix(member.size());
      part.remove_prefix(blanks(part));
      if (part.empty() || part.front() == ';') return true;
    }
    if (end == value.size()) return false;
    value.remove_prefix(end + 1);
  }
}

}  // namespace

Headers& Headers::operator=(Headers&& other) noexcept {
  if (this == &other) return *this;
  const bool in_head =
      block_ && block_->method.size + block_->target.size + block_->reason.size > 0;
  if (!in_head) {
    block_ = std::move(other.block_);
    if (block_) block_->method = block_->target = block_->reason = {};
    return *this;
  }
  clear();
  for (size_t i = 0; i < other.size(); ++i) {
    const FieldLine& line = other.line(i);
    const Field from = other.field(line);
    store({from.name, line.known}, from.value);
  }
  return *this;
}

size_t Headers::wire_bytes() const {
  size_t bytes = 0;
  for (size_t i = 0; i < size(); ++i) {
    const FieldLine& line = block_->line(i);
    bytes += line.name.size + line.value.size + 4;
  }
  return bytes;
}

std::optional<std::string_view> Headers::value_of(const Wanted& name) const {
  for (const FieldLine& line : block_->table()) {
    if (is(*block_, line, name)) return block_->view(line.value);
  }
  return std::nullopt;
}

std::optional<std::string_view> Headers::value_of(FieldName name) const {
  for (const FieldLine& line : block_->table()) {
    if (line.known == name) return block_->view(line.value);
  }
  return std::nullopt;
}

size_t Headers::count(const Wanted& name) const {
  size_t lines = 0;
  for_each(name, [&](std::string_view) { ++lines; });
  return lines;
}

bool Headers::lists(const Wanted& name, std::string_view member) const {
  bool found = false;
  for_each(name, [&](std::string_view value) { found = found || holds(value, member); });
  return found;
}

bool Headers::any_lists(FieldName name, std::string_view member) const {
  bool found = false;
  for_each(name, [&](std::string_view value) { found = found || holds(value, member); });
  return found;
}

bool Headers::add(const Wanted& name, std::string_view value) {
  if (!is_good(name, value)) return false;
  store(name, value);
  return true;
}

bool Headers::set(const Wanted& name, std::string_view value) {
  if (!may_have(name.known)) return add(name, value);
  size_t first = 0;
  size_t found = 0;
  for (size_t i = 0; i < block_->lines(); ++i) {
    if (is(*block_, block_->line(i), name) && found++ == 0) first = i;
  }
  if (found == 0) return add(name, value);
  if (found == 1 && at(first).value == value) return true;
  if (!is_good(name, value)) return false;
  // The others go before the bytes change: `name` may be a view of them.
  if (size_t at = 0; found > 1) {
    remove_lines([&](const FieldLine& line) { return at++ > first && is(*block_, line, name); });
  }
  if (value.size() <= block_->line(first).value.size) {
    block_->shorten(block_->line(first), value);
    return true;
  }
  // The name stays as it was written.
  const HeadBlockPtr before = make_room(block_->line(first).name.size + value.size() + 4, 0);
  FieldLine& line = block_->line(first);
  line = block_->store(block_->view(line.name), value, line.known);
  return true;
}

size_t Headers::remove_all(const Wanted& name) {
  // Lines go, the bytes stay: `name` may be a view of them.
  return remove_lines([&](const FieldLine& line) { return is(*block_, line, name); });
}

size_t Headers::remove(FieldNames names) {
  if (!may_have(names)) return 0;
  return remove_lines([&](const FieldLine& line) { return (bit_of(line.known) & names) != 0; });
}

void Headers::fit() {
  if (block_) block_ = block_->fitted();
}

void Headers::clear() {
  if (!block_) return;
  block_->keep_lines(0);
  block_->names = 0;
}

void Headers::append_block(std::string_view bytes) {
  const HeadBlockPtr before = make_room(bytes.size(), 0);
  block_->append(bytes);
}

void Headers::classify() {
  block_->names = 0;
  for (size_t i = 0; i < block_->lines(); ++i) {
    FieldLine& line = block_->line(i);
    line.known = field_name(block_->view(line.name));
    line.plain = block_->is_plain(line.name, line.value);
    block_->names |= bit_of(line.known);
  }
}

void Headers::make_room_for_lines() {
  const HeadBlockPtr before = make_room(0, 1);
}

HeadBlockPtr Headers::make_more_room(size_t bytes, size_t lines) {
  if (!block_) {
    block_ = HeadBlock::make(bytes, lines);
    return nullptr;
  }
  return std::exchange(block_, block_->grown(bytes, lines));
}

void Headers::store(const Wanted& name, std::string_view value) {
  const HeadBlockPtr before = make_room(name.text.size() + value.size() + 4, 1);
  block_->add_line(block_->store(name.text, value, name.known));
}

Head& Head::operator=(Head other) noexcept {
  headers.block_ = std::move(other.headers.block_);
  body = other.body;
  begun = other.begun;
  status = other.status;
  minor_version = other.minor_version;
  upgrade = other.upgrade;
  return *this;
}

void Head::name_request(Range method, Range target) {
  headers.block_->method = method;
  headers.block_->target = target;
}

void Head::name_reason(Range reason) {
  headers.block_->reason = reason;
}

void Head::set_text(Range HeadBlock::* which, std::string_view text) {
  const HeadBlockPtr before = headers.make_room(text.size(), 0);
  headers.block_->replace((*headers.block_).*which, text);
}

bool is_idempotent(std::string_view method) {
  constexpr std::array<std::string_view, 6> kIdempotent = {"GET",    "HEAD",    "PUT",
                                                           "DELETE", "OPTIONS", "TRACE"};
  return std::ranges::find(kIdempotent, method) != kIdempotent.end();
}

std::string_view media_type(std::string_view content_type) {
  return text::trim(content_type.substr(0, content_type.find(';')));
}

}  // namespace sidespan::http
