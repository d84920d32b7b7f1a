#include "sidespan/trace/attributes.h"

#include <algorithm>
#include <bit>
#include <string>
#include <type_traits>
#include <utility>

#include "sidespan/base/text.h"

namespace sidespan::trace {
namespace {

static_assert(std::endian::native == std::endian::little, "doubles are copied as they stand");

bool is_ascii(std::string_view text) {
  uint64_t seen = 0;
  uint64_t word = 0;
  for (; text.size() >= sizeof word; text.remove_prefix(sizeof word)) {
    std::memcpy(&word, text.data(), sizeof word);
    seen |= word;
  }
  for (const char c : text) seen |= static_cast<unsigned char>(c);
  return (seen & 0x8080808080808080U) == 0;
}

bool continues_character(char c) {
  return (static_cast<unsigned char>(c) & 0xc0U) == 0x80;
}

size_t varint_bytes(uint64_t value) {
  return value == 0 ? 1 : (static_cast<size_t>(std::bit_width(value)) + 6) / 7;
}

// Of a field with a tag of one byte around `content` bytes.
size_t field_bytes(size_t content) {
  return 1 + varint_bytes(content) + content;
}

// The number at the front of `bytes`, which this file has written.
uint64_t take_varint(std::string_view& bytes) {
  uint64_t value = 0;
  for (unsigned shift = 0;; shift += 7) {
    const auto byte = static_cast<unsigned char>(bytes.front());
    bytes.remove_prefix(1);
    if (byte < 0x80) return value | uint64_t{byte} << shift;
    value |= uint64_t{byte & 0x7fU} << shift;
  }
}

// The content of the length-delimited field at the front of `bytes`.
std::string_view take_field(std::string_view& bytes) {
  bytes.remove_prefix(1);
  const size_t size = take_varint(bytes);
  const std::string_view content(bytes.data(), size);
  bytes.remove_prefix(size);
  return content;
}

}  // namespace

struct Attributes::Pair {
  std::string_view key;
  std::string_view value;  // an AnyValue
  std::string_view whole;  // with the tag before it
};

Attributes::Attributes(const Attributes& other)
    : limits_(other.limits_), count_(other.count_), dropped_(other.dropped_) {
  copy_pairs(other.encoded());
}

Attributes Attributes::unpack(const Packed& packed) {
  Attributes out(packed.limits);
  out.count_ = packed.count;
  out.dropped_ = packed.dropped;
  out.copy_pairs(packed.pairs);
  return out;
}

void Attributes::copy_pairs(std::string_view pairs) {
  if (pairs.size() > kInlineBytes) grow(pairs.size());
  end_ += pairs.copy(begin_, pairs.size());
}

Attributes::Attributes(Attributes&& other) noexcept {
  take(other);
}

Attributes& Attributes::operator=(Attributes&& other) noexcept {
  if (this == &other) return *this;
  forget();
  take(other);
  return *this;
}

void Attributes::forget() {
  begin_ = end_ = inline_;
  room_end_ = inline_ + kInlineBytes;
  count_ = dropped_ = 0;
}

// Into a list that is empty and inline.
void Attributes::take(Attributes& other) {
  limits_ = other.limits_;
  count_ = other.count_;
  dropped_ = other.dropped_;
  heap_ = std::move(other.heap_);
  if (other.is_inline()) {
    end_ += other.encoded().copy(inline_, kInlineBytes);
  } else {
    begin_ = other.begin_;
    end_ = other.end_;
    room_end_ = other.room_end_;
  }
  other.forget();
}

size_t Attributes::value_bytes(int64_t value) {
  return 1 + varint_bytes(static_cast<uint64_t>(value));
}

size_t Attributes::value_bytes(std::string_view value) {
  return field_bytes(value.size());
}

void Attributes::put_value(char* at, bool value) {
  at[0] = kBoolTag;
  at[1] = value ? 1 : 0;
}

void Attributes::put_value(char* at, int64_t value) {
  at[0] = kIntTag;
  put_varint(at + 1, static_cast<uint64_t>(value));
}

void Attributes::put_value(char* at, double value) {
  at[0] = kDoubleTag;
  std::memcpy(at + 1, &value, sizeof value);
}

void Attributes::put_value(char* at, std::string_view value) {
  at[0] = kTextTag;
  value.copy(at + 1 + put_varint(at + 1, value.size()), value.size());
}

void Attributes::set(std::string_view key, bool value) {
  if (char* const at = open(key, value_bytes(value))) put_value(at, value);
}

void Attributes::set(std::string_view key, int64_t value) {
  if (char* const at = open(key, value_bytes(value))) put_value(at, value);
}

void Attributes::set(std::string_view key, double value) {
  if (char* const at = open(key, value_bytes(value))) put_value(at, value);
}

void Attributes::set(std::string_view key, std::string_view value) {
  std::string mended;
  value = admit(value, mended);
  if (char* const at = open(key, value_bytes(value))) put_value(at, value);
}

void Attributes::set(std::string_view key, std::span<const std::string_view> values) {
  std::string array;
  const auto append_head = [&](char tag, size_t size) {
    char varint[10];
    array.push_back(tag);
    array.append(varint, put_varint(varint, size));
  };
  std::string mended;
  for (const std::string_view value : values) {
    const std::string_view admitted = admit(value, mended);
    append_head(kTextTag, field_bytes(admitted.size()));  // ArrayValue.values has the same number
    append_head(kTextTag, admitted.size());
    array.append(admitted);
  }
  char* const at = open(key, field_bytes(array.size()));
  if (at == nullptr) return;
  at[0] = kArrayTag;
  array.copy(at + 1 + put_varint(at + 1, array.size()), array.size());
}

template <class T>
void Attributes::put_new(std::string_view key, T value) {
  std::string mended;
  if constexpr (std::is_same_v<T, std::string_view>) value = admit(value, mended);
  if (char* const at = open_new(key, value_bytes(value))) put_value(at, value);
}
template void Attributes::put_new(std::string_view, bool);
template void Attributes::put_new(std::string_view, int64_t);
template void Attributes::put_new(std::string_view, double);
template void Attributes::put_new(std::string_view, std::string_view);

void Attributes::add(const Packed& others) {
  const size_t bytes = others.pairs.size();
  if (count_ + others.count > limits_.count_max) return add_each(others);
  if (static_cast<size_t>(room_end_ - end_) < bytes) grow(bytes);
  end_ += others.pairs.copy(end_, bytes);
  count_ += others.count;
  dropped_ += others.dropped;
}

// As many as there may be.
void Attributes::add_each(const Packed& others) {
  for (std::string_view rest = others.pairs; !rest.empty(); take_field(rest)) {
    const Pair pair = read_pair(rest);
    if (char* const at = open_new(pair.key, pair.value.size()))
      pair.value.copy(at, pair.value.size());
  }
  dropped_ += others.dropped;
}

void Attributes::add_joined(const AttributeName& name, std::span<const std::string_view> parts) {
  size_t size = 0;
  for (const std::string_view part : parts) size += part.size();
  if (is_short(name, size) && has_room(2 + size)) {
    char* const begin = begin_pair(name);
    char* at = begin + kShortTextHead;
    bool ascii = true;
    for (const std::string_view part : parts) {
      ascii &= copy_ascii(at, part);
      at += part.size();
    }
    if (ascii) return end_text(name, begin, size);
  }
  std::string joined;
  joined.reserve(size);
  for (const std::string_view part : parts) joined.append(part);
  put_new(name, std::string_view(joined));
}

Attributes::View Attributes::Iterator::operator*() const {
  const Pair pair = read_pair(rest_);
  return {pair.key, read_value(pair.value)};
}

Attributes::Iterator& Attributes::Iterator::operator++() {
  take_field(rest_);
  return *this;
}

Attributes::View Attributes::at(size_t index) const {
  assert(index < size());
  Iterator at = begin();
  for (; index > 0; --index) ++at;
  return *at;
}

std::string_view Attributes::text(std::string_view key) const {
  std::string_view value = find(key).value;
  return value.starts_with(kTextTag) ? take_field(value) : std::string_view();
}

bool Attributes::contains(std::string_view key) const {
  return !find(key).whole.empty();
}

Attributes::Pair Attributes::read_pair(std::string_view bytes) {
  const char* const begin = bytes.data();
  std::string_view content = take_field(bytes);
  const std::string_view key = take_field(content);
  return {key, take_field(content), {begin, bytes.data()}};
}

Attributes::Value Attributes::read_value(std::string_view value) {
  const char tag = value.front();
  if (tag == kTextTag) return take_field(value);
  if (tag == kArrayTag) {
    std::vector<std::string_view> texts;
    for (std::string_view rest = take_field(value); !rest.empty();) {
      std::string_view any = take_field(rest);
      texts.push_back(take_field(any));
    }
    return texts;
  }
  value.remove_prefix(1);
  if (tag == kBoolTag) return value.front() != 0;
  if (tag == kIntTag) return static_cast<int64_t>(take_varint(value));
  double real = 0;
  std::memcpy(&real, value.data(), sizeof real);
  return real;
}

Attributes::Pair Attributes::find(std::string_view key) const {
  for (std::string_view rest = encoded(); !rest.empty();) {
    std::string_view next = rest;
    std::string_view content = take_field(next);
    if (take_field(content) == key) return read_pair(rest);
    rest = next;
  }
  return {{}, {}, {end_, end_}};
}

char* Attributes::open(std::string_view key, size_t value_bytes) {
  std::string mended;
  if (!is_ascii(key)) key = mended = text::to_valid_utf8(std::string(key));
  const Pair known = find(key);
  if (known.whole.empty()) return open_new(key, value_bytes);
  return open_at(static_cast<size_t>(known.whole.data() - begin_), known.whole.size(), key,
                 value_bytes);
}

char* Attributes::open_new(std::string_view key, size_t value_bytes) {
  const size_t used = encoded().size();
  if (key.empty() || key.size() > kKeyBytesMax || count_ >= limits_.count_max || used > kBytesMax) {
    ++dropped_;
    return nullptr;
  }
  ++count_;
  return open_at(used, 0, key, value_bytes);
}

char* Attributes::open_at(size_t begin, size_t replaced, std::string_view key, size_t value_bytes) {
  const size_t content = field_bytes(key.size()) + field_bytes(value_bytes);
  const size_t pair = field_bytes(content);
  if (static_cast<size_t>(room_end_ - end_) < pair) grow(pair);
  char* at = begin_ + begin;
  std::memmove(at + pair, at + replaced, static_cast<size_t>(end_ - at) - replaced);
  end_ += static_cast<ptrdiff_t>(pair) - static_cast<ptrdiff_t>(replaced);
  const auto put_head = [&](char tag, size_t size) {
    *at++ = tag;
    at += put_varint(at, size);
  };
  put_head(AttributeName::kPairTag, content);
  put_head(AttributeName::kKeyTag, key.size());
  at += key.copy(at, key.size());
  put_head(AttributeName::kValueTag, value_bytes);
  return at;
}

std::string_view Attributes::admit(std::string_view text, std::string& mended) const {
  if (!is_ascii(text)) text = mended = text::to_valid_utf8(std::string(text));
  if (text.size() <= limits_.value_bytes_max) return text;
  size_t end = limits_.value_bytes_max;
  while (end > 0 && continues_character(text[end])) --end;
  return text.substr(0, end);
}

void Attributes::grow(size_t more) {
  const size_t used = encoded().size();
  const size_t capacity = std::max(used + more, 2 * static_cast<size_t>(room_end_ - begin_));
  auto bytes = std::make_unique_for_overwrite<char[]>(capacity);
  encoded().copy(bytes.get(), used);
  heap_ = std::move(bytes);
  begin_ = heap_.get();
  end_ = begin_ + used;
  room_end_ = begin_ + capacity;
}

}  // namespace sidespan::trace
