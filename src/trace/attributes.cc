#include "sidespan/trace/attributes.h"

#include <algorithm>
#include <cstring>

#include "sidespan/base/text.h"

namespace sidespan::trace {
namespace {

// A typical HTTP span: some twenty attributes of about thirty bytes each.
constexpr size_t kFirstArenaBytes = 768;
constexpr size_t kFirstEntries = 24;
constexpr size_t kSizePrefix = sizeof(uint32_t);

bool continues_character(char c) {
  return (static_cast<unsigned char>(c) & 0xc0U) == 0x80;
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
  make_room(admitted.size());
  entry->text = put(admitted);
}

void Attributes::set(std::string_view key, std::span<const std::string_view> values) {
  Entry* entry = slot(key, Type::kTexts);
  if (entry == nullptr) return;
  const uint32_t begin = used_;
  std::string mended;
  for (const std::string_view value : values) {
    const std::string_view admitted = admit(value, mended);
    const auto size = static_cast<uint32_t>(admitted.size());
    char prefix[kSizePrefix];
    std::memcpy(prefix, &size, kSizePrefix);
    make_room(kSizePrefix + size);
    put({prefix, kSizePrefix});
    put(admitted);
  }
  entry->text = {begin, used_ - begin};
}

Attributes::View Attributes::at(size_t index) const {
  const Entry& entry = entries_[index];
  const auto text = [&] { return bytes(entry.text.begin, entry.text.size); };
  switch (entry.type) {
    case Type::kBool:
      return {key_of(entry), entry.boolean};
    case Type::kInt:
      return {key_of(entry), entry.integer};
    case Type::kDouble:
      return {key_of(entry), entry.real};
    case Type::kText:
      return {key_of(entry), text()};
    case Type::kTexts:
      break;
  }
  std::vector<std::string_view> texts;
  for (std::string_view rest = text(); !rest.empty();) {
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
  return bytes(entry->text.begin, entry->text.size);
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
  std::string mended;
  if (!text::is_valid_utf8(key)) {
    mended = text::to_valid_utf8(std::string(key));
    key = mended;
  }
  if (const Entry* known = find(key)) {
    Entry& entry = entries_[static_cast<size_t>(known - entries_.data())];
    entry.type = type;
    return &entry;
  }
  if (key.empty() || key.size() > kKeyBytesMax) {
    ++dropped_;
    return nullptr;
  }
  return append(key, type, {});
}

std::string_view Attributes::admit(std::string_view text, std::string& mended) const {
  if (passes(text)) return text;
  if (!text::is_valid_utf8(text)) {
    mended = text::to_valid_utf8(std::string(text));
    text = mended;
  }
  if (text.size() <= limits_.value_bytes_max) return text;
  size_t end = limits_.value_bytes_max;
  while (end > 0 && continues_character(text[end])) --end;
  return text.substr(0, end);
}

void Attributes::grow(size_t more) {
  if (entries_.empty()) entries_.reserve(std::min(kFirstEntries, limits_.count_max));
  arena_.reserve(std::max({kFirstArenaBytes, used_ + more, 2 * arena_.size()}));
  // Nothing is cleared: only what put() has written is ever read.
  arena_.resize_and_overwrite(arena_.capacity(), [](char*, size_t capacity) { return capacity; });
}

}  // namespace sidespan::trace
