#include "sidespan/trace/baggage.h"

#include <algorithm>
#include <array>

#include "sidespan/base/text.h"
#include "trace/split.h"

namespace sidespan::trace {
namespace {

constexpr char kLineEnd = '\n';
constexpr std::string_view kDigits = "0123456789ABCDEF";

// baggage-octet: 0x21, 0x23-2B, 0x2D-3A, 0x3C-5B, 0x5D-7E.
constexpr std::array<bool, 256> octet_table() {
  std::array<bool, 256> table{};
  for (size_t c = 0x21; c <= 0x7e; ++c) table[c] = c != '"' && c != ',' && c != ';' && c != '\\';
  return table;
}

constexpr std::array<bool, 256> kOctetTable = octet_table();

bool is_octet(char c) {
  return kOctetTable[static_cast<unsigned char>(c)];
}
bool is_octets(std::string_view value) {
  return std::ranges::all_of(value, is_octet);
}

// As they stand in the text, without the white space around them.
struct RawPair {
  std::string_view key;
  std::optional<std::string_view> value;  // a property may have none
};

struct RawMember {
  std::string_view key;
  std::string_view value;
  Split properties;  // what follows the first ";"
};

std::optional<RawPair> parse_pair(std::string_view text) {
  const size_t equals = text.find('=');
  RawPair pair{text::trim(text.substr(0, equals)), std::nullopt};
  if (equals != std::string_view::npos) pair.value = text::trim(text.substr(equals + 1));
  if (!text::is_token(pair.key) || !is_octets(pair.value.value_or(""))) return std::nullopt;
  return pair;
}

std::optional<RawMember> parse_member(std::string_view text) {
  Split parts(text, ';');
  std::string_view first;
  parts.next(first);
  const std::optional<RawPair> pair = parse_pair(first);
  if (!pair || !pair->value) return std::nullopt;
  return RawMember{pair->key, *pair->value, parts};
}

// `visit(pair)` for each good property; false when there were others.
template <class Visit>
bool visit_properties(const RawMember& member, Visit&& visit) {
  bool clean = true;
  std::string_view part;
  for (Split parts = member.properties; parts.next(part);) {
    if (const std::optional<RawPair> property = parse_pair(part)) {
      visit(*property);
    } else {
      clean = false;
    }
  }
  return clean;
}

// `visit(member)` for each good member of all lines; false when there were others.
template <class Visit>
bool visit_members(std::string_view text, Visit&& visit) {
  if (text.empty()) return true;
  bool clean = true;
  std::string_view line;
  for (Split lines(text, kLineEnd); lines.next(line);) {
    std::string_view part;
    for (Split parts(line, ','); parts.next(part);) {
      if (const std::optional<RawMember> member = parse_member(part)) {
        visit(*member);
      } else {
        clean = false;
      }
    }
  }
  return clean;
}

void append_pair(std::string& out, const RawPair& pair) {
  out.append(pair.key);
  if (pair.value) out.append("=").append(*pair.value);
}

std::string text_of(const RawMember& member) {
  std::string out;
  append_pair(out, {member.key, member.value});
  visit_properties(member, [&](const RawPair& property) {
    out.push_back(';');
    append_pair(out, property);
  });
  return out;
}

// `visit(member, text)` for the good members that fit the limits, each with its text written anew.
// A member that does not fit costs no later one its place.
template <class Visit>
void visit_kept(std::string_view text, Visit&& visit) {
  size_t count = 0;
  size_t bytes = 0;
  visit_members(text, [&](const RawMember& member) {
    if (count == Baggage::kMembersMax) return;
    const std::string written = text_of(member);
    const size_t needed = written.size() + (count == 0 ? 0 : 1);
    if (bytes + needed > Baggage::kBytesMax) return;
    ++count;
    bytes += needed;
    visit(member, std::string_view(written));
  });
}

void append_member(std::string& list, std::string_view member) {
  if (!list.empty()) list.push_back(',');
  list.append(member);
}

std::string decode(std::string_view value) {
  return text::to_valid_utf8(text::percent_decode(value));
}

void append_encoded(std::string& out, std::string_view value) {
  for (const char c : value) {
    if (is_octet(c) && c != '%') {
      out.push_back(c);
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    out.push_back('%');
    out.push_back(kDigits[byte >> 4U]);
    out.push_back(kDigits[byte & 0xfU]);
  }
}

Baggage::Entry entry_of(const RawMember& member) {
  Baggage::Entry entry{std::string(member.key), decode(member.value), {}};
  visit_properties(member, [&](const RawPair& raw) {
    Baggage::Property property{std::string(raw.key), std::nullopt};
    if (raw.value) property.value = decode(*raw.value);
    entry.properties.push_back(std::move(property));
  });
  return entry;
}

}  // namespace

void Baggage::add_line(std::string_view line) {
  const size_t separator = text_.empty() ? 0 : 1;
  if (text::trim(line).empty() || line.find(kLineEnd) != std::string_view::npos ||
      text_.size() + separator >= kReceivedBytesMax) {
    return;
  }
  const size_t room = kReceivedBytesMax - text_.size() - separator;
  if (line.size() > room) {
    const size_t last_member = line.substr(0, room).rfind(',');
    if (last_member == std::string_view::npos) return;
    line = line.substr(0, last_member);
  }
  if (separator != 0) text_.push_back(kLineEnd);
  text_.append(line);
}

std::vector<Baggage::Entry> Baggage::entries() const {
  std::vector<Entry> entries;
  visit_kept(text_, [&](const RawMember& member, std::string_view /*text*/) {
    entries.push_back(entry_of(member));
  });
  return entries;
}

std::optional<std::string> Baggage::get(std::string_view key) const {
  std::optional<std::string> value;
  visit_kept(text_, [&](const RawMember& member, std::string_view /*text*/) {
    if (member.key == key) value = decode(member.value);
  });
  return value;
}

bool Baggage::set(std::string_view key, std::string_view value) {
  if (!text::is_token(key)) return false;
  std::string list(key);
  list.push_back('=');
  append_encoded(list, value);
  visit_members(text_, [&](const RawMember& member) {
    if (member.key != key) append_member(list, text_of(member));
  });
  text_ = std::move(list);
  return true;
}

void Baggage::add_missing(std::vector<Entry> entries) {
  if (entries.empty()) return;
  const std::vector<Entry> known = this->entries();
  std::erase_if(entries, [&](const Entry& entry) {
    return std::ranges::any_of(
        known, [&](const Entry& other) { return text::equal_ignoring_case(other.key, entry.key); });
  });
  if (!entries.empty()) add_line(encode(entries));
}

void Baggage::erase(std::string_view key) {
  bool found = false;
  std::string list;
  visit_members(text_, [&](const RawMember& member) {
    if (member.key == key) {
      found = true;
    } else {
      append_member(list, text_of(member));
    }
  });
  if (found) text_ = std::move(list);
}

void Baggage::allow_only(std::span<const std::string> patterns) {
  bool all = true;
  std::string list;
  visit_members(text_, [&](const RawMember& member) {
    const bool allowed = std::ranges::any_of(patterns, [&](const std::string& pattern) {
      return text::matches_wildcard(pattern, member.key);
    });
    if (allowed) {
      append_member(list, text_of(member));
    } else {
      all = false;
    }
  });
  if (!all) text_ = std::move(list);
}

bool Baggage::passes_as_received() const {
  size_t count = 0;
  bool clean_properties = true;
  const bool clean_members = visit_members(text_, [&](const RawMember& member) {
    ++count;
    clean_properties &= visit_properties(member, [](const RawPair&) {});
  });
  return clean_members && clean_properties && count <= kMembersMax && text_.size() <= kBytesMax;
}

std::vector<std::string_view> Baggage::lines() const {
  std::vector<std::string_view> lines;
  if (text_.empty()) return lines;
  std::string_view line;
  for (Split split(text_, kLineEnd); split.next(line);) lines.push_back(line);
  return lines;
}

std::string Baggage::to_header() const {
  std::string list;
  visit_kept(text_, [&](const RawMember& /*member*/, std::string_view text) {
    append_member(list, text);
  });
  return list;
}

std::string Baggage::encode(std::span<const Entry> entries) {
  std::string list;
  for (const Entry& entry : entries) {
    std::string member = entry.key + '=';
    append_encoded(member, entry.value);
    for (const Property& property : entry.properties) {
      member.append(";").append(property.key);
      if (!property.value) continue;
      member.push_back('=');
      append_encoded(member, *property.value);
    }
    append_member(list, member);
  }
  return list;
}

}  // namespace sidespan::trace
