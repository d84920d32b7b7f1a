#include <algorithm>
#include <array>

#include "sidespan/base/text.h"
#include "sidespan/trace/context.h"
#include "trace/split.h"

namespace sidespan::trace {
namespace {

constexpr size_t kKeyBytesMax = 256;
constexpr size_t kValueBytesMax = 256;
constexpr size_t kExpectedBytes = 2 * TraceState::kPropagatedBytes;  // reserved at most
constexpr size_t kLongMemberBytes = 128;  // Level 2, section 3.3.1.5: the first to go

constexpr std::array<bool, 256> key_table() {
  std::array<bool, 256> table{};
  for (const char c : std::string_view("abcdefghijklmnopqrstuvwxyz0123456789_-*/@")) {
    table[static_cast<unsigned char>(c)] = true;
  }
  return table;
}

constexpr std::array<bool, 256> kKeyTable = key_table();

bool is_key(std::string_view key) {
  return !key.empty() && key.size() <= kKeyBytesMax &&
         (text::is_lower(key.front()) || text::is_digit(key.front())) &&
         std::ranges::all_of(key, [](char c) { return kKeyTable[static_cast<unsigned char>(c)]; });
}

// The grammar's last character is never a space: there it is white space between members.
bool is_value(std::string_view value) {
  return !value.empty() && value.size() <= kValueBytesMax && value.back() != ' ' &&
         std::ranges::all_of(value,
                             [](char c) { return c >= ' ' && c <= '~' && c != ',' && c != '='; });
}

struct Member {
  std::string_view text;
  std::string_view key;
  std::string_view value;
};

// `visit(member)` for each member of a kept list, left to right, until it returns false.
template <class Visit>
void visit_members(std::string_view list, Visit&& visit) {
  if (list.empty()) return;
  std::string_view member;
  for (Split members(list, ','); members.next(member);) {
    Split pair(member, '=');
    Member found{member, {}, {}};
    pair.next(found.key);
    pair.next(found.value);
    if (!visit(found)) return;
  }
}

bool contains_key(std::string_view list, std::string_view key) {
  bool found = false;
  visit_members(list, [&](const Member& member) { return !(found = member.key == key); });
  return found;
}

void append_member(std::string& list, std::string_view member) {
  if (!list.empty()) list.push_back(',');
  list.append(member);
}

// Adds one line's members to `list`; false when one of them breaks the grammar or is one too many.
// The first of several members with one key is kept.
bool append_line(std::string& list, size_t& count, std::string_view line) {
  std::string_view part;
  for (Split parts(line, ','); parts.next(part);) {
    const std::string_view member = text::trim(part);
    if (member.empty()) continue;
    const size_t equals = member.find('=');
    if (equals == std::string_view::npos || ++count > TraceState::kMembersMax) return false;
    const std::string_view key = member.substr(0, equals);
    if (!is_key(key) || !is_value(member.substr(equals + 1))) return false;
    if (!contains_key(list, key)) append_member(list, member);
  }
  return true;
}

}  // namespace

TraceState TraceState::parse(std::span<const std::string_view> lines) {
  TraceState state;
  size_t count = 0;
  for (const std::string_view line : lines) {
    state.text_.reserve(std::min(state.text_.size() + 1 + line.size(), kExpectedBytes));
    if (!append_line(state.text_, count, line)) return {};
  }
  return state;
}

TraceState TraceState::parse(const std::vector<std::string_view>& lines) {
  return parse(std::span<const std::string_view>(lines));
}

std::string TraceState::to_header() const {
  if (text_.size() <= kPropagatedBytes) return text_;
  std::vector<std::string_view> kept;
  visit_members(text_, [&](const Member& member) {
    kept.push_back(member.text);
    return true;
  });
  size_t size = text_.size();
  const auto drop_from_the_right = [&](size_t longer_than) {
    for (size_t i = kept.size(); i > 0 && size > kPropagatedBytes; --i) {
      if (kept[i - 1].size() <= longer_than) continue;
      size -= std::min(kept[i - 1].size() + 1, size);  // with its comma; the last one has none
      kept.erase(kept.begin() + static_cast<std::ptrdiff_t>(i - 1));
    }
  };
  drop_from_the_right(kLongMemberBytes);
  drop_from_the_right(0);
  std::string header;
  header.reserve(size);
  for (const std::string_view member : kept) append_member(header, member);
  return header;
}

std::optional<std::string_view> TraceState::get(std::string_view key) const {
  std::optional<std::string_view> value;
  visit_members(text_, [&](const Member& member) {
    if (member.key == key) value = member.value;
    return !value;
  });
  return value;
}

bool TraceState::set(std::string_view key, std::string_view value) {
  if (!is_key(key) || !is_value(value)) return false;
  std::string list;
  list.reserve(key.size() + value.size() + 2 + text_.size());
  list.append(key).append("=").append(value);
  size_t count = 1;
  visit_members(text_, [&](const Member& member) {
    if (member.key == key) return true;
    if (++count > kMembersMax) return false;
    append_member(list, member.text);
    return true;
  });
  text_ = std::move(list);
  return true;
}

void TraceState::erase(std::string_view key) {
  if (!contains_key(text_, key)) return;
  std::string list;
  visit_members(text_, [&](const Member& member) {
    if (member.key != key) append_member(list, member.text);
    return true;
  });
  text_ = std::move(list);
}

std::vector<std::pair<std::string_view, std::string_view>> TraceState::members() const {
  std::vector<std::pair<std::string_view, std::string_view>> result;
  visit_members(text_, [&](const Member& member) {
    result.emplace_back(member.key, member.value);
    return true;
  });
  return result;
}

}  // namespace sidespan::trace
