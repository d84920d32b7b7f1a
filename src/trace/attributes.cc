#include "sidespan/trace/attributes.h"

#include <algorithm>
#include <cstring>

#include "sidespan/base/text.h"

namespace sidespan::trace {
namespace {

// A typical HTTP span: some twenty attributes of about thirty bytes each.
constexpr size_t kFirstArenaBytes = 768;
constexpr size_t kFirstEntries = 24;
constexpr uint64_t kHighBits = 0x8080808080808080U;
constexpr size_t kSizePrefix = sizeof(uint32_t);
constexpr size_t kKeyBytesMax = std::numeric_limits<uint16_t>::max();
// Offsets are 32 bits wide; a list this long takes no further key.
constexpr size_t kArenaBytesMax = size_t{1} << 30U;

// Most texts are plain ASCII; then nothing has to be looked at character by character.
bool is_ascii(std::string_view text) {
  uint64_t seen = 0;
  size_t i = 0;
  for (; i + sizeof seen <= text.size(); i += sizeof seen) {
    uint64_t word = 0;
    std::memcpy(&word, text.data() + i, sizeof word);
    seen |= word;
  }
  for (; i < text.size(); ++i) seen |= static_cast<unsigned char>(text[i]);
  return (seen & kHighBits) == 0;
}

bool continues_character(char c) {
  return (static_cast<unsigned char>(c) & 0xc0U) == 0x80;
}

void append_size(std::string& arena, size_t size) {
  const auto prefix = static_cast<uint32_t>(size);
  char bytes[kSizePrefix];
  std::memcpy(bytes, &prefix, kSizePrefix);
  arena.append(bytes, kSizePrefix);
}

}  // namespace

void Attributes::set(std::string_view key, bool value) {
  if (Entry* entry = slot(key, Type::kBool)) entry->boolean = value;
}

void Attributes::set(std::string_view key, int64_t value) {
  if (Entry* entry = slot(key, Type::kInt)) entry->integer = value;
}

void Attributes::set(std::string_view key, double value) {
  if (Entry* entry = slot(key, Type::kDouble)) entry->real = value;
}

void Attributes::set(std::string_view key, std::string_view value) {
  std::string mended;
  const std::string_view admitted = admit(value, mended);
  Entry* entry = slot(key, Type::kText);
  if (entry == nullptr) return;
  entry->text.begin = static_cast<uint32_t>(arena_.size());
  entry->text.size = static_cast<uint32_t>(admitted.size());
  arena_.append(admitted);
}

void Attributes::set(std::string_view key, std::span<const std::string_view> values) {
  Entry* entry = slot(key, Type::kTexts);
  if (entry == nullptr) return;
  const size_t begin = arena_.size();
  std::string mended;
  for (const std::string_view value : values) {
    const std::string_view admitted = admit(value, mended);
    append_size(arena_, admitted.size());
    arena_.append(admitted);
  }
  entry->text.begin = static_cast<uint32_t>(begin);
  entry->text.size = static_cast<uint32_t>(arena_.size() - begin);
}

Attributes::View Attributes::at(size_t index) const {
  const Entry& entry = entries_[index];
  const auto bytes = [&] {
    return std::string_view(arena_).substr(entry.text.begin, entry.text.size);
  };
  switch (entry.type) {
    case Type::kBool:
      return {key_of(entry), entry.boolean};
    case Type::kInt:
      return {key_of(entry), entry.integer};
    case Type::kDouble:
      return {key_of(entry), entry.real};
    case Type::kText:
      return {key_of(entry), bytes()};
    case Type::kTexts:
      break;
  }
  std::vector<std::string_view> texts;
  for (std::string_view rest = bytes(); !rest.empty();) {
    uint32_t size = 0;
    std::memcpy(&size, rest.data(), kSizePrefix);
    texts.push_back(rest.substr(kSizePrefix, size));
    rest.remove_prefix(kSizePrefix + size);
  }
  return {key_of(entry), std::move(texts)};
}

std::string_view Attributes::text(std::string_view key) const {
  const Entry* entry = find(key);
  if (entry == nullptr || entry->type != Type::kText) return {};
  return std::string_view(arena_).substr(entry->text.begin, entry->text.size);
}

bool Attributes::contains(std::string_view key) const {
  return find(key) != nullptr;
}

const Attributes::Entry* Attributes::find(std::string_view key) const {
  const auto found =
      std::ranges::find_if(entries_, [&](const Entry& entry) { return key_of(entry) == key; });
  return found == entries_.end() ? nullptr : &*found;
}

Attributes::Entry* Attributes::slot(std::string_view key, Type type) {
  if (const Entry* known = find(key)) {
    Entry& entry = entries_[static_cast<size_t>(known - entries_.data())];
    entry.type = type;
    return &entry;
  }
  if (key.empty() || key.size() > kKeyBytesMax || entries_.size() >= limits_.count_max ||
      arena_.size() > kArenaBytesMax) {
    ++dropped_;
    return nullptr;
  }
  if (entries_.empty()) {
    entries_.reserve(std::min(kFirstEntries, limits_.count_max));
    arena_.reserve(kFirstArenaBytes);
  }
  Entry& entry = entries_.emplace_back();
  entry.key_begin = static_cast<uint32_t>(arena_.size());
  entry.key_size = static_cast<uint16_t>(key.size());
  entry.type = type;
  arena_.append(key);
  return &entry;
}

std::string_view Attributes::admit(std::string_view text, std::string& mended) const {
  if (!is_ascii(text) && !text::is_valid_utf8(text)) {
    mended = text::to_valid_utf8(std::string(text));
    text = mended;
  }
  if (text.size() <= limits_.value_bytes_max) return text;
  size_t end = limits_.value_bytes_max;
  while (end > 0 && continues_character(text[end])) --end;
  return text.substr(0, end);
}

}  // namespace sidespan::trace
