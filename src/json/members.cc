#include "sidespan/json/members.h"

#include <algorithm>

#include "sidespan/base/text.h"

namespace sidespan::json {
namespace {

bool is_blank(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

// Goes over a text; every step says whether it found what it looked for.
class Scan {
 public:
  Scan(std::string_view text, size_t depth_max) : text_(text), depth_max_(depth_max) {}

  bool object(Members& members);
  bool array(std::vector<std::string_view>& elements);
  bool at_end() {
    blanks();
    return at_ == text_.size();
  }

 private:
  char here() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  bool take(char c) {
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  bool take(std::string_view word) {
    if (!text_.substr(at_).starts_with(word)) return false;
    at_ += word.size();
    return true;
  }
  void blanks() {
    while (at_ < text_.size() && is_blank(text_[at_])) ++at_;
  }
  bool digits() {
    const size_t start = at_;
    while (text::is_digit(here())) ++at_;
    return at_ > start;
  }
  bool string();
  bool escape();
  bool number();
  bool value(size_t depth);
  bool composite(char close, size_t depth);
  bool member(Member& member, size_t depth);

  std::string_view text_;
  size_t at_ = 0;
  const size_t depth_max_;
};

bool Scan::escape() {
  constexpr std::string_view kPlain = "\"\\/bfnrt";
  if (take('u')) {
    for (int i = 0; i < 4; ++i, ++at_) {
      if (!text::is_hex(here())) return false;
    }
    return true;
  }
  if (at_ >= text_.size() || kPlain.find(text_[at_]) == std::string_view::npos) return false;
  ++at_;
  return true;
}

bool Scan::string() {
  if (!take('"')) return false;
  while (at_ < text_.size()) {
    const char c = text_[at_++];
    if (c == '"') return true;
    if (static_cast<unsigned char>(c) < ' ') return false;
    if (c == '\\' && !escape()) return false;
  }
  return false;
}

bool Scan::number() {
  take('-');
  if (!take('0') && !digits()) return false;
  if (take('.') && !digits()) return false;
  if (!take('e') && !take('E')) return true;
  if (!take('+')) take('-');
  return digits();
}

bool Scan::value(size_t depth) {
  switch (here()) {
    case '"':
      return string();
    case '{':
      return composite('}', depth);
    case '[':
      return composite(']', depth);
    case 't':
      return take("true");
    case 'f':
      return take("false");
    case 'n':
      return take("null");
    default:
      return number();
  }
}

// An array, or an object whose members nobody asked for.
bool Scan::composite(char close, size_t depth) {
  if (depth == depth_max_) return false;
  ++at_;
  blanks();
  if (take(close)) return true;
  do {
    Member ignored;
    blanks();
    if (close == '}' ? !member(ignored, depth + 1) : !value(depth + 1)) return false;
    blanks();
  } while (take(','));
  return take(close);
}

bool Scan::member(Member& member, size_t depth) {
  const size_t key = at_ + 1;
  if (!string()) return false;
  member.key = text_.substr(key, at_ - key - 1);
  blanks();
  if (!take(':')) return false;
  blanks();
  const size_t start = at_;
  if (!value(depth)) return false;
  member.value = text_.substr(start, at_ - start);
  return true;
}

bool Scan::object(Members& members) {
  blanks();
  if (!take('{')) return false;
  members.inside = at_;
  blanks();
  if (take('}')) return true;
  do {
    blanks();
    if (!member(members.all.emplace_back(), 1)) return false;
    blanks();
  } while (take(','));
  return take('}');
}

bool Scan::array(std::vector<std::string_view>& elements) {
  blanks();
  if (!take('[')) return false;
  blanks();
  if (take(']')) return true;
  do {
    blanks();
    const size_t start = at_;
    if (!value(1)) return false;
    elements.push_back(text_.substr(start, at_ - start));
    blanks();
  } while (take(','));
  return take(']');
}

bool told_apart(const std::vector<Member>& members) {
  std::vector<std::string_view> keys;
  keys.reserve(members.size());
  for (const Member& member : members) keys.push_back(member.key);
  std::ranges::sort(keys);
  return std::ranges::adjacent_find(keys) == keys.end() &&
         std::ranges::none_of(keys,
                              [](std::string_view key) { return key.find('\\') != key.npos; });
}

}  // namespace

const Member* Members::find(std::string_view key) const {
  const auto found = std::ranges::find(all, key, &Member::key);
  return found == all.end() ? nullptr : &*found;
}

std::optional<Members> members_of(std::string_view object, size_t depth_max) {
  Members members;
  Scan scan(object, depth_max);
  if (!scan.object(members) || !scan.at_end() || !told_apart(members.all)) return std::nullopt;
  return members;
}

std::optional<std::vector<std::string_view>> elements_of(std::string_view array, size_t depth_max) {
  std::vector<std::string_view> elements;
  Scan scan(array, depth_max);
  if (!scan.array(elements) || !scan.at_end()) return std::nullopt;
  return elements;
}

}  // namespace sidespan::json
