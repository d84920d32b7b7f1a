#include "sidespan/http/message.h"

#include <algorithm>
#include <array>

namespace sidespan::http {
namespace {

// Room for a usual head at once; a bigger one grows from here.
constexpr size_t kArenaBytesFirst = 1024;
constexpr size_t kLinesFirst = 24;
constexpr size_t kArenaBytesMore = 256;
constexpr size_t kBareSectionBytes = 4;

bool is_safe_value(std::string_view value) {
  return std::ranges::none_of(value, [](char c) { return c == '\r' || c == '\n' || c == '\0'; });
}

}  // namespace

Field Headers::at(size_t index) const {
  return field(lines_[index]);
}

size_t Headers::wire_bytes() const {
  size_t bytes = 0;
  for (const Line& line : lines_) bytes += line.name_size + line.value_size + 4;
  return bytes;
}

std::optional<std::string_view> Headers::find(std::string_view name) const {
  for (const Line& line : lines_) {
    if (line.name_size != name.size()) continue;
    const Field f = field(line);
    if (text::same_text(f.name, name)) return f.value;
  }
  return std::nullopt;
}

size_t Headers::count(std::string_view name) const {
  size_t lines = 0;
  for_each(name, [&](std::string_view) { ++lines; });
  return lines;
}

bool Headers::lists(std::string_view name, std::string_view member) const {
  bool found = false;
  for_each(name, [&](std::string_view value) {
    for (std::optional<std::string_view> rest = value; rest && !found;) {
      const std::string_view part = text::split_first(rest, ',');
      found = text::equal_ignoring_case(text::trim(part.substr(0, part.find(';'))), member);
    }
  });
  return found;
}

bool Headers::add(std::string_view name, std::string_view value) {
  if (!text::is_token(name) || !is_safe_value(value)) return false;
  const Line line = store(name, value);
  lines_.push_back(line);
  return true;
}

bool Headers::set(std::string_view name, std::string_view value) {
  if (!text::is_token(name) || !is_safe_value(value)) return false;
  const auto same = [&](const Line& line) {
    return text::equal_ignoring_case(field(line).name, name);
  };
  const auto first = std::ranges::find_if(lines_, same);
  if (first == lines_.end()) return add(name, value);
  // The others go before the arena changes: `name` may be a view of it.
  lines_.erase(std::remove_if(first + 1, lines_.end(), same), lines_.end());
  if (value.size() <= first->value_size) {
    arena_.replace(first->value_begin, value.size(), value);
    first->value_size = static_cast<uint32_t>(value.size());
    return true;
  }
  const Line stored = store({}, value);  // the name stays as it was written
  first->value_begin = stored.value_begin;
  first->value_size = stored.value_size;
  return true;
}

size_t Headers::remove(std::string_view name) {
  // Lines go, the arena stays: `name` may be a view of it.
  return remove_if([&](const Field& f) { return text::equal_ignoring_case(f.name, name); });
}

void Headers::clear() {
  arena_.clear();
  lines_.clear();
}

void Headers::append_block(std::string_view bytes) {
  // Room for what a proxy adds, unless it is but the empty line behind the last chunk.
  if (arena_.empty() && bytes.size() > kBareSectionBytes) {
    arena_.reserve(bytes.size() + kArenaBytesMore);
    lines_.reserve(kLinesFirst);
  }
  arena_.append(bytes);
}

void Headers::add_from_block(std::string_view name, std::string_view value) {
  const auto offset = [&](std::string_view view) {
    return static_cast<uint32_t>(view.data() - arena_.data());
  };
  lines_.push_back({offset(name), static_cast<uint32_t>(name.size()), offset(value),
                    static_cast<uint32_t>(value.size())});
}

void Headers::reserve_first() {
  lines_.reserve(kLinesFirst);
  arena_.reserve(kArenaBytesFirst);
}

Headers::Line Headers::store(std::string_view name, std::string_view value) {
  if (arena_.empty()) reserve_first();
  const size_t begin = arena_.size();
  const size_t end = begin + name.size() + value.size();
  if (end > arena_.capacity()) {
    // Both may be views of the old arena, which therefore lives until both are copied.
    std::string grown;
    grown.reserve(std::max(end, arena_.capacity() * 2));
    grown.append(arena_).append(name).append(value);
    arena_.swap(grown);
  } else {
    arena_.append(name).append(value);
  }
  const auto value_begin = static_cast<uint32_t>(begin + name.size());
  return {static_cast<uint32_t>(begin), static_cast<uint32_t>(name.size()), value_begin,
          static_cast<uint32_t>(value.size())};
}

bool is_idempotent(std::string_view method) {
  constexpr std::array<std::string_view, 6> kIdempotent = {"GET",    "HEAD",    "PUT",
                                                           "DELETE", "OPTIONS", "TRACE"};
  return std::ranges::find(kIdempotent, method) != kIdempotent.end();
}

}  // namespace sidespan::http
